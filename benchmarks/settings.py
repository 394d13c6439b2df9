"""What every setting of `RuleTransformer` costs and gives on public sets: accuracy and seconds.

A report, not a choice: the defaults were chosen by `defaults.py`, on pools that no result is
reported on. One setting is varied at a time, as there; 10 labels a class.

    python benchmarks/settings.py [--sets NAME ...] [--seeds N] [--draws N] [--quick]

Writes `docs/results/settings.json` and `settings.md`.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from defaults import CHANGES

from metaplastic.data.sets import load_set
from metaplastic.errors import MissingDataError
from metaplastic.evaluation import evaluate, provenance
from metaplastic.files import write_atomically
from metaplastic.learners import RuleLearner
from metaplastic.report.tables import Table
from metaplastic.rules import load_rule

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SETS = ("digits", "mnist14", "fashion14", "movie_snippets", "breast_cancer", "wine")


def measure(learner: RuleLearner, data: Any, args: argparse.Namespace) -> dict[str, float]:
    """Accuracies in percent under both readouts, and seconds of the unlabelled phase.

    The first of two fits is not timed where programs must be compiled: the shape is met before.
    """
    learner.fit(data.x[: learner.batch_size], seed=0)
    records = evaluate({"": learner}, data, n_draws=args.draws, seeds=range(args.seeds))
    found = {record.readout: 100 * record.mean for record in records}
    return found | {"seconds": records[0].fit_seconds}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(SETS), help="names of `data list`")
    parser.add_argument("--rule", default="base", help="a name or a file (base)")
    parser.add_argument("--seeds", type=int, default=3, help="unlabelled phases (3)")
    parser.add_argument("--draws", type=int, default=30, help="draws of labels a seed (30)")
    parser.add_argument("--quick", action="store_true", help="wine, two settings, writes nothing")
    args = parser.parse_args()
    changes: tuple[dict[str, Any], ...] = ({}, *CHANGES)
    if args.quick:
        args.sets, args.seeds, args.draws, changes = ["wine"], 1, 3, changes[:2]
    default = RuleLearner(load_rule(args.rule))
    rows: dict[str, dict[str, dict[str, float]]] = {}
    sets = []
    for name in args.sets:
        try:
            sets.append(load_set(name))
        except MissingDataError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    for change in changes:
        label = ", ".join(f"{k}={v}" for k, v in change.items()) or "default"
        learner = dataclasses.replace(default, **change)
        rows[label] = {data.name: measure(learner, data, args) for data in sets}
        print(label, rows[label], file=sys.stderr, flush=True)
    cells = tuple((label, *map(_cell, found.values())) for label, found in rows.items())
    note = (
        f"Accuracy in percent with 10 labels a class, ridge / logistic, {args.seeds} seeds x "
        f"{args.draws} draws, and seconds of one fit without compiling."
    )
    table = Table(("", *(data.name for data in sets)), cells, note)
    print(table.text())
    if not args.quick:
        document = {"provenance": provenance(seeds=range(args.seeds)), "rows": rows}
        write_atomically(RESULTS / "settings.json", json.dumps(document, indent=1).encode())
        write_atomically(RESULTS / "settings.md", table.markdown().encode())


def _cell(found: dict[str, float]) -> str:
    return f"{found['ridge']:.1f} / {found['logistic']:.1f}, {found['seconds']:.1f} s"


if __name__ == "__main__":
    main()
