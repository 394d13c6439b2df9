"""Few labelled rows of a public set: which sets, which rows, how many draws."""

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laboratory.public_sets import sets_here
from laboratory.study import Call
from metaplastic.evaluation.trials import draw_support

SHOTS = (1, 3, 10, 50)
UNLABELLED = -1


@dataclasses.dataclass(frozen=True)
class Pool:
    """A set of which few rows will be labelled; at most so many rows, drawn by seed 0."""

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Draw:
    """Rows with a label, as in semi-supervised learning (-1 for the rest), and rows to test on."""

    shots: int
    labels: NDArray[np.int64]
    test: NDArray[np.int64]


def pools(names: Sequence[str], max_rows: int) -> Iterator[Pool]:
    """The sets that are on this machine; the others are told to standard error."""
    for name, data in sets_here(names):
        rows = np.random.default_rng(0).permutation(len(data.labels))[:max_rows]
        x = data.inputs[rows]
        dense: Any = x.toarray() if hasattr(x, "toarray") else x
        yield Pool(name, np.asarray(dense, np.float64), data.labels[rows].astype(np.int64))


def draws(y: NDArray[np.int64], shots: int, count: int, max_test: int) -> list[Draw]:
    """`count` draws of `shots` labelled rows a class; none if a class has no row left to test."""
    counts = np.unique(y, return_counts=True)[1]
    if counts.min() <= shots:
        return []
    drawn = []
    for number in range(count):
        generator = np.random.default_rng([number, shots])
        labels = np.full(len(y), UNLABELLED)
        support = draw_support(y, shots, generator)
        labels[support] = y[support]
        test = generator.permutation(np.flatnonzero(labels == UNLABELLED))[:max_test]
        drawn.append(Draw(shots, labels, test))
    return drawn


def add_arguments(parser: argparse.ArgumentParser, sets: Sequence[str]) -> None:
    """Options of the studies on few labels."""
    parser.add_argument("--sets", nargs="+", default=list(sets), help="names of `data list`")
    parser.add_argument("--draws", type=int, default=10, help="draws of labels (10)")
    parser.add_argument("--max-rows", type=int, default=5000, help="rows of a set (5000)")
    parser.add_argument("--max-test", type=int, default=1000, help="rows tested a draw (1000)")


def settings_of(call: Call, sets: Sequence[str], quick: Sequence[str]) -> argparse.Namespace:
    """What the options say; with `--quick`, few sets and rows and two draws."""
    parser = argparse.ArgumentParser()
    add_arguments(parser, sets)
    settings = parser.parse_args([])
    if call.quick:
        settings.sets, settings.draws, settings.max_rows = list(quick), 2, 400
        return settings
    for name in vars(settings):
        setattr(settings, name, getattr(call.options, name))
    return settings
