"""The published rule taught by `base`: one network, beside its teacher, inputs and autoencoders."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from laboratory import STUDIES, Call, Table
from laboratory.pools import validation_pool
from laboratory.public_sets import load
from laboratory.rules import learner_of
from laboratory.runs import updates_of
from metaplastic.evaluation import Judged, Record, evaluate
from metaplastic.evaluation.registry import Network, learners
from metaplastic.learners import AbstractLearner
from metaplastic.report import Line, line_figure
from metaplastic.rules import load_rule

FOLDER = Path(__file__).parent
SEEDS = (0, 1, 2)
DRAWS, SHOTS = 30, 10
SETS = ("mnist14", "digits", "glyphs_heldout_scripts", "fashion14")
POOLS = ("strokes 14x14", "glyphs 14x14")
STEPS = (60, 100, 200)
"""Of which one is chosen, on `POOLS`."""

NETWORK: dict[str, Any] = {
    "hidden_sizes": (64, 64),
    "batch_size": 64,
    "activation": "relu",
}
OTHERS = ("raw", "vae", "autoencoder")
"""Measured by study 007, with the same draws."""

RENDERED = "glyphs_heldout_scripts"
"""A set that depends on the fonts of the machine: there the others are measured anew."""

TAUGHT, EQUIVARIANT = "as published, taught", "equivariant, taught"
RULES = {
    "as published, untrained": "metz2018",
    TAUGHT: str(FOLDER / "taught.safetensors"),
    "equivariant, untrained": "metz2018_equivariant",
    EQUIVARIANT: str(FOLDER / "equivariant.safetensors"),
    "the teacher": "base",
}
FORMS = {"published": TAUGHT, "equivariant": EQUIVARIANT}
"""Options for runs, and what they taught."""

SIDE_BY_SIDE = 8
EIGHT = {
    "equivariant, taught, 8 networks": str(FOLDER / "equivariant.safetensors"),
    "the teacher, 8 networks": "base",
}
"""Measured with one seed of the features."""

UNITS, TOP = 48, 32
"""Top units, and those of the rule as published."""

WINDOW = 25


def arguments(parser: ArgumentParser) -> None:
    """Runs that are there already."""
    for name, form in FORMS.items():
        words = f"directories of the runs of the {form} rule, in order"
        parser.add_argument(f"--{name}", type=Path, nargs="+", help=words)
    parser.add_argument("--sets", nargs="+", default=list(SETS), help="names of `data list`")


def measure(call: Call) -> dict[str, Any]:
    """The number of steps is chosen on pools; then every set is reported."""
    found: dict[str, Any] = dict(call.earlier or {}) if not call.quick else {}
    for name, form in FORMS.items():
        runs = None if call.quick else getattr(call.options, name)
        if runs:
            updates = [updates_of(run) for run in runs]
            losses = np.asarray([u["loss"] for each in updates for u in each])
            whole = losses[: len(losses) // WINDOW * WINDOW].reshape(-1, WINDOW)
            found.setdefault("losses", {})[form] = np.round(whole.mean(1), 4).tolist()
            found.setdefault("seconds", {})[form] = sum(each[-1]["seconds"] for each in updates)
    if "pools" not in found:
        found["pools"] = _steps(call)
        call.save(found)
    steps = chosen(found["pools"])
    records = found.setdefault("records", {})
    for name in ("digits",) if call.quick else call.options.sets:
        own = records.setdefault(name, {})
        for label, learner in _learners(name, steps, call).items():
            if label not in own:
                in_place = label in (TAUGHT, EQUIVARIANT) and name == SETS[0]
                few_seeds = label in EIGHT
                own[label] = _of(call, name, learner, in_place=in_place, few_seeds=few_seeds)
                print(name, label, own[label], flush=True)
                call.save(found)
    return found


def _learner(name: str, steps: int, n_networks: int = 1) -> AbstractLearner:
    """Networks without direct features."""
    rule = load_rule(name)
    units = n_networks * (TOP if rule.n_top else UNITS)
    network = {**NETWORK, "n_networks": n_networks}
    return learner_of(rule, direct=False, n_steps=steps, n_components=units, **network)


def _learners(name: str, steps: int, call: Call) -> dict[str, Judged]:
    if call.quick:
        return {"equivariant, untrained": _learner("metz2018_equivariant", 2)}
    found: dict[str, Judged] = dict(learners((), OTHERS, Network()) if name == RENDERED else {})
    found |= {label: _learner(rule, steps) for label, rule in RULES.items()}
    return found | {label: _learner(rule, steps, SIDE_BY_SIDE) for label, rule in EIGHT.items()}


def _of(
    call: Call, name: str, learner: Judged, *, in_place: bool, few_seeds: bool
) -> dict[str, Any]:
    """Percent and standard error by readout, columns permuted; and not, if `in_place`."""
    draws, seeds = (2, (0,)) if call.quick else (DRAWS, SEEDS[:1] if few_seeds else SEEDS)
    data = load(name)
    found: dict[str, Any] = {}
    for permute in (True, False) if in_place else (True,):
        records = evaluate({"": learner}, data, n_draws=draws, seeds=seeds, permute=permute)
        found |= {_key(r, permute): [100 * r.mean, 100 * r.standard_error] for r in records}
    return found


def _key(record: Record, permute: bool) -> str:
    return record.readout if permute else f"{record.readout}, in place"


def _steps(call: Call) -> dict[str, dict[str, float]]:
    """Accuracy under ridge on validation pools by the number of steps."""
    found: dict[str, dict[str, float]] = {}
    for kind in POOLS[:1] if call.quick else POOLS:
        pool = validation_pool(kind, 0, 200 if call.quick else 2000)
        names = (
            {"": "metz2018_equivariant"}
            if call.quick
            else {k: RULES[k] for k in (TAUGHT, EQUIVARIANT)}
        )
        for steps in (2,) if call.quick else STEPS:
            for label, name in names.items():
                records = evaluate(
                    {"": _learner(name, steps)},
                    pool,
                    n_draws=2 if call.quick else DRAWS,
                    seeds=(0,),
                    readouts=("ridge",),
                )
                of = f"{kind}: {label}" if label else kind
                found.setdefault(str(steps), {})[of] = round(100 * records[0].mean, 2)
                print(of, steps, found[str(steps)][of], flush=True)
    return found


def chosen(pools: Mapping[str, Mapping[str, float]]) -> int:
    """The number of steps with the best mean."""
    return int(max(pools, key=lambda steps: np.mean(list(pools[steps].values()))))


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Accuracy by set, and the choice of the number of steps."""
    records = result["records"]
    page = STUDIES / "007-paper-experiments" / "page" / "few-shot.json"
    known = {
        (r["learner"], r["dataset"], r["readout"]): [100 * r["mean"], 100 * r["standard_error"]]
        for r in json.loads(page.read_text("utf-8"))["result"]["rows"]
        if r["shots"] == SHOTS
    }
    rows = []
    for label in OTHERS:
        cells = [
            [of.get(label, {}).get(r) or known[label, name, r] for r in ("ridge", "logistic")]
            for name, of in records.items()
        ]
        rows.append((label, *map(_cell, cells)))
    for label in (*RULES, *EIGHT):
        if any(label not in of for of in records.values()):  # a quick call has one alone
            continue
        cells = [[records[name][label][r] for r in ("ridge", "logistic")] for name in records]
        rows.append((label, *map(_cell, cells)))
    for label in (TAUGHT, EQUIVARIANT):
        first = records.get(SETS[0], {}).get(label, {})
        if "ridge, in place" in first:
            cell = _cell([first[f"{r}, in place"] for r in ("ridge", "logistic")])
            rows.append((f"{label}, pixels in place", cell, *[""] * (len(records) - 1)))
    note = (
        "Accuracy in percent with 10 labels a class, ridge / logistic, 3 seeds x 30 draws, the "
        "standard error under ridge in brackets. One network of 64-64-48 units (as published: "
        f"64-64-32) without direct features, {chosen(result['pools'])} steps. The first "
        "three rows have more features; they are of study 007 where they can be. Eight networks "
        "have one seed of the features."
    )
    sets = Table(("", *records), tuple(rows), note)
    kinds = list(next(iter(result["pools"].values())))
    steps = Table(
        ("steps", *kinds),
        tuple((n, *(f"{one[k]:.1f}" for k in kinds)) for n, one in result["pools"].items()),
        "Accuracy in percent under ridge on validation pools, by which the number was chosen.",
    )
    return {"sets": sets, "steps": steps}


def _cell(both: list[list[float]]) -> str:
    (ridge, error), (logistic, _) = both
    return f"{ridge:.1f} / {logistic:.1f} ({error:.1f})"


def draw(result: Mapping[str, Any]) -> Any:
    """What teaching did: the mismatch by updates."""
    lines = [
        Line(form, [WINDOW * (i + 1) for i in range(len(losses))], losses)
        for form, losses in result["losses"].items()
    ]
    return line_figure({"": lines}, x_label="updates", y_label="mismatch", columns=1, height=2.6)
