"""Where the defaults of `RuleTransformer` come from: `base` on validation glyphs.

One setting is varied at a time.

Pools of glyphs of the validation families (kept out of meta-training for such choices), never a
set on which results are reported: ten classes as in meta-training, at 14x14 and 8x8 pixels; at
14x14 with stronger deformation, as no font varies as handwriting does; 50 plain classes at 16x16.
Writes `docs/results/defaults.json` and `docs/results/defaults.md`.
"""

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from pools import glyph_pool

from metaplastic.data import Dataset
from metaplastic.files import write_atomically
from metaplastic.learners import PCA, AbstractLearner, KMeansTriangle, RuleLearner
from metaplastic.meta.evaluation import evaluate
from metaplastic.meta.records import provenance
from metaplastic.models import scaling
from metaplastic.report.tables import Table
from metaplastic.rules.catalog import load_rule
from metaplastic.tasks import Augmentation

RESULTS = Path(__file__).parents[1] / "docs" / "results"
KINDS = ("14x14", "8x8", "14x14 deformed", "16x16 plain")
SEEDS = (0, 1)
ROWS = 2500
CHANGES: tuple[dict[str, object], ...] = (
    {},
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


def pool(kind: str, seed: int) -> Dataset:
    """`ROWS` images of ten classes, of 50 if they are plain."""
    options: dict[str, Any] = {}
    if kind.endswith("deformed"):
        strong = Augmentation(rotation=0.3, shear=0.4, elastic=0.08, noise=0.0)
        options = {"augmentation": strong, "strength": 1.0}
    elif kind.endswith("plain"):
        options = {"strength": 0.0, "n_classes": 50}
    side = int(kind.split("x")[0])
    return glyph_pool(f"glyphs {kind}", "validation", seed=seed, n_rows=ROWS, side=side, **options)


def cases(rule: str) -> Iterator[tuple[str, AbstractLearner, int]]:
    """Label, learner and order of the spread in the inputs' presentation."""
    default = RuleLearner(load_rule(rule))
    for change in CHANGES:
        label = ", ".join(f"{k}={v}" for k, v in change.items()) or "defaults"
        yield label, dataclasses.replace(default, **change), scaling.ORDER
    for value in ORDERS:
        yield f"order={value}", default, value
    yield "PCA-64", PCA(64), scaling.ORDER
    yield "k-means-400", KMeansTriangle(400), scaling.ORDER


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two cases, one pool, writes nothing")
    parser.add_argument("--rule", default="base", help="a name, or a rule file (base)")
    args = parser.parse_args()
    quick = args.quick
    pools = [pool(kind, seed) for kind in KINDS for seed in (SEEDS[:1] if quick else SEEDS)]
    rows = []
    for label, learner, order in list(cases(args.rule))[: 2 if quick else None]:
        scores: dict[str, list[float]] = {}
        with mock.patch.object(scaling, "ORDER", order):
            for found in pools:
                for r in evaluate({label: learner}, found, n_draws=10, seeds=(0,)):
                    scores.setdefault(f"{r.dataset} {r.readout}", []).append(100 * r.mean)
        rows.append((label, scores))
        print(label, {k: round(float(np.mean(v)), 1) for k, v in scores.items()}, flush=True)
    if quick:
        return
    columns = list(rows[0][1])
    cells = tuple(
        (label, *(f"{np.mean(s[c]):.1f} ± {np.std(s[c]) / len(s[c]) ** 0.5:.1f}" for c in columns))
        for label, s in rows
    )
    note = (
        f"Accuracy in percent with 10 labels a class, {len(SEEDS)} pools of {ROWS} x 10 draws; "
        "± is the standard error over pools. One setting is varied at a time."
    )
    table = Table(("setting", *columns), cells, note)
    RESULTS.mkdir(parents=True, exist_ok=True)
    data = {"provenance": provenance(seeds=SEEDS), "rows": dict(rows)}
    write_atomically(RESULTS / "defaults.json", json.dumps(data, indent=1).encode())
    write_atomically(RESULTS / "defaults.md", table.markdown().encode())


if __name__ == "__main__":
    main()
