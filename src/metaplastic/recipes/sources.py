"""Sources of the samples of tasks: images of one split, words, synthetic families."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from metaplastic.data import (
    AbstractSource,
    GaussianMixture,
    HiddenManifold,
    ImageSource,
    MixedTable,
    PenStrokes,
    PreparedGlosses,
    PreparedWords,
    Prototypes,
    Silhouettes,
    SparseTopics,
    WordSource,
    load_glosses,
    load_glyphs,
    load_pictures,
    load_writings,
)
from metaplastic.errors import ConfigurationError
from metaplastic.recipes.shapes import GLOSSES, N_WORDS, TEXTS, WRITINGS, Shape


class ImageSources:
    """Sources of images of one split; those that differ in the number of classes share arrays."""

    SOURCES = ("glyphs", "pictures", "strokes", "silhouettes")
    SIDE = 16
    """Of strokes, in pixels, before they are resized: that of glyphs."""

    def __init__(self, split: str) -> None:
        self.split = split
        self._known: dict[str, ImageSource] = {}

    def __call__(self, name: str, n_classes: int) -> AbstractSource:
        if name == "strokes":
            return PenStrokes(self.SIDE, n_classes)
        if name == "silhouettes":
            return Silhouettes(self.SIDE, n_classes)
        if name not in self._known:
            self._known[name] = ImageSource.create(*self._load(name), n_classes)
        return dataclasses.replace(self._known[name], n_classes=n_classes)

    def _load(self, name: str) -> tuple[NDArray, NDArray]:
        if name == "glyphs":
            glyphs = load_glyphs(self.split)
            return glyphs.images, glyphs.labels
        images = load_pictures(self.split).images
        return images, np.arange(len(images))


def text_source(shape: Shape, split: str, own: tuple[float, float]) -> AbstractSource:
    """Real texts: words, counted or prepared, or embeddings; `own` is that of `WordSource`."""
    if shape.source == GLOSSES:
        return PreparedGlosses.create(load_glosses(split), shape.features, shape.n_classes)
    texts = load_writings(split)
    counted = WordSource.create(
        texts.ranks,
        texts.starts,
        texts.corpora,
        N_WORDS if shape.source == TEXTS else shape.features,
        shape.n_classes,
        own=own,
    )
    if shape.source != TEXTS:
        return counted
    # pyright takes the abstract variable that a property implements for a field.
    return PreparedWords(counted, shape.features)  # pyright: ignore[reportCallIssue]


def synthetic_source(shape: Shape) -> AbstractSource:
    """The synthetic family that a shape names; raises `ConfigurationError` for other names."""
    families = {
        "gaussian": GaussianMixture,
        "manifold": HiddenManifold,
        "topics": SparseTopics,
        "table": MixedTable,
        "prototypes": Prototypes,
    }
    if shape.source not in families:
        raise ConfigurationError(
            f"shape {shape.name!r}: unknown source {shape.source!r}; choose one of "
            f"{', '.join((*ImageSources.SOURCES, WRITINGS, TEXTS, GLOSSES, *families))}"
        )
    return families[shape.source](shape.features, shape.n_classes)
