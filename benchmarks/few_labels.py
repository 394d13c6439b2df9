"""What `practitioner.py` and `calibration.py` share: sets, draws of labels, files of results."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.sets import load_set
from metaplastic.errors import MissingDataError
from metaplastic.evaluation import provenance
from metaplastic.files import write_atomically
from metaplastic.report.tables import Table

RESULTS = Path(__file__).parents[1] / "docs" / "results"
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
    for name in names:
        try:
            found = load_set(name)
        except MissingDataError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        rows = np.random.default_rng(0).permutation(len(found.labels))[:max_rows]
        x = found.inputs[rows]
        dense: Any = x.toarray() if hasattr(x, "toarray") else x
        yield Pool(name, np.asarray(dense, np.float64), found.labels[rows].astype(np.int64))


def draws(y: NDArray[np.int64], shots: int, count: int, max_test: int) -> list[Draw]:
    """`count` draws of `shots` labelled rows a class; none if a class has no row left to test."""
    classes, counts = np.unique(y, return_counts=True)
    if counts.min() <= shots:
        return []
    found = []
    for number in range(count):
        generator = np.random.default_rng([number, shots])
        labels = np.full(len(y), UNLABELLED)
        for c in classes:
            labels[generator.choice(np.flatnonzero(y == c), shots, replace=False)] = c
        test = generator.permutation(np.flatnonzero(labels == UNLABELLED))[:max_test]
        found.append(Draw(shots, labels, test))
    return found


def parse(description: str | None, sets: Sequence[str], quick: Sequence[str]) -> argparse.Namespace:
    """Options of both commands; `--quick` is few sets and draws, and writes nothing."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sets", nargs="+", default=list(sets), help="names of `data list`")
    parser.add_argument("--draws", type=int, default=10, help="draws of labels (10)")
    parser.add_argument("--max-rows", type=int, default=5000, help="rows of a set (5000)")
    parser.add_argument("--max-test", type=int, default=1000, help="rows tested a draw (1000)")
    parser.add_argument("--quick", action="store_true", help=f"{' '.join(quick)}, two draws")
    args = parser.parse_args()
    if args.quick:
        args.sets, args.draws, args.max_rows = list(quick), 2, 400
    return args


def write(
    name: str, table: Table, rows: Sequence[dict[str, Any]], args: argparse.Namespace
) -> None:
    """Print the table; unless quick, write it and the numbers behind it to docs/results."""
    print(table.text())
    if args.quick:
        return
    settings = {k: v for k, v in vars(args).items() if k != "quick"}
    document = {"provenance": provenance(seeds=[0]), "settings": settings, "rows": list(rows)}
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_atomically(RESULTS / f"{name}.json", (json.dumps(document, indent=1) + "\n").encode())
    write_atomically(RESULTS / f"{name}.md", table.markdown().encode())
