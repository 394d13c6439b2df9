"""What to use with few labels: `FewShotClassifier` beside what scikit-learn has.

All methods have their usual settings; none is tuned to a set. Seconds are those of one fit and
prediction: what is learned without labels, once, and the mean over draws of what needs labels.
"""

import time
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from laboratory import ROOT, Call
from laboratory.few_labels import (
    SHOTS,
    UNLABELLED,
    Draw,
    Pool,
    add_arguments,
    draws,
    pools,
    settings_of,
)
from laboratory.text import filled_where_marked
from metaplastic.learners import KMeansTriangle
from metaplastic.presets import load_preset
from metaplastic.readings import ReadingPool
from metaplastic.report.tables import Table
from metaplastic.sklearn import RuleTransformer

SEEDS = (0,)
SETS = ("digits", "mnist14", "fashion14", "movie_snippets", "breast_cancer", "wine", "iris")
OURS = "FewShotClassifier"
Features = NDArray[np.floating]
Predict = Callable[[Features, Draw], NDArray]
"""Classes of the rows to test, from the features of all rows and the labels of a few."""


def read_by(head: str) -> Predict:
    """A head of `FewShotClassifier`, on features that are already there."""

    def predict(features: Features, draw: Draw) -> NDArray:
        few = np.flatnonzero(draw.labels != UNLABELLED)
        classes, numbers = np.unique(draw.labels[few], return_inverse=True)
        pool = ReadingPool(features, load_preset("base").reading)
        scores = pool.scores(pool.fit(head, few, numbers), draw.test)
        return classes[np.argmax(scores, axis=1)]

    return predict


def supervised(make: Callable[[], Any]) -> Predict:
    """A classifier that learns from the labelled rows alone."""

    def predict(features: Features, draw: Draw) -> NDArray:
        few = draw.labels != UNLABELLED
        return make().fit(features[few], draw.labels[few]).predict(features[draw.test])

    return predict


def semi_supervised(make: Callable[[], Any]) -> Predict:
    """A classifier that learns from all rows, -1 for those without a label."""

    def predict(features: Features, draw: Draw) -> NDArray:
        return make().fit(features, draw.labels).predict(features[draw.test])

    return predict


def logistic() -> Any:
    """Logistic regression as most people use it."""
    return LogisticRegression(max_iter=300)


def standardised(pool: Pool) -> Features:
    """Every column of mean 0 and variance 1."""
    return StandardScaler().fit_transform(pool.x)


def learned(pool: Pool) -> Features:
    """The features that `FewShotClassifier` reads classes from."""
    return RuleTransformer(random_state=0).fit_transform(pool.x)


def components(pool: Pool) -> Features:
    """32 principal components of the standardised columns, or all if there are fewer."""
    count = min(32, *pool.x.shape)
    return make_pipeline(StandardScaler(), PCA(count, random_state=0)).fit_transform(pool.x)


def distances(pool: Pool) -> Features:
    """Nearness to 400 centres of k-means (triangle activation, Coates 2011), standardised."""
    found = KMeansTriangle(400).fit(pool.x, seed=0)(pool.x)
    return StandardScaler().fit_transform(found)


METHODS: dict[str, tuple[Callable[[Pool], Features], Predict]] = {
    OURS: (learned, read_by("auto")),
    "logistic regression": (standardised, supervised(logistic)),
    "the same on PCA-32": (components, supervised(logistic)),
    "the same on k-means-400": (distances, supervised(logistic)),
    "random forest": (
        lambda pool: pool.x,
        supervised(lambda: RandomForestClassifier(200, random_state=0)),
    ),
    "LabelSpreading": (
        standardised,
        semi_supervised(lambda: LabelSpreading(kernel="knn", n_neighbors=7, max_iter=30)),
    ),
    "SelfTrainingClassifier": (
        standardised,
        semi_supervised(lambda: SelfTrainingClassifier(logistic())),
    ),
}


def measure_pool(pool: Pool, args: Namespace) -> list[dict[str, Any]]:
    """A row for every method and number of labels: accuracy of every draw, seconds."""
    rows = []
    cases = [draw for shots in SHOTS for draw in draws(pool.y, shots, args.draws, args.max_test)]
    for name, (featurise, predict) in METHODS.items():
        started = time.perf_counter()
        features = featurise(pool)
        unlabelled = time.perf_counter() - started
        for shots in sorted({draw.shots for draw in cases}):
            scores, seconds = [], []
            for draw in (d for d in cases if d.shots == shots):
                started = time.perf_counter()
                found = predict(features, draw)
                seconds.append(time.perf_counter() - started)
                scores.append(100 * float(np.mean(found == pool.y[draw.test])))
            row = {"set": pool.name, "method": name, "shots": shots, "accuracies": scores}
            rows.append(row | {"seconds": unlabelled + float(np.mean(seconds))})
        print(pool.name, name, f"{time.perf_counter() - started:.1f} s", flush=True)
    return rows


def table_of(rows: list[dict[str, Any]], n_draws: int) -> Table:
    """Methods in columns, the best of a row marked, and where ours is not the best."""
    cells, behind = [], []
    keys = list(dict.fromkeys((row["set"], row["shots"]) for row in rows))
    for key in keys:
        of = {r["method"]: r for r in rows if (r["set"], r["shots"]) == key}
        means = {name: float(np.mean(row["accuracies"])) for name, row in of.items()}
        best = max(means, key=lambda name: means[name])
        shown = [
            ("*" if name == best else "") + f"{means[name]:.1f} ({of[name]['seconds']:.1f} s)"
            for name in METHODS
        ]
        cells.append((key[0], str(key[1]), *shown))
        if best != OURS:
            paired = np.subtract(of[best]["accuracies"], of[OURS]["accuracies"])
            error = paired.std(ddof=1) / np.sqrt(len(paired))
            behind.append(f"{key[0]} with {key[1]} ({best}, by {paired.mean():.1f} +- {error:.1f})")
    lost = "; ".join(behind) if behind else "nowhere"
    note = (
        f"Accuracy in percent, mean of {n_draws} draws of labels, seconds of one fit and "
        "prediction in brackets (the first fit of a shape includes compiling). The best of a row "
        f"has a star. {OURS} is behind in {len(behind)} of {len(keys)} rows: {lost}."
    )
    return Table(("set", "labels a class", *METHODS), tuple(cells), note)


def arguments(parser: ArgumentParser) -> None:
    """Sets and sizes."""
    add_arguments(parser, SETS)


def measure(call: Call) -> dict[str, Any]:
    """Every method on every set that is on this machine."""
    args = settings_of(call, SETS, ("wine", "digits"))
    rows: list[dict[str, Any]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence, with few labels
        for pool in pools(args.sets, args.max_rows):
            rows += measure_pool(pool, args)
    return {"settings": vars(args), "rows": rows}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Methods in columns, sets and numbers of labels in rows."""
    return {"methods": table_of(result["rows"], result["settings"]["draws"])}


def documents(result: Mapping[str, Any]) -> dict[Path, str]:
    """README.md of the repository: where ours is ahead, and where it is behind."""
    readme = ROOT / "README.md"
    leads = leads_of(result["rows"])
    ahead = [max(own, key=lead_of) for own in by_set(leads) if lead_of(max(own, key=lead_of)) > 0]
    behind = [lead for lead in leads if lead_of(lead) < 0]
    parts = {
        "wins": lead_table(sorted(ahead, key=lead_of, reverse=True)).markdown(),
        "loses": lead_table(sorted(behind, key=lead_of)).markdown(),
    }
    return {readme: filled_where_marked(readme.read_text("utf-8"), parts)}


Lead = tuple[str, int, float, str, NDArray]
"""Set, labels a class, our mean accuracy, the best other method, paired differences from it."""


def lead_of(lead: Lead) -> float:
    """Mean difference from the best other method, in points."""
    return float(np.mean(lead[-1]))


def leads_of(rows: list[dict[str, Any]]) -> list[Lead]:
    """Ours beside the best other method, for every set and number of labels."""
    found = []
    for key in dict.fromkeys((row["set"], row["shots"]) for row in rows):
        of = {r["method"]: r["accuracies"] for r in rows if (r["set"], r["shots"]) == key}
        own = of.pop(OURS)
        best = max(of, key=lambda name: float(np.mean(of[name])))
        apart = np.subtract(own, of[best])
        found.append((*key, float(np.mean(own)), best, apart))
    return found


def by_set(leads: list[Lead]) -> list[list[Lead]]:
    """Those of each set."""
    names = dict.fromkeys(lead[0] for lead in leads)
    return [[lead for lead in leads if lead[0] == name] for name in names]


def lead_table(leads: list[Lead]) -> Table:
    """One row for each lead; the error is that of the paired difference."""
    cells = []
    for name, shots, own, best, apart in leads:
        error = apart.std(ddof=1) / np.sqrt(len(apart))
        cells.append(
            (f"{name}, {shots}", f"{own:.1f}", plain(best), f"{apart.mean():+.1f} ± {error:.1f}")
        )
    return Table(("set, labels a class", OURS, "best other", "difference"), tuple(cells))


def plain(method: str) -> str:
    """A name that needs no column before it."""
    return method.replace("the same on ", "logistic on ")
