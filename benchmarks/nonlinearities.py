"""How rules do with nonlinearities that they were hardly meta-trained on, on a validation pool.

    python benchmarks/nonlinearities.py [--rule R ...] [--kind KIND] [--pools N] [--quick]

Learned features alone, of one network: inputs among the features would cover for it. Writes
`docs/results/nonlinearities.json`, in which other rules and other kinds of pools keep their rows.
"""

import argparse
import dataclasses
from pathlib import Path
from statistics import mean

from common import keep_rows, rule_label
from pools import KINDS, validation_pool

from metaplastic.evaluation import evaluate
from metaplastic.learners import RuleLearner
from metaplastic.models import ACTIVATIONS
from metaplastic.rules import LocalRule, load_rule

FILE = Path(__file__).parents[1] / "docs" / "results" / "nonlinearities.json"
KIND = "glyphs 14x14"


def measure(name: str, kind: str, n_pools: int, quick: bool) -> list[dict[str, object]]:
    """One row of accuracies per nonlinearity, means over `n_pools` validation pools of a kind."""
    rule = load_rule(name)
    if isinstance(rule, LocalRule):
        rule = dataclasses.replace(rule, with_inputs=False)
    pools, rows = [validation_pool(kind, seed) for seed in range(n_pools)], []
    for activation in ACTIVATIONS[:2] if quick else ACTIVATIONS:
        learner = RuleLearner(
            rule,
            n_networks=1,
            n_components=128,
            activation=activation,
            n_steps=2 if quick else 100,
        )
        records = [r for p in pools for r in evaluate({name: learner}, p, n_draws=10, seeds=(0,))]
        found = {
            readout: round(100 * mean(r.mean for r in records if r.readout == readout), 1)
            for readout in dict.fromkeys(r.readout for r in records)
        }
        rows.append({"rule": rule_label(name), "activation": activation, **found})
        print(*rows[-1].values(), sep="  ", flush=True)
    return rows


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rule", nargs="+", default=["base"], help="names or files (base)")
    parser.add_argument("--kind", choices=KINDS, default=KIND, help=f"of pools ({KIND})")
    parser.add_argument("--pools", type=int, default=1, help="how many (1)")
    parser.add_argument("--quick", action="store_true", help="two of them, writes nothing")
    args = parser.parse_args()
    for name in args.rule:
        rows = measure(name, args.kind, args.pools, args.quick)
        label = rule_label(name) + ("" if args.kind == KIND else f", {args.kind}")
        if not args.quick:
            keep_rows(FILE, label, rows)


if __name__ == "__main__":
    main()
