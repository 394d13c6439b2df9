"""Rules that a wider one taught: accuracy against hidden units, and two presets beside it."""

import dataclasses
import shutil
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from laboratory import Call, Table
from laboratory.pools import KINDS, validation_pool
from laboratory.runs import run_table, updates_of
from metaplastic.data import Dataset
from metaplastic.data.sets import load_set
from metaplastic.errors import MissingDataError
from metaplastic.evaluation import evaluate
from metaplastic.learners import RuleLearner
from metaplastic.meta.run import RunOptions
from metaplastic.presets import Preset, load_preset
from metaplastic.presets.io import BASE
from metaplastic.recipes.config import change_recipe, named_recipe
from metaplastic.recipes.training import distilled, run_recipe
from metaplastic.report import Line, line_figure
from metaplastic.rules import AbstractUpdateRule, LocalRule, RuleSet, load_rule
from metaplastic.rules.local import narrowed
from metaplastic.trees import count_parameters

FOLDER = Path(__file__).parent
SEEDS = (0,)
HIDDEN = (1, 2, 4, 8, 16, 24)
CHANNELS = ((4, 4), (2, 4), (1, 4), (4, 2), (4, 1), (2, 2), (1, 1))
"""Messages and factors of a rule of `SMALL` hidden units; the teacher has four of each."""

TEACHER = "base-0.1"
"""Whose rules teach; settings are those of `base` for all."""

SMALL, HALF = 8, 24
FURTHER = FOLDER / "further"
"""A short meta-training that began where teaching ended."""

STAGES: Mapping[tuple[int, str], tuple[tuple[int, float], ...]] = {
    (SMALL, "main"): ((1500, 3e-3),),
    (SMALL, "bounded"): ((700, 3e-3), (1000, 1.5e-3)),
    (HALF, "main"): ((600, 3e-3),),
    (HALF, "bounded"): ((600, 3e-3),),
    (HALF, "sparse"): ((1500, 3e-3),),
}
"""Updates and rates by hidden units and role; a stage goes on from the one before."""

READINGS = ("ridge", "logistic", "graph", "auto")
CURVE_KINDS = ("glyphs 14x14", "strokes 14x14")
"""Pools of one number of columns, which share a compiled program."""

SETS = ("mnist14", "fashion14", "digits", "iris", "wine", "breast_cancer", "movie_snippets")
DRAWS, QUICK_DRAWS, QUICK_ROWS = 10, 2, 200
CURVE_UPDATES, CURVE_SHAPES = 400, 1
STUDENTS = {"all terms": "local", "no lateral terms": "local_strict"}
"""That start untrained, unlike those of the curve."""

WINDOW = 25


def arguments(parser: ArgumentParser) -> None:
    """Which part, and runs that are there already."""
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--runs", type=Path, help="folder of runs ROLE-HIDDEN-STAGE (teach anew)")


def measure(call: Call) -> dict[str, Any]:
    """Every part that is asked for; the others stay as they were measured."""
    found: dict[str, Any] = {}
    if not call.quick and call.earlier:
        found = {name: call.earlier[name] for name in PARTS if name in call.earlier}
    parts = list(PARTS) if call.quick else call.options.parts
    for name in parts:
        earlier = found.get(name, {})
        if name in ("pools", "public") and "roles" in parts:  # The rules may be others now.
            earlier = {"48": earlier.get("48", {})}
        found[name] = PARTS[name](call, earlier)
        call.save(found)
    return found


def _curve(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    """The main rule cut to fewer hidden units, before and after a short teaching."""
    for hidden in (1,) if call.quick else HIDDEN:
        found[str(hidden)] = _shortly(call, f"curve-{hidden}", hidden)
        call.save({**(call.earlier or {}), "curve": found})
    return found


def _channels(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    """The same with `SMALL` hidden units and fewer messages and factors."""
    for messages, factors in CHANNELS[-1:] if call.quick else CHANNELS:
        name = f"channels-{messages}-{factors}"
        found[f"{messages}-{factors}"] = _shortly(call, name, SMALL, messages, factors)
        call.save({**(call.earlier or {}), "channels": found})
    return found


def _shortly(
    call: Call, name: str, hidden: int, messages: int = 4, factors: int = 4
) -> dict[str, Any]:
    """A rule cut to so many units, messages and factors, before and after a short teaching."""
    run = _runs(call) / name
    if not run.exists():
        few = 2 if call.quick else CURVE_UPDATES
        sizes = (f"n_messages={messages}", f"n_factors={factors}")
        _teach(run, "main", hidden, few, CURVE_SHAPES, changes=sizes)
    main = load_preset(TEACHER).rules.main
    assert isinstance(main, LocalRule)
    before = narrowed(main, hidden, messages, factors)
    taught = load_rule(run / "rule.safetensors")
    return {
        "numbers": count_parameters(taught),
        "losses": _smooth([u["loss"] for u in updates_of(run)]),
        "seconds": updates_of(run)[-1]["seconds"],
        "before": _on_pools(call, _with_main(before), CURVE_KINDS),
        "after": _on_pools(call, _with_main(taught), CURVE_KINDS),
    }


def _terms(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    """Fresh rules of `SMALL` hidden units with and without lateral terms, taught as briefly."""
    for name, student in STUDENTS.items():
        run = _runs(call) / f"terms-{student}"
        if not run.exists():
            updates = 2 if call.quick else CURVE_UPDATES
            _teach(run, "main", SMALL, updates, CURVE_SHAPES, start=student)
        taught = load_rule(run / "rule.safetensors")
        found[name] = {
            "numbers": count_parameters(taught),
            "losses": _smooth([u["loss"] for u in updates_of(run)]),
            "after": _on_pools(call, _with_main(taught), CURVE_KINDS),
        }
    return found


def _with_main(rule: AbstractUpdateRule) -> Preset:
    """The teacher's rules with another main rule."""
    return _preset(dataclasses.replace(load_preset(TEACHER).rules, main=rule))


def _preset(rules: RuleSet) -> Preset:
    return dataclasses.replace(load_preset(BASE), rules=rules)


def _presets() -> dict[str, Preset]:
    """The teacher's rules, and those that are kept here in their place, by hidden units."""
    rules = load_preset(TEACHER).rules
    found = {"48": _preset(rules)}
    for hidden in (HALF, SMALL):
        roles = [role for units, role in STAGES if units == hidden]
        kept = {role: load_rule(_kept(hidden) / f"{role}.safetensors") for role in roles}
        found[str(hidden)] = _preset(dataclasses.replace(rules, **kept))
    return found


def _kept(hidden: int) -> Path:
    return FOLDER if hidden == SMALL else FOLDER / str(hidden)


def _roles(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    """Every rule of the teacher taught to fewer hidden units; the rules are kept here.

    Stages before the last whose runs are gone stay as they were measured.
    """
    for (hidden, role), stages in list(STAGES.items())[: 1 if call.quick else None]:
        names = [f"{role}-{hidden}-{number}" for number in range(1, len(stages) + 1)]
        runs = [_runs(call) / name for name in names]
        start = ""
        for name, run, (updates, rate) in zip(names, runs, stages, strict=True):
            if not (run.exists() or runs[-1].exists()):
                few = 2 if call.quick else updates
                _teach(run, role, hidden, few, few // 2 if call.quick else 0, start, rate)
            start = str(run / "rule.safetensors")
            if run.exists():
                each = updates_of(run)
                found[name] = {
                    "updates": len(each),
                    "seconds": each[-1]["seconds"],
                    "losses": _smooth([u["loss"] for u in each]),
                }
        if not call.quick:
            _kept(hidden).mkdir(exist_ok=True)
            shutil.copy(start, _kept(hidden) / f"{role}.safetensors")
    return found


def _pools(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    """Every kind of validation pool, under every reading; what result.json has stays."""
    rows = {"n_rows": QUICK_ROWS} if call.quick else {}
    for kind in KINDS[-1:] if call.quick else KINDS:
        _beside(call, found, kind, lambda kind=kind: validation_pool(kind, 0, **rows))
    return found


def _further(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    """The main rule of `SMALL` units after a short meta-training, on the same pools."""
    small = _presets()[str(SMALL)]
    rules = dataclasses.replace(small.rules, main=load_rule(FURTHER / "rule.safetensors"))
    for kind in KINDS[-1:] if call.quick else KINDS:
        if kind not in found:
            rows = {"n_rows": QUICK_ROWS} if call.quick else {}
            found[kind] = _accuracies(call, _preset(rules), validation_pool(kind, 0, **rows))
            call.save({**(call.earlier or {}), "further": found})
    return found


def _public(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    """The same on public sets; a report, not a choice."""
    for key in ("wine",) if call.quick else SETS:
        try:
            _beside(call, found, key, lambda key=key: load_set(key))
        except MissingDataError as error:
            print(f"{key} is left out: {error}", file=sys.stderr)
    return found


def _beside(call: Call, found: dict[str, Any], name: str, load: Callable[[], Dataset]) -> None:
    """All presets on one set, those that `found` has not."""
    for hidden, preset in _presets().items():
        own = found.setdefault(hidden, {})
        if name not in own:
            own[name] = _accuracies(call, preset, load())


def _seconds(call: Call, found: dict[str, Any]) -> dict[str, Any]:
    """Processor seconds of a later fit to 5,000 rows of 196 columns."""
    rows = 300 if call.quick else 5000
    x = np.random.default_rng(0).random((rows, 196), np.float32)
    for name, preset in _presets().items():
        learner = RuleLearner(preset)
        learner.fit(x, seed=0)
        seconds = []
        for seed in (1,) if call.quick else (1, 2, 3):
            start = time.process_time()
            learner.fit(x, seed=seed)
            seconds.append(time.process_time() - start)
        found[name] = {"seconds": seconds}
    return found


def _on_pools(call: Call, preset: Preset, kinds: Sequence[str]) -> dict[str, Any]:
    """Accuracies by kind of pool."""
    kinds = kinds[-1:] if call.quick else kinds
    rows = {"n_rows": QUICK_ROWS} if call.quick else {}
    return {kind: _accuracies(call, preset, validation_pool(kind, 0, **rows)) for kind in kinds}


def _accuracies(call: Call, preset: Preset, data: Dataset) -> dict[str, float]:
    """Percent by reading with 10 labels a class."""
    draws = QUICK_DRAWS if call.quick else DRAWS
    learner = {"": RuleLearner(preset)}
    records = evaluate(learner, data, n_draws=draws, seeds=SEEDS, readouts=READINGS, max_test=1000)
    found = {record.readout: round(100 * record.mean, 2) for record in records}
    print(preset.name, count_parameters(preset.rules.main), data.name, found, flush=True)
    return found


def _smooth(losses: Sequence[float]) -> list[float]:
    """Means over `WINDOW` updates."""
    whole = np.asarray(losses[: len(losses) // WINDOW * WINDOW or None])
    return np.round(whole.reshape(-1, min(WINDOW, len(whole))).mean(1), 4).tolist()


PARTS = {
    "curve": _curve,
    "channels": _channels,
    "terms": _terms,
    "roles": _roles,
    "pools": _pools,
    "further": _further,
    "public": _public,
    "seconds": _seconds,
}


def _runs(call: Call) -> Path:
    """Where runs are or are made; a quick call leaves nothing there."""
    if call.quick:
        return Path(tempfile.mkdtemp())
    return getattr(call.options, "runs", None) or Path("runs/501")


def _teach(
    run: Path,
    role: str,
    hidden: int,
    updates: int,
    shapes: int = 0,
    start: str = "",
    rate: float = 3e-3,
    changes: Sequence[str] = (),
) -> None:
    """One run of `metaplastic distill base-0.1`, on the first `shapes` shapes if not 0.

    The student is the cut teacher, a fresh one by name, or the rule in the file `start`.
    """
    said = [*changes, f"hidden={hidden}", f"teaching.role={role}", f"outer.learning_rate={rate}"]
    said += [f"outer.n_updates={updates}", f"outer.warmup={min(updates - 1, 20)}"]
    if start and start not in STUDENTS.values():
        # A rule that is not told outputs stays one.
        said += [f"with_outputs={str(role == 'bounded').lower()}"]
    recipe = change_recipe(named_recipe("taught"), said)
    recipe = distilled(recipe, TEACHER, start or "narrowed")
    if shapes:
        recipe = dataclasses.replace(recipe, shapes=recipe.shapes[:shapes])
    run_recipe(recipe, run, RunOptions(keep_tasks=False), validate=False)


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Hidden units and terms; fewer beside 48 on pools and on public sets; seconds."""
    sets = {"pools": "validation pools", "public": "public sets"}
    found = {name: _apart(result[name], what) for name, what in sets.items() if name in result}
    if "curve" in result:
        found["hidden"] = _cut_table(("hidden units",), result["curve"])
    if "channels" in result:
        found["channels"] = _cut_table(("messages", "factors"), result["channels"])
    if "terms" in result:
        found["terms"] = _with_terms(result["terms"])
    if "further" in result and "pools" in result:
        found["runs"] = run_table(FOLDER, {"further": "meta-trained"})
        found["further"] = _meta_trained(result["pools"][str(SMALL)], result["further"])
    if "roles" in result:
        found["roles"] = _taught(result["roles"])
    if "seconds" in result:
        found["seconds"] = _times(result)
    return found


def _taught(roles: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            *name.split("-"),
            str(one["updates"]),
            f"{one['seconds']:.0f}",
            *(f"{one['losses'][i]:.2f}" for i in (0, -1)),
        )
        for name, one in sorted(roles.items())
    )
    note = (
        f"Means of the first and of the last {WINDOW} updates. Seconds include compiling, on a "
        "core shared with other work."
    )
    stage = ("updates", "seconds", "first mismatch", "last")
    return Table(("rule", "hidden units", "stage", *stage), rows, note)


def _cut_table(sizes: tuple[str, ...], curve: Mapping[str, Any]) -> Table:
    rows = [
        (
            *name.split("-"),
            str(one["numbers"]),
            *(f"{_mean(one[when]):.1f}" for when in ("before", "after")),
            f"{one['losses'][-1]:.3f}",
            f"{one['seconds']:.0f}",
        )
        for name, one in curve.items()
    ]
    note = (
        f"Accuracy in percent under ridge, mean of {len(CURVE_KINDS)} kinds of pools of images, "
        f"{DRAWS} draws each, after {CURVE_UPDATES} updates on letters of 14x14 alone. Seconds "
        "include compiling, on a core shared with other work."
    )
    header = (*sizes, "numbers", "cut", "cut and taught", "loss", "seconds")
    return Table(header, tuple(rows), note)


def _with_terms(terms: Mapping[str, Any]) -> Table:
    rows = tuple(
        (name, str(one["numbers"]), f"{_mean(one['after']):.1f}", f"{one['losses'][-1]:.3f}")
        for name, one in terms.items()
    )
    note = (
        f"As above, for rules of {SMALL} hidden units that started untrained. Without lateral "
        "terms a change depends on the two units and the messages alone."
    )
    return Table(("", "numbers", "taught", "loss"), rows, note)


def _apart(found: Mapping[str, Any], what: str) -> Table:
    first, *others = found.values()
    rows = []
    for name, own in first.items():
        apart = [" / ".join(f"{o[name][r] - own[r]:+.1f}" for r in READINGS) for o in others]
        rows.append((name, " / ".join(f"{own[r]:.1f}" for r in READINGS), *apart))
    means = [
        " / ".join(f"{np.mean([o[n][r] - first[n][r] for n in first]):+.2f}" for r in READINGS)
        for o in others
    ]
    rows.append(("mean", "", *means))
    note = (
        f"Accuracy in percent with 10 labels a class on {what}, {DRAWS} draws of labels, "
        f"{' / '.join(READINGS)}: with rules of 48 hidden units, and how far fewer are from them. "
        "With 8, sparse inputs have the rule of 48."
    )
    header = ("", "48", *(f"{hidden}" for hidden in list(found)[1:]))
    return Table(header, tuple(rows), note)


def _meta_trained(before: Mapping[str, Any], after: Mapping[str, Any]) -> Table:
    rows = []
    for kind in [kind for kind in after if kind in before]:
        own = " / ".join(f"{before[kind][r]:.1f}" for r in READINGS)
        rows.append(
            (kind, own, " / ".join(f"{after[kind][r] - before[kind][r]:+.1f}" for r in READINGS))
        )
    leads = [np.mean([after[k][r] - before[k][r] for k in after]) for r in READINGS]
    rows.append(("mean", "", " / ".join(f"{lead:+.2f}" for lead in leads)))
    note = (
        f"As above: rules of {SMALL} hidden units as they were taught, and how far the main one is "
        "from that after the meta-training."
    )
    return Table(("", "taught", "meta-trained"), tuple(rows), note)


def _times(result: Mapping[str, Any]) -> Table:
    found = result["seconds"]
    rows = tuple((name, f"{np.median(one['seconds']):.2f}") for name, one in found.items())
    note = "Processor seconds of a later fit to 5,000 rows of 196 columns, one thread, median."
    return Table(("hidden units", "seconds"), rows, note)


def draw(result: Mapping[str, Any]) -> Any:
    """The mismatch in the first stage of every rule."""
    lines = []
    for name, one in result["roles"].items():
        role, hidden, stage = name.split("-")
        if stage == "1":
            updates = [WINDOW * (i + 1) for i in range(len(one["losses"]))]
            lines.append(Line(f"{role}, {hidden} units", updates, one["losses"]))
    return line_figure({"": lines}, x_label="updates", y_label="mismatch", columns=1, height=2.8)


def _mean(by_kind: Mapping[str, Mapping[str, float]]) -> float:
    return float(np.mean([one["ridge"] for one in by_kind.values()]))
