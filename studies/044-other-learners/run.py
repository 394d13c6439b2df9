"""Settings of autoencoders, VICReg and the classifiers, chosen on validation glyphs.

One setting after another is varied, and a value that is better is kept (coordinate descent); of
what was tried, the first that is within `CLOSE` of the best is chosen.
"""

import dataclasses
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from laboratory import Call
from laboratory.pools import validation_pool
from metaplastic.data import Dataset
from metaplastic.evaluation import evaluate
from metaplastic.learners import (
    Autoencoder,
    LabelPropagation,
    SupervisedMLP,
    VariationalAutoencoder,
    VICReg,
)
from metaplastic.report.tables import Table

SEEDS = (0,)
POOLS = (("glyphs 14x14", 3), ("glyphs 8x8", 1))
"""Kind and seed: two tasks that the simplest learners leave much of to learn."""

N_DRAWS = 10
CLOSE = 0.1
"""In percent: what is no better than this is not worth more steps."""

Values = Mapping[str, tuple[Any, ...]]


@dataclasses.dataclass(frozen=True)
class Case:
    """A learner, where to start, and what to try of each setting, in this order."""

    make: Callable[..., Any]
    start: Mapping[str, Any]
    values: Values

    def learner(self, changes: Mapping[str, Any]) -> Any:
        """With some settings other than those it starts from."""
        return self.make(**{**self.start, **changes})


_SHARED: dict[str, tuple[Any, ...]] = {
    "learning_rate": (3e-3, 1e-2),
    "n_components": (128, 64),
    "n_steps": (300, 2000),
}
_NETWORK: dict[str, Any] = {"learning_rate": 1e-3, "n_components": 512, "n_steps": 1000}

CASES: dict[str, Case] = {
    "autoencoder": Case(
        Autoencoder,
        _NETWORK | {"mask": 0.3, "noise": 0.0},
        {"mask": (0.0, 0.5, 0.7), "noise": (0.5, 1.0)} | _SHARED,
    ),
    "vae": Case(
        VariationalAutoencoder,
        _NETWORK | {"likelihood": "bernoulli", "beta": 1.0},
        {"beta": (0.3, 0.1, 0.03)} | _SHARED,
    ),
    "vae-gaussian": Case(
        VariationalAutoencoder.gaussian,
        _NETWORK | {"likelihood": "gaussian", "beta": 1.0},
        {"beta": (0.3, 0.1, 0.03)} | _SHARED,
    ),
    "vicreg": Case(
        VICReg,
        _NETWORK | {"mask": 0.3, "noise": 0.3, "invariance": 25.0, "covariance": 1.0},
        {"mask": (0.1, 0.5), "noise": (0.0, 1.0), "covariance": (0.1, 10.0), "invariance": (5.0,)}
        | _SHARED,
    ),
    "supervised": Case(
        SupervisedMLP,
        {"learning_rate": 3e-3, "n_steps": 100, "mask": 0.3, "noise": 0.3, "weight_decay": 0.01},
        {
            "mask": (0.0, 0.5),
            "noise": (0.0, 0.6),
            "weight_decay": (0.1,),
            "learning_rate": (1e-3, 1e-2),
            "n_steps": (50, 200),
        },
    ),
    "label-propagation": Case(
        LabelPropagation,
        {"n_neighbors": 20, "alpha": 0.8, "presentation": "raw"},
        {"n_neighbors": (10, 40), "alpha": (0.2, 0.95), "presentation": ("scaled",)},
    ),
}

Rows = dict[str, dict[str, Any]]
"""By name and settings: those settings, and the accuracies in percent by pool and readout."""


def measure_learner(
    learner: Any, pools: list[Dataset], n_draws: int
) -> dict[str, dict[str, float]]:
    """Accuracies in percent and seconds of the unlabelled phase, by pool."""
    accuracies = {}
    for pool in pools:
        records = evaluate({"": learner}, pool, n_draws=n_draws, seeds=(0,))
        accuracies[pool.name] = {r.readout: round(100 * r.mean, 2) for r in records}
        accuracies[pool.name]["seconds"] = round(records[0].fit_seconds, 2)
    return accuracies


def score(accuracies: Mapping[str, Mapping[str, float]]) -> float:
    """What is to be raised: the mean over pools and readouts."""
    return float(
        np.mean([v for found in accuracies.values() for k, v in found.items() if k != "seconds"])
    )


def search(
    case: Case, tried: Callable[[Mapping[str, Any]], float]
) -> Iterator[tuple[dict[str, Any], float]]:
    """Try settings in order, yielding after each the best so far: `(changes, score)`."""
    best: dict[str, Any] = {}
    top = tried(best)
    yield best, top
    for name, values in case.values.items():
        others = [{**best, name: value} for value in values]
        for changes in others:
            score = tried(changes)
            if score > top:
                best, top = changes, score
            yield best, top


def chosen_of(rows: Rows) -> dict[str, dict[str, Any]]:
    """The settings of every learner: the first that are within `CLOSE` of its best."""
    chosen: dict[str, dict[str, Any]] = {}
    for name in CASES:
        own = [row for row in rows.values() if row["learner"] == name]
        top = max((row["score"] for row in own), default=0.0)
        close = [row["settings"] for row in own if row["score"] >= top - CLOSE]
        if close:
            chosen[name] = close[0]
    return chosen


def key_of(name: str, settings: Mapping[str, Any]) -> str:
    """Tells settings apart in the file."""
    return f"{name}: " + ", ".join(f"{k}={settings[k]}" for k in sorted(settings))


def table_of(rows: Rows, chosen: Mapping[str, Mapping[str, Any]]) -> Table:
    """Every setting that was tried; the chosen ones in bold."""
    cells, marked = [], set()
    names = [f"{kind} ({seed})" for kind, seed in POOLS]
    order = list(CASES)
    for row in sorted(rows.values(), key=lambda row: order.index(row["learner"])):
        if chosen.get(row["learner"]) == row["settings"]:
            marked.add(len(cells))
        start = CASES[row["learner"]].start
        changed = {k: v for k, v in row["settings"].items() if v != start[k]}
        shown = ", ".join(f"{k}={v}" for k, v in changed.items()) or ", ".join(
            f"{k}={v}" for k, v in start.items()
        )
        scores = [row["accuracies"][kind] for kind in names]
        cells.append(
            (
                f"{row['learner']}: {shown}",
                *(" / ".join(f"{v:.1f}" for k, v in s.items() if k != "seconds") for s in scores),
                f"{row['score']:.1f}",
                f"{np.mean([s['seconds'] for s in scores]):.1f}",
            )
        )
    note = (
        f"Accuracy in percent with 10 labels a class, ridge / logistic (or the learner's own), "
        f"{N_DRAWS} draws on one pool of 2,000 rows of each kind (seed of the task in brackets); "
        "their mean, and seconds of a fit on a shared core, compiling included. The first row of a "
        "learner says where it starts, the others what differs. In bold what was chosen."
    )
    return Table(("", *names, "mean", "fit s"), tuple(cells), note, frozenset(marked))


def arguments(parser: ArgumentParser) -> None:
    """Which learners, and whether what has been measured is kept."""
    parser.add_argument("--learner", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--resume", action="store_true", help="keep what has been measured")


def measure(call: Call) -> dict[str, Any]:
    """Vary the settings of all learners, or of those that are named."""
    pools = [
        dataclasses.replace(validation_pool(kind, seed), name=f"{kind} ({seed})")
        for kind, seed in (POOLS[1:] if call.quick else POOLS)
    ]
    resumed = not call.quick and call.options.resume and call.earlier
    rows: Rows = dict(call.earlier["rows"]) if resumed and call.earlier else {}
    for name in ("autoencoder",) if call.quick else call.options.learner:
        case = CASES[name]
        if call.quick:
            few = {"n_steps": 20} if "n_steps" in case.start else {}
            case = dataclasses.replace(case, start={**case.start, **few}, values={})
        for _ in search(case, _tried(name, case, pools, rows, 2 if call.quick else N_DRAWS)):
            call.save({"chosen": chosen_of(rows), "rows": rows})
    return {"chosen": chosen_of(rows), "rows": rows}


def _tried(
    name: str, case: Case, pools: list[Dataset], rows: Rows, n_draws: int
) -> Callable[[Mapping[str, Any]], float]:
    """The score of changed settings, measured unless `rows` has them; they are added to it."""

    def tried(changes: Mapping[str, Any]) -> float:
        settings = {**case.start, **changes}
        key = key_of(name, settings)
        if key not in rows:
            accuracies = measure_learner(case.learner(changes), pools, n_draws)
            rows[key] = {
                "learner": name,
                "settings": settings,
                "accuracies": accuracies,
                "score": score(accuracies),
            }
            print(key, f"{rows[key]['score']:.2f}", accuracies, file=sys.stderr, flush=True)
        return rows[key]["score"]

    return tried


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Every setting that was tried."""
    return {"settings": table_of(result["rows"], result["chosen"])}
