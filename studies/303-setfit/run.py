"""`base` on sentence embeddings of a transformer beside SetFit, which trains that transformer."""

import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from laboratory import Call, Table
from laboratory.real_pools import descriptions
from metaplastic.errors import InputError
from metaplastic.evaluation.trials import draw_support
from metaplastic.report import Line, line_figure
from metaplastic.sklearn import FewShotClassifier

SEEDS, SHOTS, DRAWS = (0,), (1, 3), 2
SIZES, EACH, LETTERS = (2, 2, 4, 4, 6, 6), 80, 200
WAYS = ("SetFit", "logistic regression", "FewShotClassifier")

Pool = tuple[str, list[str], NDArray[np.int64]]


def arguments(parser: ArgumentParser) -> None:
    """Where SetFit is."""
    parser.add_argument("--python", type=Path, help="a Python that has torch and setfit")


def pools() -> Iterator[Pool]:
    """How descriptions of packages begin, by section; choices of sections to choose on."""
    found = descriptions()
    usable = sorted(section for section, texts in found.items() if len(texts) >= EACH)
    generator = np.random.default_rng(303)
    for size in SIZES:
        chosen = sorted(generator.choice(usable, size, replace=False))
        texts = [text[:LETTERS] for section in chosen for text in found[section][:EACH]]
        yield ", ".join(chosen), texts, np.repeat(np.arange(size), EACH)


def measure(call: Call) -> dict[str, Any]:
    """Accuracies on all rows without a label; SetFit is trained anew for every draw."""
    if call.quick:
        return {"rows": []}  # Training SetFit once takes longer than quick forms may.
    if call.options.python is None:
        raise InputError("SetFit needs a Python that has torch and setfit: give it by --python")
    found: dict[str, Any] = {"rows": []}
    for name, texts, y in pools():
        draws = [
            (shots, draw_support(y, shots, np.random.default_rng([shots, draw])))
            for shots in SHOTS
            for draw in range(DRAWS)
        ]
        made = _by_setfit(call.options.python, texts, [(few, y[few]) for _, few in draws])
        x = made["embeddings"].astype(np.float32)
        for number, (shots, few) in enumerate(draws):
            said = {"SetFit": made[f"said_{number}"], **_others(x, y, few)}
            rest = np.setdiff1d(np.arange(len(y)), few)
            accuracy = {way: 100 * float(np.mean(said[way][rest] == y[rest])) for way in WAYS}
            seconds = float(made[f"seconds_{number}"])
            row = {"pool": name, "classes": int(y.max()) + 1, "shots": shots, "seconds": seconds}
            found["rows"].append(row | {"accuracy": accuracy})
            print(found["rows"][-1], file=sys.stderr, flush=True)
        call.save(found)
    return found


def _by_setfit(
    python: Path, texts: list[str], draws: list[tuple[NDArray, NDArray]]
) -> Mapping[str, NDArray]:
    """What `setfit_process.py` writes."""
    with tempfile.TemporaryDirectory() as folder:
        given, taken = Path(folder) / "in.json", Path(folder) / "out.npz"
        rows = [{"rows": few.tolist(), "labels": labels.tolist()} for few, labels in draws]
        given.write_text(json.dumps({"texts": texts, "draws": rows}), "utf-8")
        script = Path(__file__).with_name("setfit_process.py")
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environment |= {"HF_HUB_OFFLINE": "1"}
        subprocess.run([python, script, given, taken], check=True, env=environment)
        with np.load(taken) as held:
            return {name: held[name] for name in held.files}


def _others(x: NDArray[np.float32], y: NDArray, few: NDArray) -> dict[str, NDArray]:
    """Logistic regression on the embeddings, and this package with its defaults."""
    labels = np.full(len(y), -1)
    labels[few] = y[few]
    own = FewShotClassifier(random_state=SEEDS[0]).fit(x, labels)
    linear = LogisticRegression(max_iter=2000).fit(x[few], y[few])
    return {"logistic regression": linear.predict(x), "FewShotClassifier": own.predict(x)}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Means over pools, and each pool."""
    if not result["rows"]:
        return {}
    cells = []
    for shots in SHOTS:
        rows = [row for row in result["rows"] if row["shots"] == shots]
        lead = [row["accuracy"][WAYS[2]] - row["accuracy"][WAYS[0]] for row in rows]
        by_pool = [np.mean(np.array(lead)[i : i + DRAWS]) for i in range(0, len(lead), DRAWS)]
        error = np.std(by_pool, ddof=1) / np.sqrt(len(by_pool)) if len(by_pool) > 1 else 0.0
        means = [f"{np.mean([row['accuracy'][way] for row in rows]):.1f}" for way in WAYS]
        seconds = f"{np.mean([row['seconds'] for row in rows]):.0f}"
        cells.append((str(shots), *means, f"{np.mean(lead):+.1f} ± {error:.1f}", seconds))
    header = ("labels a class", *WAYS, "ahead of SetFit", "seconds of SetFit")
    note = (
        f"Accuracy in percent on rows without a label, mean over {len(SIZES)} pools and {DRAWS} "
        "draws; the standard error over pools. Seconds of one core for one draw."
    )
    each = []
    for name in dict.fromkeys(row["pool"] for row in result["rows"]):
        own = [row for row in result["rows"] if row["pool"] == name]
        both = [
            " / ".join(
                f"{np.mean([row['accuracy'][way] for row in own if row['shots'] == shots]):.1f}"
                for way in WAYS
            )
            for shots in SHOTS
        ]
        each.append((name, *both))
    one = "Accuracy in percent: " + " / ".join(WAYS) + "."
    titles = ("sections", *(f"{shots} a class" for shots in SHOTS))
    return {"setfit": Table(header, tuple(cells), note), "pools": Table(titles, tuple(each), one)}


def draw(result: Mapping[str, Any]) -> Any:
    """Mean over pools by labels a class, with the standard error over pools."""
    lines = []
    for way in WAYS:
        means, errors = [], []
        for shots in SHOTS:
            rows = [row for row in result["rows"] if row["shots"] == shots]
            names = dict.fromkeys(row["pool"] for row in rows)
            own = [[r["accuracy"][way] for r in rows if r["pool"] == name] for name in names]
            by_pool = np.mean(own, axis=1)
            means.append(float(by_pool.mean()))
            errors.append(float(by_pool.std(ddof=1) / np.sqrt(len(by_pool))))
        lines.append(Line(way, list(SHOTS), means, errors))
    return line_figure(
        {"Six pools of short texts": lines},
        x_label="labels a class",
        y_label="right, percent",
        emphasise=(WAYS[2],),
    )
