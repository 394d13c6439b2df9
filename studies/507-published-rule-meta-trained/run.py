"""The published rule and its variant, taught and then meta-trained: pools to choose on, public
sets."""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from laboratory import STUDIES, Call, Table
from laboratory.pools import validation_pool
from laboratory.public_sets import load
from laboratory.rules import learner_of
from laboratory.runs import run_figure, run_table, updates_of
from metaplastic.data import Dataset
from metaplastic.evaluation import evaluate
from metaplastic.rules import load_rule

FOLDER = Path(__file__).parent
RUNS = {"run": "first", "more": "second", "slow": "third", "variant": "variant"}
"""Folders of runs, and what tables call them."""

TAUGHT = STUDIES / "503-published-rule-taught"
STARTS: Mapping[str, Path | str] = {
    "run": TAUGHT / "taught.safetensors",
    "more": "metz2018_taught",
    "slow": "metz2018_taught",
    "variant": TAUGHT / "equivariant.safetensors",
}
TOPS = {"run": 32, "more": 32, "slow": 32, "variant": 48}
"""Units at the top."""

SEEDS = (0, 1, 2)
DRAWS, SHOTS = 30, 10
POOLS = ("glyphs 14x14", "glyphs deformed", "strokes 14x14", "silhouettes 14x14")
OTHER_POOLS = ("glyphs 8x8", "glyphs plain", "strokes 8x8", "pictures")
"""On which the first and the last rule of a run are compared too."""

POOL_ROWS = 2000
PUBLIC = ("mnist14", "digits", "fashion14", "glyphs_heldout_scripts")
STEPS = 200
"""Inner steps, as study 503 chose them."""

OTHER_STEPS = (100, 300, 400)

EVERY = 200
"""Updates after which a rule is looked at."""

SIDE_BY_SIDE = 8
READINGS = ("ridge", "logistic")
NETWORK: dict[str, Any] = {"hidden_sizes": (64, 64), "batch_size": 64, "activation": "relu"}


def arguments(parser: ArgumentParser) -> None:
    """The runs and what is measured."""
    known = ", ".join(RUNS)
    words = f"directories of runs, with their rules by update; names are {known}"
    parser.add_argument("--runs", nargs="+", default=[], metavar="NAME=DIRECTORY", help=words)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))


def measure(call: Call) -> dict[str, Any]:
    """Every part that is asked for; the others, and what they have already, stay."""
    found: dict[str, Any] = {} if call.quick else dict(call.earlier or {})
    words = ["variant="] if call.quick else call.options.runs
    for name, _, folder in (word.partition("=") for word in words):
        for part in PARTS if call.quick else call.options.parts:
            own = found.setdefault(part, {}).setdefault(name, {})
            PARTS[part](call, name, _rules(name, folder), own)
            call.save(found)
    return found


def _pools(call: Call, run: str, rules: Mapping[str, Path | str], found: dict[str, Any]) -> None:
    """The rule that the run began from, and those after updates, on validation pools."""
    _on_pools(call, run, POOLS, rules, found)


def _others(call: Call, run: str, rules: Mapping[str, Path | str], found: dict[str, Any]) -> None:
    """The first and the last of them on pools of other kinds."""
    labels = list(rules)
    ends = {label: rules[label] for label in (labels[0], labels[-1])}
    _on_pools(call, run, OTHER_POOLS, ends, found)


def _on_pools(
    call: Call,
    run: str,
    kinds: Sequence[str],
    rules: Mapping[str, Path | str],
    found: dict[str, Any],
) -> None:
    for kind in kinds[:1] if call.quick else kinds:
        pool = validation_pool(kind, 0, 200 if call.quick else POOL_ROWS)
        for label, file in rules.items():
            own = found.setdefault(label, {})
            if kind not in own:
                own[kind] = _of(call, run, file, pool, SEEDS[:1])
                print(run, kind, label, own[kind], flush=True)


def _steps(call: Call, run: str, rules: Mapping[str, Path | str], found: dict[str, Any]) -> None:
    """The last rule after other numbers of inner steps."""
    file = list(rules.values())[-1]
    for steps in () if call.quick else OTHER_STEPS:
        own = found.setdefault(f"{steps} steps", {})
        for kind in POOLS:
            if kind not in own:
                pool = validation_pool(kind, 0, POOL_ROWS)
                own[kind] = _of(call, run, file, pool, SEEDS[:1], steps=steps)
                print(run, kind, steps, own[kind], flush=True)


def _public(call: Call, run: str, rules: Mapping[str, Path | str], found: dict[str, Any]) -> None:
    """The first and the last of them on public sets, the last with pixels in place: a report."""
    labels = list(rules)
    for name in PUBLIC[1:2] if call.quick else PUBLIC:
        for label in dict.fromkeys((labels[0], labels[-1])):
            own = found.setdefault(label, {})
            if name not in own:
                own[name] = _of(call, run, rules[label], load(name), SEEDS)
                print(run, name, label, own[name], flush=True)
    own = found.setdefault(f"{labels[-1]}, pixels in place", {})
    if not call.quick and PUBLIC[0] not in own:
        data = load(PUBLIC[0])
        own[PUBLIC[0]] = _of(call, run, rules[labels[-1]], data, SEEDS, permute=False)


def _eight(call: Call, run: str, rules: Mapping[str, Path | str], found: dict[str, Any]) -> None:
    """Networks of the last rule of the variant side by side, one seed of the features."""
    label, file = list(rules.items())[-1]
    for name in () if call.quick or run != "variant" else PUBLIC:
        own = found.setdefault(f"{label}, {SIDE_BY_SIDE} networks", {})
        if name not in own:
            own[name] = _of(call, run, file, load(name), SEEDS[:1], SIDE_BY_SIDE)
            print(run, name, own[name], flush=True)


PARTS = {"pools": _pools, "others": _others, "steps": _steps, "public": _public, "eight": _eight}


def _rules(name: str, folder: str) -> dict[str, Path | str]:
    """Rule files by the number of updates."""
    start: dict[str, Path | str] = {"0": STARTS[name]}
    if not folder:
        return start
    run = Path(folder)
    done = updates_of(run)[-1]["step"]
    kept = {
        str(n): run / "rules" / f"updates-{n:06}.safetensors" for n in range(EVERY, done, EVERY)
    }
    return {**start, **kept, str(done): run / "rule.safetensors"}


def _of(
    call: Call,
    run: str,
    file: Path | str,
    data: Dataset,
    seeds: tuple[int, ...],
    n_networks: int = 1,
    *,
    permute: bool = True,
    steps: int = STEPS,
) -> dict[str, list[float]]:
    """Percent and standard error by readout; networks without direct features."""
    learner = learner_of(
        load_rule(file),
        direct=False,
        n_steps=2 if call.quick else steps,
        n_networks=n_networks,
        n_components=n_networks * TOPS[run],
        **NETWORK,
    )
    records = evaluate(
        {"": learner},
        data,
        n_draws=2 if call.quick else DRAWS,
        seeds=SEEDS[:1] if call.quick else seeds,
        shots=(SHOTS,),
        readouts=READINGS,
        permute=permute,
    )
    return {r.readout: [100 * r.mean, 100 * r.standard_error] for r in records}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """The runs; accuracies by updates; public sets."""
    kept = {name: title for name, title in RUNS.items() if (FOLDER / name).is_dir()}
    words = {
        "pools": f"validation pools, {DRAWS} draws of labels",
        "others": f"other validation pools, {DRAWS} draws of labels",
        "public": f"public sets, {len(SEEDS)} seeds x {DRAWS} draws",
    }
    found = {
        **result,
        "pools": _joined(result, "pools", "steps"),
        "public": _joined(result, "public", "eight"),
    }
    return {"runs": run_table(FOLDER, kept)} | {
        name: _table(found[name], what) for name, what in words.items() if found.get(name)
    }


def _joined(result: Mapping[str, Any], part: str, further: str) -> dict[str, dict[str, Any]]:
    """Rows of a part, with those of another one below them."""
    more = result.get(further, {})
    return {run: {**own, **more.get(run, {})} for run, own in result[part].items()}


def _table(found: Mapping[str, Any], what: str) -> Table:
    by_row = {(RUNS[run], label): own for run in RUNS for label, own in found.get(run, {}).items()}
    names = list(next(iter(by_row.values())))
    rows = tuple(
        (run, label, *(_cell(own[name]) if name in own else "" for name in names))
        for (run, label), own in by_row.items()
        if own
    )
    note = (
        f"Accuracy in percent with {SHOTS} labels a class on {what}, ridge / logistic, the "
        "standard error under ridge in brackets. One network of 64-64-32 units, of the variant "
        f"64-64-48, {STEPS} steps, or as many as a row says after the last update. "
        "Eight networks have one seed of the features."
    )
    return Table(("run", "updates", *names), rows, note)


def _cell(own: Mapping[str, list[float]]) -> str:
    (ridge, error), (logistic, _) = (own[reading] for reading in READINGS)
    return f"{ridge:.1f} / {logistic:.1f} ({error:.1f})"


def draw(result: Mapping[str, Any]) -> Any:
    """Meta-loss of the runs."""
    del result
    return run_figure(
        FOLDER, {name: title for name, title in RUNS.items() if (FOLDER / name).is_dir()}
    )
