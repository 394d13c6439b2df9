"""The page and the pictures of the demo: what `studies.demo` found, drawn."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from metaplastic.evaluation import Record, compare
from metaplastic.models import FrozenMLP
from metaplastic.report import (
    Section,
    comparison_table,
    embedding_figure,
    field_figure,
    html_page,
    inline_svg,
    learner_figure,
    step_figure,
)
from metaplastic.studies._demo_reading import reading_figure
from metaplastic.studies._fields import receptive_fields

BASELINES = ("raw", "PCA-32", "k-means-32", "k-means-400")
"""Learners drawn as level lines beside the curve."""


@dataclasses.dataclass(frozen=True, eq=False)
class BeforeAfter:
    """One training to draw: encoders of permuted inputs before and after `n_steps` inner steps.

    `x` `(n, d)` is the pool as the encoders saw it; its column j is pixel `columns[j]`.
    """

    before: FrozenMLP
    after: FrozenMLP
    n_steps: int
    x: NDArray
    y: NDArray
    columns: NDArray


def demo_figures(
    name: str,
    records: Sequence[Record],
    curve: Mapping[int, Sequence[Record]],
    training: BeforeAfter,
    *,
    n_points: int,
    n_fields: int,
    seed: int,
) -> dict[str, Any]:
    """All figures by the stem of their file; `fields` only where the inputs are square images."""
    titles = ("before: as initialised", f"after {training.n_steps} inner steps of {name}")
    encoders = dict(zip(titles, (training.before, training.after), strict=True))
    chosen = np.random.default_rng(seed).permutation(len(training.x))[:n_points]
    features = {title: e(training.x[chosen]) for title, e in encoders.items()}
    planes = {title: _plane(found, seed) for title, found in features.items()}
    figures = {
        "learners": learner_figure(records, emphasise=(name,)),
        "steps": step_figure(curve, [r for r in records if r.learner in BASELINES]),
        "embedding": embedding_figure(planes, training.y[chosen]),
        "reading": reading_figure(
            features[titles[1]], planes[titles[1]], training.y[chosen], seed=seed
        ),
    }
    if math.isqrt(training.x.shape[1]) ** 2 == training.x.shape[1]:
        fields = {
            title: receptive_fields(e, training.x, training.columns, n_fields)
            for title, e in encoders.items()
        }
        figures["fields"] = field_figure(fields)
    return figures


def _plane(features: NDArray, seed: int) -> NDArray:
    """t-SNE of features `(n, d)` to `(n, 2)`: for drawing only, nothing is judged by it."""
    scaled = features / max(float(features.std()), 1e-12)
    perplexity = min(30.0, (len(features) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", max_iter=500, random_state=seed)
    # A thousand points: more threads mostly wait for each other, on a busy machine for minutes.
    with threadpool_limits(1):
        return tsne.fit_transform(scaled)


def demo_page(
    name: str,
    records: Sequence[Record],
    figures: Mapping[str, Any],
    facts: Mapping[str, Any],
    *,
    n_rows: int,
) -> str:
    """The page, from records, figures and provenance; `n_rows` is the size of the pool."""

    def svg(stem: str, description: str) -> str:
        return inline_svg(figures[stem], stem, description)

    sections = [
        Section(
            "Comparison",
            (verdict(records, name),),
            comparison_table(records, emphasise=(name,)),
            svg("learners", "Accuracy of every learner, with standard errors, for both readouts"),
            "The numbers of the table. Dots are means, bars standard errors.",
        ),
        Section(
            "Accuracy over inner steps",
            (
                f"An inner step shows {name} one batch of unlabelled images. The labels only "
                "judge the features afterwards; no step ever sees one.",
            ),
            figure=svg("steps", "Accuracy after numbers of inner steps, beside baselines"),
            caption="Bands are standard errors; level lines are other learners of the table.",
        ),
    ]
    if "fields" in figures:
        section = Section(
            "What the first layer looks for",
            (
                "Receptive fields of the first units of the first layer. The pixels were shuffled "
                "while the rule worked and are put back in place for this picture only.",
            ),
            figure=svg("fields", "Receptive fields before and after learning, as images"),
            caption="Weights times the spread of their pixel; each unit has a scale of its own.",
        )
        sections.append(section)
    sections += _in_the_plane(svg)
    lead = (
        f"{n_rows:,} images of {records[0].dataset}, their pixels in random order. A small "
        f"network learns features from them without labels, by the update rule {name}; then a "
        "linear readout learns from a few labelled images a class and is tested on the others."
    )
    return html_page("Features learnt without labels", lead, sections, facts)


def _in_the_plane(svg: Callable[[str, str], str]) -> list[Section]:
    """Features before and after learning, and what is read from them."""
    return [
        Section(
            "The embedding before and after",
            (
                "The features of some images, brought to the plane by t-SNE. This is used for "
                "drawing only: distances and shapes in it are not results. Colours and numerals "
                "are the classes, which the learner never saw.",
            ),
            figure=svg("embedding", "Features in the plane before and after learning"),
        ),
        Section(
            "One label a class, read in two ways",
            (
                "Of each class one image has a label: the large marks. A line separates classes "
                "by these alone. The graph joins every image to its nearest ones and spreads the "
                "labels along the joints, so that images without a label help.",
            ),
            figure=svg("reading", "Classes read by a line and over the graph, in the plane"),
            caption="Colours are the classes that were read, places those of the picture above.",
        ),
    ]


def verdict(records: Sequence[Record], name: str) -> str:
    """What the table says of learner `name` against the best other one, readout by readout."""
    sentences = []
    for readout in dict.fromkeys(record.readout for record in records):
        some = [record for record in records if record.readout == readout]
        own = next(record for record in some if record.learner == name)
        best = max((r for r in some if r is not own), key=lambda record: record.mean)
        gain, error = (100 * value for value in compare(own, best))
        clear = "more" if abs(gain) > 2 * error else "not more"
        sentences.append(
            f"With the {readout} readout {name} reaches {100 * own.mean:.1f} %, "
            f"{abs(gain):.1f} \u00b1 {error:.1f} points {'more' if gain > 0 else 'less'} than "
            f"{best.learner}, the best of the others: {clear} than two standard errors."
        )
    return " ".join(sentences)
