"""Points that move: small multiples of one cloud over time, and an animation without scripts."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.report.style import BLUE, ORANGE, WIDTH, drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LIGHT, _DARK = ("#ffffff", "#1b1f24"), ("#14181c", "#e6e9ec")
_SIDE = 3.2
_DPI = 100


def frames_figure(frames: Mapping[str, NDArray], labels: NDArray, *, columns: int = 3) -> "Figure":
    """A panel per frame: points `(n, 2)` of two classes, each panel with a scale of its own.

    Parameters
    ----------
    frames : mapping of str to ndarray
        Title to coordinates `(n, 2)`.
    labels : ndarray
        Class of each point `(n,)`, 0 or 1.
    columns : int, default=3
        Number of panels side by side.

    Returns
    -------
    Figure
        The figure.

    Raises
    ------
    InputError
        Without frames, or for coordinates of another shape.
    """
    _check(list(frames.values()), labels)
    rows = -(-len(frames) // columns)
    with drawing():
        figure = new_figure(WIDTH / columns * rows + 0.3 * rows)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(frames) :]:
            axes.set_visible(False)
        for axes, (title, points) in zip(grid.flat, frames.items(), strict=False):
            _points(axes, np.asarray(points), labels, 5)
            axes.set_title(title, loc="left")
    return figure


def animation(
    frames: Sequence[NDArray], labels: NDArray, titles: Sequence[str], description: str
) -> str:
    """A `<picture>` element with the frames as animated PNG, one for light and one for dark pages.

    The first and the last frame stay longer. It refers to nothing outside.

    Parameters
    ----------
    frames : sequence of ndarray
        Coordinates `(n, 2)`, frame by frame.
    labels : ndarray
        Class of each point `(n,)`.
    titles : sequence of str
        A title for each frame.
    description : str
        What the picture shows, for readers who cannot see it.

    Returns
    -------
    str
        The element.

    Raises
    ------
    InputError
        Without frames, or for coordinates of another shape.
    """
    _check(frames, labels)
    light, dark = (
        base64.b64encode(_animated(frames, labels, titles, *colours)).decode()
        for colours in (_LIGHT, _DARK)
    )
    text = html.escape(description, quote=True)
    return (
        '<picture><source media="(prefers-color-scheme: dark)" '
        f'srcset="data:image/png;base64,{dark}">'
        f'<img alt="{text}" src="data:image/png;base64,{light}"></picture>'
    )


def _animated(
    frames: Sequence[NDArray], labels: NDArray, titles: Sequence[str], paper: str, ink: str
) -> bytes:
    from PIL import Image

    images = []
    for points, title in zip(frames, titles, strict=True):
        with drawing():
            figure = new_figure(_SIDE, width=_SIDE)
            axes = figure.add_subplot()
            _points(axes, np.asarray(points), labels, 8)
            axes.set_title(title, loc="left", color=ink)
            axes.spines[:].set_color(ink)
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=_DPI, facecolor=paper)
        images.append(Image.open(buffer).convert("RGB").quantize(64))
    times = [1200, *[160] * (len(images) - 2), 2500][: len(images)]
    written = io.BytesIO()
    images[0].save(
        written, format="PNG", save_all=True, append_images=images[1:], duration=times, loop=0
    )
    return written.getvalue()


def _points(axes: Any, points: NDArray, labels: NDArray, size: float) -> None:
    for value, colour, marker in zip(np.unique(labels), (BLUE, ORANGE), "o^", strict=False):
        chosen = points[labels == value]
        axes.scatter(
            chosen[:, 0], chosen[:, 1], s=size, color=colour, marker=marker, linewidth=0
        ).set_rasterized(True)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.06)


def _check(frames: Sequence[NDArray], labels: NDArray) -> None:
    if not frames or any(np.shape(points) != (len(labels), 2) for points in frames):
        raise InputError(
            f"frames must be coordinates ({len(labels)}, 2), got {[np.shape(p) for p in frames]}"
        )
