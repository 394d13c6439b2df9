"""What long learning does to features: accuracy over inner steps, on validation pools.

    python benchmarks/long_learning.py [--rule R ...] [--quick]

A local rule that never comes to rest (`LocalRule.settle`) is measured so too, and on a larger
pool. Writes `docs/results/long_learning.json`, in which rules not named now keep their rows.
"""

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from common import keep_rows, rule_label
from pools import ROWS, validation_pool

from metaplastic.evaluation import evaluate
from metaplastic.learners import RuleLearner
from metaplastic.rules import AbstractUpdateRule, LocalRule, load_rule

FILE = Path(__file__).parents[1] / "docs" / "results" / "long_learning.json"
STEPS = (100, 250, 1000, 4000)
HARD, OTHERS = "glyphs deformed", ("glyphs 14x14", "table, 30 columns", "writings, 2 classes")
SETTLE = 100


def cases(name: str) -> Iterator[tuple[str, AbstractUpdateRule, str, int]]:
    """Label, rule, kind of the pool and its rows."""
    label, rule = rule_label(name), load_rule(name)
    for kind in (HARD, *OTHERS):
        yield label, rule, kind, ROWS
    if isinstance(rule, LocalRule) and not rule.settle:
        yield f"{label}, settle={SETTLE}", dataclasses.replace(rule, settle=SETTLE), HARD, ROWS
        yield label, rule, HARD, 10 * ROWS


def measure(name: str, quick: bool) -> Iterator[dict[str, object]]:
    """One row of accuracies per case and number of steps."""
    for label, rule, kind, n_rows in cases(name):
        pool = validation_pool(kind, 0, n_rows)
        for n_steps in (2, 4) if quick else STEPS:
            learner = RuleLearner(rule, n_networks=2, n_components=128, n_steps=n_steps)
            records = evaluate({label: learner}, pool, n_draws=10, seeds=(0,))
            found = {record.readout: round(100 * record.mean, 1) for record in records}
            row = {"rule": label, "pool": kind, "rows": n_rows, "steps": n_steps, **found}
            print(*row.values(), sep="  ", flush=True)
            yield row


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rule", nargs="+", default=["base"], help="names or files (base)")
    parser.add_argument("--quick", action="store_true", help="few steps, writes nothing")
    args = parser.parse_args()
    for name in args.rule:
        rows = list(measure(name, args.quick))
        if not args.quick:
            keep_rows(FILE, rule_label(name), rows)


if __name__ == "__main__":
    main()
