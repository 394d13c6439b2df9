"""Lines with error bars in panels: accuracy over labels, sizes, steps, or named conditions."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from metaplastic.errors import InputError
from metaplastic.report.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    drawing,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Scale = Literal["linear", "log", "symlog", "names"]

MOST_TICKS = 7
"""Places of measurements that are marked on an axis."""

_COLOURS = (VERMILLION, GREEN, ORANGE, PURPLE, SKY, INK)
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.4)), (0, (6, 2, 1, 2)))
_MARKERS = "s^Dvx+P<>*"
_EMPHASISED = "oD"


@dataclasses.dataclass(frozen=True)
class Line:
    """Points of one line.

    Parameters
    ----------
    label : str
        Name in the legend.
    x : sequence of object
        Numbers, or names on the scale `names`.
    y : sequence of float
        Numbers. A NaN interrupts the line.
    error : sequence of float, default=()
        Half-lengths of error bars. NaN draws none.
    """

    label: str
    x: Sequence[Any]
    y: Sequence[float]
    error: Sequence[float] = ()


def line_figure(
    panels: Mapping[str, Sequence[Line]],
    *,
    x_label: str,
    y_label: str,
    x_scale: Scale = "linear",
    emphasise: Sequence[str] = (),
    columns: int = 2,
    height: float = 2.3,
    marks: Sequence[float] = (),
    share_y: bool = False,
    zero: bool = False,
) -> "Figure":
    """One panel per mapping, lines of one label alike in all, one legend above.

    Parameters
    ----------
    panels : mapping of str to sequence of Line
        Title to lines.
    x_label, y_label : str
        Labels below the lowest and beside the leftmost panels.
    x_scale : {"linear", "log", "symlog", "names"}, default="linear"
        Scale of the x axis. With `names`, x values stand in order of appearance, not joined.
    emphasise : sequence of str, default=()
        Labels drawn thick, in blue.
    columns : int, default=2
        Panels side by side.
    height : float, default=2.3
        Height of a panel in inches.
    marks : sequence of float, default=()
        Places of dotted vertical lines.
    share_y, zero : bool, default=False
        Whether panels have the same range of y, and whether a line is drawn at y = 0.

    Returns
    -------
    Figure
        The figure.

    Raises
    ------
    InputError
        Without panels or lines.
    """
    if not panels or not all(panels.values()):
        raise InputError(f"a figure of lines needs lines in every panel, got {list(panels)}")
    labels = list(dict.fromkeys(line.label for lines in panels.values() for line in lines))
    columns = min(columns, len(panels))
    legend_columns = 3 if max(map(len, labels)) < 18 else 2
    legend = 0.24 * -(-len(labels) // legend_columns) if len(labels) > 1 else 0.0
    rows = -(-len(panels) // columns)
    style = _Style(x_label, y_label, x_scale, marks, zero, _looks(labels, emphasise))
    with drawing():
        figure = new_figure(height * rows + legend + 0.3)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
        _draw_panels(grid, panels, style)
        if len(labels) > 1:
            handles = _handles(grid, labels)
            figure.legend(handles, labels, loc="outside upper left", ncols=legend_columns)
    return figure


@dataclasses.dataclass(frozen=True)
class _Style:
    """How every panel looks."""

    x_label: str
    y_label: str
    x_scale: Scale
    marks: Sequence[float]
    zero: bool
    looks: Mapping[str, dict[str, Any]]


def _draw_panels(grid: Any, panels: Mapping[str, Sequence[Line]], style: _Style) -> None:
    """Panels row by row; axes that are left over are hidden."""
    columns = grid.shape[1]
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for index, (axes, (title, lines)) in enumerate(zip(grid.flat, panels.items(), strict=False)):
        for line in lines:
            _draw(axes, line, style.looks[line.label], style.x_scale)
        _finish(axes, lines, style.x_scale, style.marks, style.zero)
        axes.set_title(title, loc="left")
        if index + columns >= len(panels):
            axes.set_xlabel(style.x_label)
        if index % columns == 0:
            axes.set_ylabel(style.y_label)


def _looks(labels: Sequence[str], emphasise: Sequence[str]) -> dict[str, dict[str, Any]]:
    looks: dict[str, dict[str, Any]] = {}
    others = [label for label in labels if label not in emphasise]
    for index, label in enumerate(others):
        looks[label] = {
            "color": _COLOURS[index % len(_COLOURS)],
            "linestyle": _DASHES[(index // len(_COLOURS) + index) % len(_DASHES)],
            "marker": _MARKERS[index % len(_MARKERS)],
            "linewidth": 1.3,
            "markersize": 4,
        }
    for index, label in enumerate(label for label in labels if label in emphasise):
        looks[label] = {
            "color": BLUE,
            "linestyle": _DASHES[index % len(_DASHES)],
            "marker": _EMPHASISED[index % len(_EMPHASISED)],
            "linewidth": 2.6,
            "markersize": 5,
            "zorder": 3,
        }
    return looks


def _draw(axes: Any, line: Line, look: Mapping[str, Any], scale: Scale) -> None:
    x = list(map(str, line.x)) if scale == "names" else list(line.x)
    error = np.nan_to_num(np.asarray(line.error, float)) if len(line.error) else None
    dense = len(x) > 25
    style = {**look, "marker": ""} if dense else dict(look)
    if scale == "names":  # there is nothing between names
        style["linestyle"] = ""
    axes.errorbar(x, line.y, yerr=error, capsize=2, elinewidth=1.0, label=line.label, **style)


def _finish(
    axes: Any, lines: Sequence[Line], scale: Scale, marks: Sequence[float], zero: bool
) -> None:
    axes.grid(axis="both")
    if scale == "names":
        axes.margins(x=0.5 / max(len({x for line in lines for x in line.x}), 2))
        axes.tick_params(axis="x", rotation=45)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
    elif scale in ("log", "symlog"):
        places = sorted({x for line in lines for x in line.x})
        positive = [x for x in places if x > 0]
        if scale == "symlog" and positive:
            axes.set_xscale("symlog", linthresh=min(positive), linscale=0.6)
        else:
            axes.set_xscale("log")
        shown = spaced(places)
        axes.set_xticks(shown, [f"{x:,g}" for x in shown])
        axes.minorticks_off()
    else:
        places = sorted({x for line in lines for x in line.x})
        if len(places) <= MOST_TICKS + 1 and all(x == round(x) for x in places):
            axes.set_xticks(places)
    for place in marks:
        axes.axvline(place, color=INK, linewidth=0.8, linestyle=":")
    if zero:
        axes.axhline(0.0, color=INK, linewidth=0.8)


def spaced(places: Sequence[Any], most: int = MOST_TICKS) -> list[Any]:
    """At most so many of the places, evenly chosen, the first and the last among them."""
    if len(places) <= most:
        return list(places)
    chosen = np.linspace(0, len(places) - 1, most).round().astype(int)
    return [places[i] for i in chosen]


def _handles(grid: Any, labels: Sequence[str]) -> list[Any]:
    by_label: dict[str, Any] = {}
    for axes in grid.flat:
        handles, names = axes.get_legend_handles_labels()
        for handle, name in zip(handles, names, strict=True):
            by_label.setdefault(name, handle)
    return [by_label[label] for label in labels]
