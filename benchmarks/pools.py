"""Pools of rendered glyphs, drawn and deformed as in meta-training."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from metaplastic.data import Dataset, ImageSource, load_glyphs
from metaplastic.tasks import Augmentation, SourceTasks


def glyph_pool(
    name: str,
    split: str,
    *,
    seed: int,
    n_rows: int,
    n_classes: int = 10,
    side: int = 16,
    strength: float | None = None,
    augmentation: Augmentation | None = None,
) -> Dataset:
    """`n_rows` images of classes drawn by `seed`, as evenly as can be.

    Args:
        split: of the rendered glyphs, as `load_glyphs` knows it.
        strength: of all deformations, as a fraction of the largest; drawn if left out.
        augmentation: the largest deformations; those of meta-training if left out.
    """
    glyphs = load_glyphs(split)
    source = ImageSource.create(glyphs.images, glyphs.labels, n_classes)
    tasks = SourceTasks.create(source, augmentation=augmentation or Augmentation(), side=side)
    task = tasks.sample(key=jax.random.key(100 + seed))
    if strength is not None:
        strengths = jnp.full_like(task.strengths, strength)
        task = eqx.tree_at(lambda t: t.strengths, task, strengths)
    labels = np.arange(n_rows) % n_classes
    x = np.asarray(tasks.draw(task, jnp.asarray(labels), key=jax.random.key(seed)))
    source = f"glyphs of {split}, deformed as in meta-training"
    return Dataset(name, x, labels, None, "that of each font", source)
