"""What a line and the graph of the pool read from one label a class, drawn in the plane."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from metaplastic.evaluation.trials import draw_support
from metaplastic.presets import load_preset
from metaplastic.readings import ReadingPool
from metaplastic.report.style import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    WIDTH,
    drawing,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOTS = 1
READINGS = {"ridge": "read by a line (ridge)", "graph": "read over the graph of the pool"}
COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE)


def reading_figure(features: NDArray, plane: NDArray, y: NDArray, *, seed: int) -> "Figure":
    """Classes that two readings give to the rows of a pool, one above the other.

    Parameters
    ----------
    features : ndarray
        Features of the pool `(n, d)`, from which labels are read.
    plane : ndarray
        Where its rows are drawn `(n, 2)`.
    y : ndarray
        True classes `(n,)`; `SHOTS` rows of each are shown to the readings.
    seed : int
        Seed of the choice of these rows.

    Returns
    -------
    Figure
        The figure.
    """
    classes, numbers = np.unique(y, return_inverse=True)
    few = draw_support(numbers, SHOTS, np.random.default_rng(seed))
    rest = np.setdiff1d(np.arange(len(y)), few)
    with threadpool_limits(1):
        pool = ReadingPool(features, load_preset("base").reading)
        said = {
            head: pool.scores(pool.fit(head, few, numbers[few]), np.arange(len(y))).argmax(1)
            for head in READINGS
        }
    with drawing():
        figure = new_figure(0.62 * WIDTH * len(READINGS))
        grid = figure.subplots(len(READINGS), 1, squeeze=False)[:, 0]
        for axes, (head, title) in zip(grid, READINGS.items(), strict=True):
            found = said[head]
            for number in range(len(classes)):
                style: dict[str, Any] = {
                    "color": COLOURS[number % 5],
                    "marker": "o^s"[number // 5 % 3],
                }
                own = plane[found == number]
                points = axes.scatter(own[:, 0], own[:, 1], s=9, linewidth=0, alpha=0.75, **style)
                points.set_rasterized(True)
                shown = plane[few[numbers[few] == number]]
                axes.scatter(
                    shown[:, 0], shown[:, 1], s=110, edgecolor="black", linewidth=1.5, **style
                )
            right = 100 * np.mean(found[rest] == numbers[rest])
            axes.set_title(f"{title}: {right:.0f} % right", loc="left")
            axes.set_xticks([])
            axes.set_yticks([])
    return figure
