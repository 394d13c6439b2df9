"""Where the defaults of `RuleTransformer` come from: `base` on validation pools.

One setting is varied at a time, on pools of font families and pictures that meta-training does not
see and on fresh synthetic tasks, never on a set on which results are reported.

    python benchmarks/defaults.py [--rule R ...] [--activation A ...] [--share S ...]
        [--whiten P ...] [--kind K ...] [--rows N] [--shots N ...] [--seeds N] [--name NAME]

With several rules, nonlinearities, shares of inputs among the features or powers of their
whitening, only the defaults are measured: this is how rules are compared before one is shipped.
Writes `docs/results/NAME.json` and `NAME.md` (`defaults`, or `--name`).
"""

import argparse
import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
from common import rule_label, whitened
from pools import KINDS, ROWS, validation_pool

from metaplastic.evaluation import evaluate, provenance
from metaplastic.files import write_atomically
from metaplastic.learners import PCA, AbstractLearner, KMeansTriangle, Raw, RuleLearner
from metaplastic.learners import rule_learner as rule_learners
from metaplastic.models import AUTO, scaling
from metaplastic.report.tables import Table
from metaplastic.rules.catalog import load_rule

RESULTS = Path(__file__).parents[1] / "docs" / "results"
Scores = dict[str, list[float]]
CHANGES: tuple[dict[str, object], ...] = (
    {"n_networks": 1, "n_components": 64},
    {"n_networks": 4, "n_components": 256},
    {"n_networks": 16, "n_components": 1024},
    {"n_components": 256},
    {"n_components": 1024},
    {"n_steps": 50},
    {"n_steps": 200},
    {"n_steps": 400},
    {"hidden_sizes": (128,)},
    {"hidden_sizes": (256, 256)},
    {"hidden_sizes": (128, 128, 128)},
    {"batch_size": 64},
    {"batch_size": 256},
)
ORDERS = (2, 16)
Case = tuple[str, AbstractLearner, AbstractContextManager]


def cases(
    rules: Sequence[str],
    activations: Sequence[str],
    shares: Sequence[float | None],
    powers: Sequence[float | None],
) -> Iterator[Case]:
    """Label, learner, and what holds while it is measured."""
    yield "raw", Raw(), nullcontext()
    yield "PCA-32", PCA(32), nullcontext()
    yield "k-means-400", KMeansTriangle(400), nullcontext()
    for rule, activation, share, power in itertools.product(rules, activations, shares, powers):
        label = rule_label(rule)
        label += "" if activation == AUTO else f", {activation}"
        label += "" if power is None else f", whitened by {power}"
        learner = RuleLearner(whitened(load_rule(rule), power), activation=activation)
        if share is None:
            yield label, learner, nullcontext()
        else:
            patch = mock.patch.object(rule_learners, "DIRECT_SHARES", (share, share))
            yield f"{label}, {share:.1%} inputs", learner, patch
    if len(rules) * len(activations) * len(shares) * len(powers) > 1:
        return
    default = RuleLearner(load_rule(rules[0]))
    for change in CHANGES:
        label = ", ".join(f"{k}={v}" for k, v in change.items())
        yield label, dataclasses.replace(default, **change), nullcontext()
    for value in ORDERS:
        yield f"order={value}", default, mock.patch.object(scaling, "ORDER", value)


def measure(
    learner: AbstractLearner,
    kind: str,
    n_seeds: int,
    shots: Sequence[int] = (10,),
    n_rows: int = ROWS,
) -> Scores:
    """Accuracies in percent under ridge and logistic, one of each per pool and number of shots."""
    found: Scores = {"ridge": [], "logistic": []}
    for seed in range(n_seeds):
        pool = validation_pool(kind, seed, n_rows)
        for record in evaluate({kind: learner}, pool, shots=shots, n_draws=10, seeds=(seed,)):
            found[record.readout].append(100 * record.mean)
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rule", nargs="+", default=["base"], help="names or files (base)")
    parser.add_argument(
        "--activation", nargs="+", default=[AUTO], help="of the networks, as in relu+tanh (auto)"
    )
    parser.add_argument(
        "--share",
        nargs="+",
        type=float,
        default=[None],
        help="of inputs among the features (as the learner chooses)",
    )
    parser.add_argument(
        "--whiten",
        nargs="+",
        type=float,
        default=[None],
        help="power by which inputs are whitened, 0 to 0.5 (as the rule asks for)",
    )
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=KINDS, help="of pools (all)")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"of a pool ({ROWS:,})")
    parser.add_argument("--shots", nargs="+", type=int, default=[10], help="labels a class (10)")
    parser.add_argument("--seeds", type=int, default=1, help="pools of each kind (1)")
    parser.add_argument("--name", default="defaults", help="of the files (defaults)")
    parser.add_argument(
        "--quick", action="store_true", help="one pool of two kinds, writes nothing"
    )
    args = parser.parse_args()
    kinds = KINDS[2:8:5] if args.quick else args.kind
    rows: dict[str, dict[str, Scores]] = {}
    found = list(cases(args.rule, args.activation, args.share, args.whiten))
    labels = [label for label, _, _ in found]
    if len(set(labels)) < len(labels):
        parser.error(f"two rows of the table would have one name: {', '.join(labels)}")
    for label, learner, circumstances in found:
        with circumstances:
            rows[label] = {
                kind: measure(learner, kind, args.seeds, args.shots, args.rows) for kind in kinds
            }
        print(label, *(_cell(rows[label][kind]) for kind in kinds), sep="  ", flush=True)
    if args.quick:
        return
    cells = tuple(
        (label, *(_cell(scores[kind]) for kind in kinds), f"{_mean(scores):.1f}")
        for label, scores in rows.items()
    )
    note = (
        f"Accuracy in percent with {' and '.join(map(str, args.shots))} labels a class, ridge / "
        f"logistic; {args.seeds} pool(s) of "
        f"{args.rows} rows of each kind x 10 draws. The last column is the mean of all others."
    )
    table = Table(("", *kinds, "mean"), cells, note)
    RESULTS.mkdir(parents=True, exist_ok=True)
    data = {"provenance": provenance(seeds=range(args.seeds)), "rows": rows}
    write_atomically(RESULTS / f"{args.name}.json", json.dumps(data, indent=1).encode())
    write_atomically(RESULTS / f"{args.name}.md", table.markdown().encode())


def _cell(scores: Scores) -> str:
    return " / ".join(f"{np.mean(values):.1f}" for values in scores.values())


def _mean(found: dict[str, Scores]) -> float:
    return float(np.mean([np.mean(list(scores.values())) for scores in found.values()]))


if __name__ == "__main__":
    main()
