"""Rules that were taught, beside their teacher and beside what they were before: one network."""

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import Call, Table
from laboratory.pools import validation_pool
from laboratory.rules import learner_of
from metaplastic.data.sets import load_set
from metaplastic.evaluation import evaluate
from metaplastic.learners import AbstractLearner, Raw
from metaplastic.rules import load_rule
from metaplastic.trees import count_parameters

FOLDER = Path(__file__).parent
SEEDS = (0, 1)
NETWORK = {"n_networks": 1, "hidden_sizes": (64,), "n_components": 64, "activation": "relu"}
"""One network, small enough for the published rule on one core."""

PUBLIC = ("digits", "mnist14")
POOLS = ("glyphs 14x14", "silhouettes 14x14", "manifold", "table, 12 columns")
N_DRAWS = 10


def arguments(parser: ArgumentParser) -> None:
    """Some rules alone, beside the others' rows of before."""
    parser.add_argument("--rule", nargs="+", default=[], help="measure these alone")


def learners() -> dict[str, tuple[AbstractLearner, int]]:
    """What is judged by label, and the numbers of its rule (0 if it has none)."""
    rules: dict[str, Any] = {
        "base, the teacher": "base",
        "local, untrained": load_rule("local"),
        "metz2018_equivariant, untrained": _published_variant(),
    }
    rules |= {path.stem: load_rule(path) for path in sorted((FOLDER / "rules").glob("*"))}
    found: dict[str, tuple[AbstractLearner, int]] = {"raw": (Raw(), 0)}
    for label, rule in rules.items():
        numbers = count_parameters(load_rule(rule))
        found[label] = (learner_of(rule, direct=False, **NETWORK), numbers)
    return found


def _published_variant() -> Any:
    """The equivariant variant as it was before it was taught."""
    import jax

    from metaplastic.rules import Metz2018

    return Metz2018.create(
        key=jax.random.key(0), learning_rate=0.1, equivariant=True, unit_norm=True
    )


def measure(call: Call) -> dict[str, Any]:
    """Accuracy with 10 labels a class and seconds of a fit, of every rule on every set."""
    rows = dict((call.earlier or {}).get("rows", {}))
    named = getattr(call.options, "rule", [])
    for label, (learner, numbers) in learners().items():
        if named and label not in named:
            continue
        rows[label] = {"numbers": numbers, "sets": _scores(learner, call.quick)}
        print(label, rows[label], flush=True)
        call.save({"rows": rows})
    return {"rows": rows}


def _scores(learner: AbstractLearner, quick: bool) -> dict[str, dict[str, float]]:
    found = {}
    pools = [] if quick else [validation_pool(kind, 0) for kind in POOLS]
    for data in [*pools, *(load_set(name) for name in PUBLIC[: 1 if quick else None])]:
        start = time.process_time()
        records = evaluate(
            {"": learner}, data, n_draws=2 if quick else N_DRAWS, seeds=SEEDS[: 1 if quick else 2]
        )
        scores = {r.readout: round(100 * r.mean, 2) for r in records}
        errors = {f"{r.readout}_error": round(100 * r.standard_error, 2) for r in records}
        found[data.name] = {
            **scores,
            **errors,
            "fit_seconds": round(records[0].fit_seconds, 2),
            "processor_seconds": round(time.process_time() - start, 2),
        }
    return found


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Ridge and logistic accuracies of every rule on every set."""
    rows = result["rows"]
    names = list(next(iter(rows.values()))["sets"])
    cells = tuple(
        (label, f"{row['numbers']:,}" if row["numbers"] else "-", *_cells(row["sets"], names))
        for label, row in rows.items()
    )
    note = (
        f"Accuracy in percent with 10 labels a class, ridge / logistic: one network of 64-64 "
        f"units, no inputs among the features; {len(SEEDS)} seeds of {N_DRAWS} draws. The first "
        f"{len(POOLS)} are validation pools, on which was chosen; the others are public sets."
    )
    return {"rules": Table(("", "numbers", *names), cells, note)}


def _cells(sets: Mapping[str, Mapping[str, float]], names: list[str]) -> list[str]:
    return [
        f"{sets[n]['ridge']:.1f} / {sets[n]['logistic']:.1f}" if n in sets else "" for n in names
    ]


def draw(result: Mapping[str, Any]) -> Any:
    """Mean ridge accuracy against the numbers of a rule."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.subplots()
    for label, row in result["rows"].items():
        score = sum(s["ridge"] for s in row["sets"].values()) / len(row["sets"])
        if not row["numbers"]:
            axes.axhline(score, color="grey", linestyle=":")
            axes.annotate(f"{label} {score:.1f}", (200, score), fontsize=8, va="bottom")
            continue
        at, colour = (row["numbers"], score), "tab:red" if "untrained" in label else "tab:blue"
        axes.plot(*at, "o", color=colour)
        text = f"{label} {score:.1f}"
        axes.annotate(text, at, (4, 4), textcoords="offset points", fontsize=8)
    axes.set(xscale="log", xlim=(180, 400_000), xlabel="numbers in the rule")
    axes.set_ylabel("accuracy (%), ridge, mean of sets")
    return figure
