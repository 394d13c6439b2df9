"""How rules do with nonlinearities that they were hardly meta-trained on, on a validation pool.

    python benchmarks/nonlinearities.py [--rule R ...] [--quick]

Learned features alone, of one network: inputs among the features would cover for it. Writes
`docs/results/nonlinearities.json`, in which rules not named now keep their rows.
"""

import argparse
import dataclasses
from pathlib import Path

from common import keep_rows, rule_label
from pools import validation_pool

from metaplastic.learners import RuleLearner
from metaplastic.meta.evaluation import evaluate
from metaplastic.models import ACTIVATIONS
from metaplastic.rules import LocalRule, load_rule

FILE = Path(__file__).parents[1] / "docs" / "results" / "nonlinearities.json"
KIND = "glyphs 14x14"


def measure(name: str, quick: bool) -> list[dict[str, object]]:
    """One row of accuracies per nonlinearity."""
    rule = load_rule(name)
    if isinstance(rule, LocalRule):
        rule = dataclasses.replace(rule, with_inputs=False)
    pool, rows = validation_pool(KIND, 0), []
    for activation in ACTIVATIONS[:2] if quick else ACTIVATIONS:
        learner = RuleLearner(
            rule,
            n_networks=1,
            n_components=128,
            activation=activation,
            n_steps=2 if quick else 100,
        )
        records = evaluate({name: learner}, pool, n_draws=10, seeds=(0,))
        found = {record.readout: round(100 * record.mean, 1) for record in records}
        rows.append({"rule": rule_label(name), "activation": activation, **found})
        print(*rows[-1].values(), sep="  ", flush=True)
    return rows


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rule", nargs="+", default=["base"], help="names or files (base)")
    parser.add_argument("--quick", action="store_true", help="two of them, writes nothing")
    args = parser.parse_args()
    for name in args.rule:
        rows = measure(name, args.quick)
        if not args.quick:
            keep_rows(FILE, rule_label(name), rows)


if __name__ == "__main__":
    main()
