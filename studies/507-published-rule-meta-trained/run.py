"""The published rule, taught and then meta-trained: pools to choose on, public sets."""

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import STUDIES, Call, Table
from laboratory.pools import validation_pool
from laboratory.public_sets import load
from laboratory.rules import learner_of
from laboratory.runs import run_figure, run_table, updates_of
from metaplastic.data import Dataset
from metaplastic.evaluation import evaluate
from metaplastic.learners import RuleLearner
from metaplastic.rules import load_rule

FOLDER = Path(__file__).parent
TAUGHT = STUDIES / "503-published-rule-taught" / "taught.safetensors"
RUNS = {"run": "run"}
SEEDS = (0, 1, 2)
DRAWS, SHOTS = 30, 10
POOLS = ("glyphs 14x14", "glyphs deformed", "strokes 14x14", "silhouettes 14x14")
POOL_ROWS = 2000
PUBLIC = ("mnist14", "digits", "fashion14", "glyphs_heldout_scripts")
STEPS = 200
"""Inner steps, as study 503 chose them."""

EVERY = 200
"""Updates after which a rule is looked at."""

READINGS = ("ridge", "logistic")
NETWORK: dict[str, Any] = {
    "n_networks": 1,
    "hidden_sizes": (64, 64),
    "n_components": 32,
    "batch_size": 64,
    "activation": "relu",
}


def arguments(parser: ArgumentParser) -> None:
    """The run and what is measured."""
    parser.add_argument("--run", type=Path, help="directory of the run, with its rules by update")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))


def measure(call: Call) -> dict[str, Any]:
    """Every part that is asked for; the others, and what they have already, stay."""
    found: dict[str, Any] = {} if call.quick else dict(call.earlier or {})
    for name in PARTS if call.quick else call.options.parts:
        PARTS[name](call, found.setdefault(name, {}))
        call.save(found)
    return found


def _pools(call: Call, found: dict[str, Any]) -> None:
    """The rule as it was taught, and after updates, on validation pools."""
    for kind in POOLS[:1] if call.quick else POOLS:
        pool = validation_pool(kind, 0, 200 if call.quick else POOL_ROWS)
        for label, file in _rules(call).items():
            own = found.setdefault(label, {})
            if kind not in own:
                own[kind] = _of(call, file, pool, SEEDS[:1])
                print(kind, label, own[kind], flush=True)


def _public(call: Call, found: dict[str, Any]) -> None:
    """The first and the last of them on public sets: a report."""
    files = list(_rules(call).items())
    for name in PUBLIC[1:2] if call.quick else PUBLIC:
        for label, file in dict((files[0], files[-1])).items():
            own = found.setdefault(label, {})
            if name not in own:
                own[name] = _of(call, file, load(name), SEEDS)
                print(name, label, own[name], flush=True)


PARTS = {"pools": _pools, "public": _public}


def _rules(call: Call) -> dict[str, Path]:
    """Rule files by the number of updates."""
    if call.quick or not call.options.run:
        return {"0": TAUGHT}
    run: Path = call.options.run
    done = updates_of(run)[-1]["step"]
    kept = {
        str(n): run / "rules" / f"updates-{n:06}.safetensors" for n in range(EVERY, done, EVERY)
    }
    return {"0": TAUGHT, **kept, str(done): run / "rule.safetensors"}


def _of(call: Call, file: Path, data: Dataset, seeds: tuple[int, ...]) -> dict[str, list[float]]:
    """Percent and standard error by readout; one network without direct features."""
    learner: RuleLearner = learner_of(
        load_rule(file), direct=False, n_steps=2 if call.quick else STEPS, **NETWORK
    )
    records = evaluate(
        {"": learner},
        data,
        n_draws=2 if call.quick else DRAWS,
        seeds=SEEDS[:1] if call.quick else seeds,
        shots=(SHOTS,),
        readouts=READINGS,
    )
    return {r.readout: [100 * r.mean, 100 * r.standard_error] for r in records}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """The run; accuracies by updates; public sets."""
    runs = {"runs": run_table(FOLDER, RUNS)} if (FOLDER / "run" / "metrics.jsonl").exists() else {}
    words = {
        "pools": f"validation pools, {DRAWS} draws of labels",
        "public": f"public sets, {len(SEEDS)} seeds x {DRAWS} draws",
    }
    return runs | {name: _table(result[name], what) for name, what in words.items()}


def _table(found: Mapping[str, Any], what: str) -> Table:
    names = list(next(iter(found.values())))
    rows = tuple((label, *(_cell(own[name]) for name in names)) for label, own in found.items())
    note = (
        f"Accuracy in percent with {SHOTS} labels a class on {what}, ridge / logistic, the "
        f"standard error under ridge in brackets. One network of 64-64-32 units, {STEPS} steps."
    )
    return Table(("updates", *names), rows, note)


def _cell(own: Mapping[str, list[float]]) -> str:
    (ridge, error), (logistic, _) = (own[reading] for reading in READINGS)
    return f"{ridge:.1f} / {logistic:.1f} ({error:.1f})"


def draw(result: Mapping[str, Any]) -> Any:
    """Meta-loss of the run."""
    del result
    return run_figure(FOLDER, RUNS)
