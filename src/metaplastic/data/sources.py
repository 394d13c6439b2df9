"""Sources: where labelled samples of a task come from, drawn on the device.

A source draws a task's fixed parameters once (which classes, which generator) and then, again
and again, samples of given class labels. Data arrays are leaves, so they are arguments of
compiled functions; images stay uint8 until they are used.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree, UInt8
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.types import PRNGKey

SourceTask = PyTree
"""What stays fixed along one task, in arrays."""


class AbstractSource(eqx.Module):
    """Draws tasks, and samples of their classes."""

    n_classes: eqx.AbstractVar[int]
    """Classes per task."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: `(height, width)` for images, `(n,)` otherwise."""

    @abc.abstractmethod
    def draw_task(self, *, key: PRNGKey) -> SourceTask:
        """The fixed parameters of one task."""

    @abc.abstractmethod
    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample ..."]:
        """One sample of each label `0 .. n_classes - 1`, shape `(sample, *shape)`."""


class ImageSource(AbstractSource):
    """Classes of equally sized grey images; a task is a random choice of classes.

    `images` are sorted by class; class `c` holds rows `starts[c]` to `starts[c] + counts[c] - 1`.
    Samples are drawn with replacement and come as float32 in [0, 1].
    """

    images: UInt8[Array, "image height width"]
    starts: Int[Array, " class"]
    counts: Int[Array, " class"]
    n_classes: int = eqx.field(static=True)

    @classmethod
    def create(cls, images: NDArray, labels: NDArray, n_classes: int) -> "ImageSource":
        """From images `(n, height, width)` uint8 and integer labels `(n,)` in any order.

        Raises:
            InputError: if shapes or dtypes do not fit, or there are fewer than `n_classes` classes.
        """
        if images.ndim != 3 or images.dtype != np.uint8:
            raise InputError(
                f"images must be uint8 of shape (n, height, width), got {images.dtype} "
                f"{images.shape}"
            )
        if labels.shape != (len(images),):
            raise InputError(f"labels must have shape ({len(images)},), got {labels.shape}")
        order = np.argsort(labels, kind="stable")
        _, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
        if len(starts) < n_classes or n_classes < 2:
            raise InputError(
                f"a task needs 2 to {len(starts)} classes (the number there are), got {n_classes}"
            )
        ordered = images if np.all(order == np.arange(len(order))) else images[order]
        return cls(
            images=jnp.asarray(ordered),
            starts=jnp.asarray(starts, jnp.int32),
            counts=jnp.asarray(counts, jnp.int32),
            n_classes=n_classes,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return self.images.shape[1:]

    def draw_task(self, *, key: PRNGKey) -> Int[Array, " n_classes"]:
        return jax.random.choice(key, self.starts.shape[0], (self.n_classes,), replace=False)

    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample height width"]:
        classes = task[labels]
        uniform = jax.random.uniform(key, labels.shape)
        counts = self.counts[classes]
        offset = jnp.minimum((uniform * counts).astype(jnp.int32), counts - 1)
        return self.images[self.starts[classes] + offset].astype(jnp.float32) / 255.0
