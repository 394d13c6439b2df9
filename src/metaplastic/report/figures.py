"""The figures of a report. Each takes finished numbers and returns a matplotlib figure.

matplotlib (extra `report`) is imported when a figure is drawn; without it these functions raise
`MissingDataError`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.evaluation import Record
from metaplastic.report.style import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    WIDTH,
    drawing,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

READOUT_STYLE = ((BLUE, "o"), (VERMILLION, "s"), (GREEN, "^"))
"""Colour and marker of the first, second and third readout."""

LINE_STYLE = (
    (SKY, (0, (5, 2))),
    (GREEN, (0, (1, 1.2))),
    (PURPLE, (0, (6, 2, 1, 2))),
    (ORANGE, (0, (3, 1.5))),
)


def learner_figure(records: Sequence[Record], *, emphasise: Collection[str] = ()) -> "Figure":
    """Mean accuracy of every learner with its standard error, one dot per readout.

    Parameters
    ----------
    records : sequence of Record
        Records of one data set and one number of shots, from the top downwards.
    emphasise : collection of str, default=()
        Learners named in bold.

    Returns
    -------
    Figure
        The figure.

    Raises
    ------
    InputError
        Without records, or with several data sets or numbers of shots.
    """
    _one_experiment(records)
    learners = list(dict.fromkeys(record.learner for record in records))
    readouts = list(dict.fromkeys(record.readout for record in records))
    with drawing():
        figure = new_figure(0.32 * len(learners) + 1.2)
        axes = figure.add_subplot()
        for index, readout in enumerate(readouts):
            chosen = [record for record in records if record.readout == readout]
            colour, marker = READOUT_STYLE[index % len(READOUT_STYLE)]
            shift = 0.16 * (index - (len(readouts) - 1) / 2)
            axes.errorbar(
                [100 * record.mean for record in chosen],
                [learners.index(record.learner) + shift for record in chosen],
                xerr=[100 * np.nan_to_num(record.standard_error) for record in chosen],
                fmt=marker,
                color=colour,
                markersize=5,
                capsize=2.5,
                elinewidth=1.2,
                label=f"{readout} readout",
            )
        axes.set_yticks(range(len(learners)), learners)
        for label in axes.get_yticklabels():
            if label.get_text() in emphasise:
                label.set_fontweight("bold")
        axes.set_ylim(len(learners) - 0.4, -0.6)
        axes.grid(axis="both")
        axes.tick_params(axis="y", length=0)
        what = f"accuracy in % ({records[0].shots} labels a class), \u00b1 standard error"
        axes.set_xlabel(what, loc="right")
        axes.set_ylabel("learner")
        figure.legend(loc="outside upper right", ncols=len(readouts))
    return figure


def step_figure(
    by_step: Mapping[int, Sequence[Record]], baselines: Sequence[Record] = ()
) -> "Figure":
    """Accuracy after numbers of inner steps, one panel per readout, baselines as level lines.

    Parameters
    ----------
    by_step : mapping of int to sequence of Record
        Records of one learner, data set and number of shots, by inner steps done.
    baselines : sequence of Record, default=()
        Records of other learners; those of a readout go into its panel.

    Returns
    -------
    Figure
        The figure.

    Raises
    ------
    InputError
        With fewer than two steps, or records of several experiments.
    """
    if len(by_step) < 2:
        raise InputError(f"accuracy over steps needs at least two steps, got {sorted(by_step)}")
    everything = [record for step in sorted(by_step) for record in by_step[step]]
    _one_experiment([*everything, *baselines])
    readouts = list(dict.fromkeys(record.readout for record in everything))
    with drawing():
        figure = new_figure(2.5 * len(readouts) + 0.5)
        panels = figure.subplots(len(readouts), 1, sharex=True, squeeze=False)[:, 0]
        for index, (axes, readout) in enumerate(zip(panels, readouts, strict=True)):
            _step_panel(axes, by_step, baselines, readout, READOUT_STYLE[index % 3])
        panels[-1].set_xlabel("inner steps of the rule (0: as initialised)")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _step_panel(
    axes: Any,
    by_step: Mapping[int, Sequence[Record]],
    baselines: Sequence[Record],
    readout: str,
    style: tuple[str, str],
) -> None:
    colour, marker = style
    shown = [(s, r) for s in sorted(by_step) for r in by_step[s] if r.readout == readout]
    steps = [step for step, _ in shown]
    mean = np.array([100 * record.mean for _, record in shown])
    error = np.array([100 * np.nan_to_num(record.standard_error) for _, record in shown])
    name = shown[0][1].learner
    level = [record for record in baselines if record.readout == readout]
    for index, record in enumerate(level):
        line, dashes = LINE_STYLE[index % len(LINE_STYLE)]
        axes.axhline(100 * record.mean, color=line, linestyle=dashes, label=record.learner)
    axes.fill_between(steps, mean - error, mean + error, color=colour, alpha=0.25, linewidth=0)
    axes.plot(steps, mean, color=colour, marker=marker, markersize=4, label=name)
    positive = [step for step in steps if step > 0]
    axes.set_xscale("symlog", linthresh=min(positive), linscale=0.6)
    axes.set_xticks(steps, [str(step) for step in steps])
    axes.minorticks_off()
    axes.set_xlim(min(steps), max(steps) * 1.05)
    axes.grid(axis="both")
    axes.set_ylabel(f"accuracy in %, {readout}")


def field_figure(panels: Mapping[str, NDArray], *, columns: int = 8) -> "Figure":
    """Receptive fields as images, one block per panel, blocks above one another.

    Parameters
    ----------
    panels : mapping of str to ndarray
        Title to `(units, height, width)`; every image gets a scale of its own, symmetric about
        zero.
    columns : int, default=8
        Images side by side.

    Returns
    -------
    Figure
        The figure.

    Raises
    ------
    InputError
        Without panels or with arrays of another rank.
    """
    if not panels or any(np.ndim(fields) != 3 for fields in panels.values()):
        shapes = {title: np.shape(fields) for title, fields in panels.items()}
        raise InputError(f"receptive fields must be (units, height, width), got {shapes}")
    tiles = {title: _tile(np.asarray(fields), columns) for title, fields in panels.items()}
    heights = [image.shape[0] / image.shape[1] * WIDTH * 0.86 for image in tiles.values()]
    with drawing():
        figure = new_figure(sum(heights) + 0.35 * len(tiles))
        grid = figure.subplots(len(tiles), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (title, image) in zip(grid, tiles.items(), strict=True):
            axes.imshow(image, cmap="PuOr", vmin=-1, vmax=1, interpolation="nearest")
            axes.set_title(title, loc="left")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        bar = figure.colorbar(
            grid[0].images[0], ax=list(grid), shrink=0.5, aspect=30, ticks=[-1, 0, 1]
        )
        bar.set_label("weight, relative to the unit's largest")
        bar.outline.set_visible(False)
    return figure


def _tile(fields: NDArray, columns: int) -> NDArray:
    """One image of all fields, each divided by its largest magnitude, NaN (empty) between them."""
    units, height, width = fields.shape
    rows = -(-units // columns)
    image = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for index, field in enumerate(fields):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        largest = np.abs(field).max()
        image[top : top + height, left : left + width] = field / (largest if largest > 0 else 1)
    return image


def embedding_figure(panels: Mapping[str, NDArray], labels: NDArray) -> "Figure":
    """Points in the plane coloured and marked by class, one panel per mapping.

    Parameters
    ----------
    panels : mapping of str to ndarray
        Title to coordinates `(n, 2)`.
    labels : ndarray
        `(n,)`, used for colour alone; the class stands at the median of its points.

    Returns
    -------
    Figure
        The figure.

    Raises
    ------
    InputError
        For coordinates of another shape.
    """
    labels = np.asarray(labels)
    for title, points in panels.items():
        if np.shape(points) != (len(labels), 2):
            raise InputError(
                f"{title}: coordinates must be ({len(labels)}, 2), got {np.shape(points)}"
            )
    with drawing():
        figure = new_figure(0.62 * WIDTH * len(panels))
        grid = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axes, (title, points) in zip(grid, panels.items(), strict=True):
            _scatter(axes, np.asarray(points), labels)
            axes.set_title(title, loc="left")
            axes.set_xlabel("first coordinate (no unit)")
            axes.set_ylabel("second coordinate")
            axes.set_xticks([])
            axes.set_yticks([])
    return figure


def _scatter(axes: Any, points: NDArray, labels: NDArray) -> None:
    from matplotlib.patheffects import withStroke

    colours = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE)
    for index, value in enumerate(np.unique(labels)):
        chosen = points[labels == value]
        colour = colours[index % len(colours)]
        marker = "o^s"[index // len(colours) % 3]
        axes.scatter(
            chosen[:, 0], chosen[:, 1], s=9, color=colour, marker=marker, linewidth=0, alpha=0.75
        ).set_rasterized(True)
        axes.text(
            *np.median(chosen, axis=0),
            str(value),
            fontsize=14,
            fontweight="bold",
            color="black",
            ha="center",
            va="center",
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )


def _one_experiment(records: Sequence[Record]) -> None:
    if not records:
        raise InputError("a figure needs at least one record, got none")
    for field in ("dataset", "shots"):
        values = {getattr(record, field) for record in records}
        if len(values) > 1:
            raise InputError(f"a figure shows one {field} at a time, got {sorted(values)}")
