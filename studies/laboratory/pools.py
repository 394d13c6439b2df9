"""Pools of rows drawn from task distributions: what rules and settings are chosen on, and what
held-out letters become when they are deformed."""

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from metaplastic.data import (
    Dataset,
    GaussianMixture,
    HiddenManifold,
    ImageSource,
    MixedTable,
    PenStrokes,
    Prototypes,
    Silhouettes,
    SparseTopics,
    WordSource,
    load_glyphs,
    load_pictures,
    load_writings,
)
from metaplastic.tasks import Augmentation, SourceTasks

ROWS = 2000
_STRONG = Augmentation(rotation=0.3, shear=0.4, elastic=0.08, noise=0.0)
_VECTORS: Mapping[str, SourceTasks] = {
    "text, 2 classes": SourceTasks.create(SparseTopics(1000, 2)),
    "text, 6 classes": SourceTasks.create(SparseTopics(400, 6)),
    "table, 30 columns": SourceTasks.create(MixedTable(30, 3)),
    "table, 12 columns": SourceTasks.create(MixedTable(12, 2)),
    "manifold": SourceTasks.create(HiddenManifold(100, 10)),
    "prototypes": SourceTasks.create(Prototypes(150, 10)),
    "small table, 5 columns": SourceTasks.create(MixedTable(5, 3)),
    "small blobs, 13 columns": SourceTasks.create(GaussianMixture(13, 3)),
}
SMALL_ROWS = 200
_DRAWINGS: Mapping[str, tuple[type[PenStrokes] | type[Silhouettes], int]] = {
    "strokes 14x14": (PenStrokes, 14),
    "strokes 8x8": (PenStrokes, 8),
    "silhouettes 14x14": (Silhouettes, 14),
}
_WRITINGS: Mapping[str, int] = {"writings, 2 classes": 2, "writings, 8 classes": 8}
KINDS = (
    "glyphs 14x14",
    "glyphs 8x8",
    "glyphs deformed",
    "glyphs plain",
    "pictures",
    *_WRITINGS,
    *_VECTORS,
    *_DRAWINGS,
)
"""Of validation pools: font families, pictures and languages kept out of meta-training, fresh
synthetic tasks; never a set on which results are reported."""


def validation_pool(kind: str, seed: int, n_rows: int = ROWS) -> Dataset:
    """`n_rows` rows of one of `KINDS`; the seed draws task and rows.

    Half as many writings, and at most `SMALL_ROWS` rows of small tables.
    """
    if kind in _VECTORS:
        n_rows = min(n_rows, SMALL_ROWS) if kind.startswith("small") else n_rows
        return _pool(kind, _VECTORS[kind], seed=seed, n_rows=n_rows)
    if kind in _DRAWINGS:
        source, side = _DRAWINGS[kind]
        tasks = SourceTasks.create(source(16, 10), augmentation=Augmentation(), side=side)
        return _pool(kind, tasks, seed=seed, n_rows=n_rows, strength=0.0)
    if kind in _WRITINGS:
        texts = load_writings("validation")
        source = WordSource.create(texts.ranks, texts.starts, texts.corpora, 1000, _WRITINGS[kind])
        return _pool(kind, SourceTasks.create(source), seed=seed, n_rows=n_rows // 2)
    if kind == "pictures":
        images = load_pictures("validation").images
        source = ImageSource.create(images, np.arange(len(images)), 100)
        tasks = SourceTasks.create(source, augmentation=Augmentation(), side=8)
        return _pool(kind, tasks, seed=seed, n_rows=n_rows)
    if kind == "glyphs deformed":
        return glyph_pool(
            kind,
            "validation",
            seed=seed,
            n_rows=n_rows,
            side=14,
            augmentation=_STRONG,
            strength=1.0,
        )
    if kind == "glyphs plain":
        return glyph_pool(kind, "validation", seed=seed, n_rows=n_rows, n_classes=50, strength=0.0)
    side = 8 if kind.endswith("8x8") else 14
    return glyph_pool(kind, "validation", seed=seed, n_rows=n_rows, side=side)


def glyph_pool(
    name: str,
    split: str,
    *,
    seed: int,
    n_rows: int = ROWS,
    n_classes: int = 10,
    side: int = 16,
    strength: float | None = None,
    augmentation: Augmentation | None = None,
) -> Dataset:
    """`n_rows` images of classes drawn by `seed`, as evenly as can be.

    Parameters
    ----------
    split : str
        Of the rendered glyphs, as `load_glyphs` knows it.
    strength : float, optional
        Of all deformations, as a fraction of the largest; drawn if left out.
    augmentation : Augmentation, optional
        The largest deformations; those of meta-training if left out.
    """
    glyphs = load_glyphs(split)
    source = ImageSource.create(glyphs.images, glyphs.labels, n_classes)
    tasks = SourceTasks.create(source, augmentation=augmentation or Augmentation(), side=side)
    return _pool(name, tasks, seed=seed, n_rows=n_rows, strength=strength)


def _pool(
    name: str, tasks: SourceTasks, *, seed: int, n_rows: int, strength: float | None = None
) -> Dataset:
    task = tasks.sample(key=jax.random.key(100 + seed))
    if strength is not None:
        strengths = jnp.full_like(task.strengths, strength)
        task = eqx.tree_at(lambda t: t.strengths, task, strengths)
    labels = np.arange(n_rows) % tasks.n_classes
    x = np.asarray(tasks.draw(task, jnp.asarray(labels), key=jax.random.key(seed)))
    return Dataset(name, x, labels, None, "", "drawn from a task distribution")
