"""Whether `FewShotClassifier.predict_proba` means what it says, with few labels.

For both heads and 1 to 50 labels a class: accuracy, mean confidence (the largest probability of a
row), expected calibration error (mean distance of accuracy and confidence over ten bins of
confidence, weighted by rows) and log loss beside that of equal probabilities for all classes.
"""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laboratory import Call
from laboratory.few_labels import SHOTS, UNLABELLED, add_arguments, draws, pools, settings_of
from metaplastic.presets import load_preset
from metaplastic.readings import ReadingPool
from metaplastic.report.style import (
    BLUE,
    GREEN,
    ORANGE,
    VERMILLION,
    drawing,
    new_figure,
)
from metaplastic.report.tables import Table
from metaplastic.sklearn import RuleTransformer

SEEDS = (0,)
SETS = ("digits", "mnist14", "breast_cancer", "wine")
HEADS = ("auto", "graph", "ridge", "logistic")
BINS = 10


def reliability(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64]
) -> tuple[list[tuple[float, float, int]], dict[str, float]]:
    """Confidence, accuracy and rows of every bin that has rows, and the numbers of the table."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    number = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = [
        (float(confidence[own].mean()), float(right[own].mean()), int(own.sum()))
        for own in (number == i for i in range(BINS))
        if own.any()
    ]
    error = sum(count * abs(sure - true) for sure, true, count in bins) / len(truth)
    likely = np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)
    return bins, {
        "accuracy": float(right.mean()),
        "confidence": float(confidence.mean()),
        "calibration_error": float(error),
        "log_loss": float(-np.log(likely).mean()),
        "log_loss_of_equal": float(np.log(probabilities.shape[1])),
    }


def arguments(parser: ArgumentParser) -> None:
    """Sets and sizes."""
    add_arguments(parser, SETS)


def measure(call: Call) -> dict[str, Any]:
    """A row for every set, number of labels and head."""
    args = settings_of(call, SETS, ("wine",))
    rows: list[dict[str, Any]] = []
    for pool in pools(args.sets, args.max_rows):
        features = RuleTransformer(random_state=0).fit_transform(pool.x)
        prepared = ReadingPool(features, load_preset("base").reading)
        for shots in SHOTS:
            for head in HEADS:
                found, truth = [], []
                for draw in draws(pool.y, shots, args.draws, args.max_test):
                    few = np.flatnonzero(draw.labels != UNLABELLED)
                    fitted = prepared.fit(head, few, draw.labels[few])
                    found.append(fitted.probabilities(features[draw.test]))
                    truth.append(pool.y[draw.test])
                if found:
                    bins, numbers = reliability(np.concatenate(found), np.concatenate(truth))
                    key = {"set": pool.name, "shots": shots, "head": head}
                    rows.append({**key, **numbers, "bins": bins})
        call.save({"settings": vars(args), "rows": rows})
    return {"settings": vars(args), "rows": rows}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """A line for every set, number of labels and head."""
    return {"calibration": table_of(result["rows"], result["settings"]["draws"])}


def table_of(rows: list[dict[str, Any]], n_draws: int) -> Table:
    """A line for every set, number of labels and head."""
    cells = tuple(
        (
            row["set"],
            str(row["shots"]),
            row["head"],
            f"{100 * row['accuracy']:.1f}",
            f"{100 * row['confidence']:.1f}",
            f"{100 * row['calibration_error']:.1f}",
            f"{row['log_loss']:.2f} ({row['log_loss_of_equal']:.2f})",
        )
        for row in rows
    )
    note = (
        f"{n_draws} draws of labels. Accuracy, mean confidence and expected calibration error in "
        "percent; log loss in nats, in brackets that of equal probabilities."
    )
    header = ("set", "labels a class", "head", "accuracy", "confidence", "calibration error")
    return Table((*header, "log loss"), cells, note)


def draw(result: Mapping[str, Any]) -> Any:
    """Accuracy against confidence, one panel a head; on the diagonal is perfect."""
    rows = result["rows"]
    looks = tuple(zip(SHOTS, (BLUE, ORANGE, GREEN, VERMILLION), "os^D", strict=True))
    with drawing():
        figure = new_figure(6.0)
        heads = [head for head in HEADS if any(row["head"] == head for row in rows)]
        panels = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
        for panel, head in zip(panels, heads, strict=False):
            panel.plot([0, 1], [0, 1], color="grey", linewidth=1)
            for shots, colour, marker in looks:
                chosen = [row for row in rows if row["head"] == head and row["shots"] == shots]
                points = [b for row in chosen for b in row["bins"] if b[2] >= 20]
                if points:
                    sure, true, count = np.array(points).T
                    size = 6 + 60 * count / count.max()
                    panel.scatter(
                        sure, true, size, colour, marker=marker, alpha=0.6, label=str(shots)
                    )
            panel.set(title=f"{head} head", xlim=(0, 1.02), ylim=(0, 1.02))
        figure.supxlabel("confidence")
        figure.supylabel("accuracy")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, title="labels a class", loc="outside upper center", ncols=4)
    return figure
