"""`base` on embeddings of images by a network that was trained on photographs."""

import os
import subprocess
import sys
import tempfile
import warnings
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from laboratory import Call, Table
from metaplastic.data.sets import load_set
from metaplastic.errors import InputError, MissingDataError
from metaplastic.evaluation.trials import draw_support
from metaplastic.extras import require
from metaplastic.presets import load_preset
from metaplastic.readings import ReadingPool
from metaplastic.report import Line, line_figure
from metaplastic.sklearn import RuleTransformer

SEEDS, SHOTS, DRAWS = (0,), (1, 3, 10), 10
WAYS = ("logistic regression", "the same, standardised", "UMAP", "FewShotClassifier")
ROOT = Path("/usr/share/openclipart/png")
FOLDERS = (
    "animals/birds",
    "animals/bugs",
    "animals/mammals",
    "buildings/homes",
    "food/beverages",
    "food/desserts",
    "food/fruit",
    "food/meats_and_eggs",
    "plants/flowers",
    "recreation/music",
    "recreation/sports",
    "recreation/toys",
    "transportation/boating",
    "transportation/vehicles",
)
SIZES, EACH, SIDE = (3, 4, 5, 6, 8, 14), 100, 128
CLOTHES = 2000
"""Pictures of Fashion-MNIST: a public set."""

Pool = tuple[str, NDArray[np.uint8], NDArray[np.int64]]


def arguments(parser: ArgumentParser) -> None:
    """Where the network is, and the pictures."""
    parser.add_argument("--python", type=Path, help="a Python that has torch and the network")
    parser.add_argument("--pictures", type=Path, default=ROOT, help=f"of openclipart-png ({ROOT})")


def clip_art(root: Path) -> dict[str, NDArray[np.uint8]]:
    """Pictures by folder on white squares `(n, SIDE, SIDE, 3)`; the same picture only once."""
    require("PIL", "reading clip-art", "images", package="Pillow")
    from PIL import Image

    found = {}
    for folder in FOLDERS:
        paths = sorted((root / folder).rglob("*.png"))
        if len(paths) < max(SHOTS) + 1:
            raise MissingDataError(f"{root / folder} has {len(paths)} pictures: give --pictures")
        squares: dict[bytes, NDArray[np.uint8]] = {}
        for path in paths:
            with warnings.catch_warnings():  # some are 13,000 pixels wide, as they should be
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                with Image.open(path) as opened:
                    small = opened.convert("RGBA")
            small.thumbnail((SIDE, SIDE))
            square = Image.new("RGBA", (SIDE, SIDE), "white")
            place = ((SIDE - small.width) // 2, (SIDE - small.height) // 2)
            square.alpha_composite(small, place)
            array = np.asarray(square.convert("RGB"))
            squares.setdefault(array.tobytes(), array)
        found[folder] = np.stack(list(squares.values()))
    return found


def pools(root: Path) -> Iterator[Pool]:
    """Choices of folders of clip-art, then clothes."""
    art, generator = clip_art(root), np.random.default_rng(304)
    for size in SIZES:
        chosen = sorted(generator.choice(FOLDERS, size, replace=False))
        some = [generator.permutation(len(art[name]))[:EACH] for name in chosen]
        images = np.concatenate([art[name][rows] for name, rows in zip(chosen, some, strict=True)])
        y = np.repeat(np.arange(size), [len(rows) for rows in some])
        yield ", ".join(name.split("/")[1].replace("_", " ") for name in chosen), images, y
    clothes = load_set("fashion")
    grey = np.asarray(clothes.inputs[:CLOTHES], np.float64).reshape(-1, 28, 28)
    grey = np.round(255 * grey / grey.max()).astype(np.uint8)
    y = np.asarray(clothes.labels[:CLOTHES], np.int64)
    yield "Fashion-MNIST", np.repeat(grey[..., None], 3, axis=3), y


def measure(call: Call) -> dict[str, Any]:
    """Accuracies on all rows without a label; features are learned once a pool."""
    if call.quick:
        return {"rows": []}  # The network is no part of the environment of tests.
    if call.options.python is None:
        raise InputError("the network needs a Python that has it: give it by --python")
    from umap import UMAP  # pyright: ignore[reportMissingImports]

    found: dict[str, Any] = {"rows": []}
    for name, images, y in pools(call.options.pictures):
        x = embedded(call.options.python, images)
        features = RuleTransformer(random_state=SEEDS[0]).fit_transform(x)
        held = ReadingPool(features, load_preset("base").reading)
        near = UMAP(n_components=10, min_dist=0.0, random_state=0).fit_transform(x)
        for shots in SHOTS:
            cells = [
                _accuracies(
                    x, near, held, y, draw_support(y, shots, np.random.default_rng([shots, k]))
                )
                for k in range(DRAWS)
            ]
            row = {"pool": name, "rows": len(y), "classes": int(y.max()) + 1, "shots": shots}
            found["rows"].append(row | {w: [cell[w] for cell in cells] for w in WAYS})
            means = {w: round(float(np.mean(found["rows"][-1][w])), 1) for w in WAYS}
            print(row, means, file=sys.stderr, flush=True)
        call.save(found)
    return found


def embedded(python: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What `embed_process.py` writes."""
    with tempfile.TemporaryDirectory() as folder:
        given, taken = Path(folder) / "in.npz", Path(folder) / "out.npy"
        np.savez(given, images=images)
        script = Path(__file__).with_name("embed_process.py")
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        words = [python, script, given, taken]
        subprocess.run(words, check=True, env=environment, stderr=subprocess.DEVNULL)
        return np.load(taken)


def _accuracies(
    x: NDArray[np.float32], near: NDArray, held: ReadingPool, y: NDArray, few: NDArray
) -> dict[str, float]:
    """Percent right of the rows without a label, by way."""
    rest = np.setdiff1d(np.arange(len(y)), few)
    linear = LogisticRegression(max_iter=2000)
    scaled = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    said = {
        WAYS[0]: linear.fit(x[few], y[few]).predict(x[rest]),
        WAYS[1]: scaled.fit(x[few], y[few]).predict(x[rest]),
        WAYS[2]: LogisticRegression(max_iter=2000).fit(near[few], y[few]).predict(near[rest]),
        WAYS[3]: held.scores(held.fit("auto", few, y[few]), rest).argmax(1),
    }
    return {way: 100 * float(np.mean(classes == y[rest])) for way, classes in said.items()}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Means over pools of clip-art, and each pool."""
    if not result["rows"]:
        return {}
    art = [row for row in result["rows"] if row["pool"] != "Fashion-MNIST"]
    cells = []
    for shots in SHOTS:
        rows = [row for row in art if row["shots"] == shots]
        means = {way: np.array([np.mean(row[way]) for row in rows]) for way in WAYS}
        lead = means[WAYS[-1]] - means[WAYS[0]]
        error = lead.std(ddof=1) / np.sqrt(len(lead)) if len(lead) > 1 else 0.0
        shown = [f"{means[way].mean():.1f}" for way in WAYS]
        cells.append((str(shots), *shown, f"{lead.mean():+.1f} ± {error:.1f}"))
    note = (
        f"Accuracy in percent on rows without a label, mean over {len(SIZES)} pools of clip-art "
        f"and {DRAWS} draws. UMAP has ten dimensions and is read by logistic regression. Last: "
        "how far FewShotClassifier is ahead of logistic regression, with the standard error over "
        "pools."
    )
    header = ("labels a class", *WAYS, "ahead")
    each = []
    for name in dict.fromkeys(row["pool"] for row in result["rows"]):
        own = {row["shots"]: row for row in result["rows"] if row["pool"] == name}
        both = [" / ".join(f"{np.mean(own[k][way]):.1f}" for way in WAYS) for k in SHOTS]
        each.append((name, str(own[SHOTS[0]]["rows"]), *both))
    one = "Accuracy in percent: " + " / ".join(WAYS) + "."
    titles = ("pool", "rows", *(f"{shots} a class" for shots in SHOTS))
    return {"images": Table(header, tuple(cells), note), "pools": Table(titles, tuple(each), one)}


def draw(result: Mapping[str, Any]) -> Any:
    """Clip-art: means over pools with their standard error; clothes: over draws."""
    panels: dict[str, list[Line]] = {}
    for title, of_clothes in (("Clip-art, six pools", False), ("Fashion-MNIST", True)):
        rows = [r for r in result["rows"] if (r["pool"] == "Fashion-MNIST") == of_clothes]
        panels[title] = []
        for way in WAYS:
            means, errors = [], []
            for shots in SHOTS:
                own = np.array([r[way] for r in rows if r["shots"] == shots])
                values = own[0] if of_clothes else own.mean(1)
                means.append(float(values.mean()))
                errors.append(float(values.std(ddof=1) / np.sqrt(len(values))))
            panels[title].append(Line(way, list(SHOTS), means, errors))
    return line_figure(
        panels,
        x_label="labels a class",
        y_label="right, percent",
        x_scale="log",
        emphasise=(WAYS[-1],),
        height=3.0,
    )
