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
from jaxtyping import Array, Float, Int, PyTree, UInt8, UInt16
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
        """One sample for each label `0 .. n_classes - 1`: floats `(sample, *shape)`."""


class ImageSource(AbstractSource):
    """Classes of equally sized grey images; a task is a random choice of classes.

    Samples are drawn with replacement and come as float32 in [0, 1].

    Attributes
    ----------
    images : array (image, height, width) of uint8
        Images, sorted by class.
    starts : array (class,) of int
        First row of each class.
    counts : array (class,) of int
        Number of rows of each class.
    n_classes : int
        Number of classes in a task.
    """

    images: UInt8[Array, "image height width"]
    starts: Int[Array, " class"]
    counts: Int[Array, " class"]
    n_classes: int = eqx.field(static=True)

    @classmethod
    def create(cls, images: NDArray, labels: NDArray, n_classes: int) -> "ImageSource":
        """From images `(n, height, width)` uint8 and integer labels `(n,)` in any order.

        Parameters
        ----------
        images : ndarray
            Images, in any order.
        labels : ndarray
            Class of each image `(image,)`.
        n_classes : int
            Number of classes in a task.

        Raises
        ------
        InputError
            If shapes or dtypes do not fit, or there are fewer than `n_classes` classes.
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


class WordSource(AbstractSource):
    """Bags of words of real texts; a task is a random choice of classes of one corpus.

    A sample is some passages of `PASSAGE` words in a row, as counts of the `n_features` most
    frequent words of the corpus. A passage is of the sample's own class with a probability that a
    task draws from the range `own`, and otherwise of any of its classes. Tasks therefore range from
    clear topics to weak leanings.
    """

    ranks: UInt16[Array, " word"]
    starts: Int[Array, " edge"]
    corpora: Int[Array, " class"]
    n_features: int = eqx.field(static=True)
    n_classes: int = eqx.field(static=True)
    own: tuple[float, float] = eqx.field(static=True, default=(0.2, 1.0))

    PASSAGE = 16
    PASSAGES = (4, 12)

    @classmethod
    def create(
        cls,
        ranks: NDArray,
        starts: NDArray,
        corpora: NDArray,
        n_features: int,
        n_classes: int,
        *,
        own: tuple[float, float] = (0.2, 1.0),
    ) -> "WordSource":
        """From the arrays of a `WritingSet`.

        Parameters
        ----------
        ranks : ndarray
            Ranks of the words, the texts of one class after the other.
        starts : ndarray
            Class `c` holds words `starts[c]` to `starts[c + 1] - 1`.
        corpora : ndarray
            Number of the corpus of each class.
        n_features : int
            Number of words to count, the most frequent of the corpus.
        n_classes : int
            Number of classes in a task.
        own : (float, float), default=(0.2, 1.0)
            Least and largest probability that a passage is of the sample's own class.

        Raises
        ------
        InputError
            If every corpus has fewer than `n_classes` classes, or a class fewer words than a
            passage.
        """
        if n_classes < 2 or n_features < 2:
            raise InputError(
                "a task needs at least 2 classes and 2 words to count, got "
                f"{n_classes} and {n_features}"
            )
        if not 0.0 <= own[0] <= own[1] <= 1.0:
            raise InputError(f"own must be a range (low, high) within 0 and 1, got {own}")
        if np.min(np.diff(starts), initial=cls.PASSAGE) < cls.PASSAGE:
            raise InputError(f"every class needs at least {cls.PASSAGE} words")
        classes = np.bincount(corpora)
        if np.max(classes, initial=0) < n_classes:
            raise InputError(
                f"no corpus has {n_classes} classes, the largest has {np.max(classes, initial=0)}"
            )
        # Corpora with too few classes are left out of the choice by a number that none has.
        small = classes[corpora] < n_classes
        return cls(
            ranks=jnp.asarray(ranks),
            starts=jnp.asarray(starts, jnp.int32),
            corpora=jnp.asarray(np.where(small, -1, corpora), jnp.int32),
            n_features=n_features,
            n_classes=n_classes,
            own=own,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n_features,)

    def draw_task(self, *, key: PRNGKey) -> SourceTask:
        first_key, class_key, own_key, length_key = jax.random.split(key, 4)
        allowed = self.corpora >= 0
        first = jax.random.categorical(first_key, jnp.where(allowed, 0.0, -jnp.inf))
        same = self.corpora == self.corpora[first]
        order = jax.random.gumbel(class_key, self.corpora.shape) + jnp.where(same, 0.0, -jnp.inf)
        classes = jax.lax.top_k(order, self.n_classes)[1]
        own = jax.random.uniform(own_key, (), minval=self.own[0], maxval=self.own[1])
        length = jax.random.uniform(length_key, (), minval=0.0, maxval=1.0)
        return classes, own, length

    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample word"]:
        classes, own, length = task
        own_key, other_key, start_key, length_key = jax.random.split(key, 4)
        n, (fewest, most) = labels.shape[0], self.PASSAGES
        other = jax.random.randint(other_key, (n, most), 0, self.n_classes)
        is_own = jax.random.uniform(own_key, (n, most)) < own
        of = classes[jnp.where(is_own, labels[:, None], other)]
        room = self.starts[of + 1] - self.starts[of] - self.PASSAGE + 1
        start = (jax.random.uniform(start_key, (n, most)) * room).astype(jnp.int32)
        start = self.starts[of] + jnp.minimum(start, room - 1)
        words = self.ranks[start[:, :, None] + jnp.arange(self.PASSAGE)].astype(jnp.int32)
        longest = fewest + length * (most - fewest)
        passages = jax.random.uniform(length_key, (n, 1), minval=fewest, maxval=longest + 1.0)
        there = jnp.broadcast_to((jnp.arange(most) < passages)[:, :, None], words.shape)
        counts = jnp.zeros((n, self.n_features))
        # Rarer words than are counted fall outside and are dropped.
        return counts.at[jnp.arange(n)[:, None, None], words].add(there, mode="drop")
