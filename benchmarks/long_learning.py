"""What long learning does to features: accuracy over inner steps, on validation pools.

    python benchmarks/long_learning.py [--rule R ...] [--quick]

A local rule is measured as it is and coming to rest (`LocalRule.settle`), `base` on larger pools
too. Writes `docs/results/long_learning.json`.
"""

import argparse
import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from pools import ROWS, validation_pool

from metaplastic.files import write_atomically
from metaplastic.learners import RuleLearner
from metaplastic.meta.evaluation import evaluate
from metaplastic.meta.records import provenance
from metaplastic.rules import AbstractUpdateRule, LocalRule, load_rule

RESULTS = Path(__file__).parents[1] / "docs" / "results"
STEPS = (100, 250, 1000, 4000)
HARD, OTHERS = "glyphs deformed", ("glyphs 14x14", "table, 30 columns", "writings, 2 classes")
SETTLE = 100


def cases(rules: Sequence[str]) -> Iterator[tuple[str, AbstractUpdateRule, str, int]]:
    """Label, rule, kind of the pool and its rows."""
    for name in rules:
        label, rule = Path(name).stem, load_rule(name)
        for kind in (HARD, *OTHERS):
            yield label, rule, kind, ROWS
        if isinstance(rule, LocalRule) and not rule.settle:
            yield f"{label}, settle={SETTLE}", dataclasses.replace(rule, settle=SETTLE), HARD, ROWS
            yield label, rule, HARD, 10 * ROWS


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rule", nargs="+", default=["base"], help="names or files (base)")
    parser.add_argument("--quick", action="store_true", help="few steps, writes nothing")
    args = parser.parse_args()
    rows = []
    for label, rule, kind, n_rows in cases(args.rule):
        pool = validation_pool(kind, 0, n_rows)
        for n_steps in (2, 4) if args.quick else STEPS:
            learner = RuleLearner(rule, n_networks=2, n_components=128, n_steps=n_steps)
            records = evaluate({label: learner}, pool, n_draws=10, seeds=(0,))
            found = {record.readout: round(100 * record.mean, 1) for record in records}
            rows.append({"rule": label, "pool": kind, "rows": n_rows, "steps": n_steps, **found})
            print(*rows[-1].values(), sep="  ", flush=True)
    if not args.quick:
        data = {"provenance": provenance(seeds=(0,)), "rows": rows}
        text = json.dumps(data, indent=1).encode()
        write_atomically(RESULTS / "long_learning.json", text)


if __name__ == "__main__":
    main()
