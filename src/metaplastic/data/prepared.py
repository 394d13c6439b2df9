"""Words and embeddings of real texts as networks meet them at use: prepared, not as they are."""

from typing import TYPE_CHECKING

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float16, Int

from metaplastic.data.sources import AbstractSource, SourceTask, WordSource
from metaplastic.errors import InputError
from metaplastic.types import PRNGKey

if TYPE_CHECKING:
    from metaplastic.data.glosses import GlossSet

_TINY = 1e-30

POOL = 512
"""Samples to which a task fits its preparation."""


class PreparedWords(AbstractSource):
    """Bags of words as `models.preparation.CountWeights` prepares them.

    A task draws `POOL` samples of its words and fits to them what a learner fits to its pool:
    inverse document frequencies and leading components, weighted by a power of their singular
    values. Samples are these components, of unit length.

    Attributes
    ----------
    words : WordSource
        Where counts come from.
    n_components : int
        Columns of a sample.
    power : float
        That of `PreparationSettings`; left out, that of the preset `base`.
    """

    words: WordSource
    n_components: int = eqx.field(static=True)
    power: float = eqx.field(static=True, default=3.0)

    def __check_init__(self) -> None:
        _check_components(self.n_components, self.words.n_features)

    @property
    def n_classes(self) -> int:
        return self.words.n_classes

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n_components,)

    def draw_task(self, *, key: PRNGKey) -> SourceTask:
        words_key, label_key, draw_key, turn_key = jax.random.split(key, 4)
        words = self.words.draw_task(key=words_key)
        labels = jax.random.randint(label_key, (POOL,), 0, self.n_classes)
        counts = self.words.draw(words, labels, key=draw_key)
        holding = jnp.sum(counts > 0, axis=0)
        rare = 1.0 + jnp.log((1.0 + POOL) / (1.0 + holding))
        weights = jnp.where(holding > 0, rare, 0.0)
        rows = _unit(jnp.log1p(counts) * weights)
        axes, centre = _axes(rows, self.n_components, self.power, key=turn_key)
        return words, weights, axes, centre

    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample component"]:
        words, weights, axes, centre = task
        rows = _unit(jnp.log1p(self.words.draw(words, labels, key=key)) * weights)
        return _unit((rows @ axes - centre) * jnp.any(rows > 0, axis=1, keepdims=True))


class PreparedGlosses(AbstractSource):
    """Embeddings of short texts as `models.preparation.Directions` prepares them.

    The classes of half of the tasks are of one field, if it has enough; those of the others are any
    classes. A sample is the mean of one to `MOST` texts of its class (as many in a whole task),
    which is what a static encoder makes of a text that is so many times as long. Texts are drawn
    with replacement. A task fits to `POOL` of its samples what
    a learner fits to its pool: leading components, weighted by a power of their singular values.

    Attributes
    ----------
    rows : array (text, column) of float16
        Embeddings, sorted by class.
    starts : array (class + 1,) of int
        Class `c` has rows `starts[c]` to `starts[c + 1] - 1`.
    groups : array (class,) of int
        Field of each class, -1 if it has fewer classes than a task.
    n_components : int
        Columns of a sample.
    n_classes : int
        Number of classes in a task.
    power : float
        `directions_power` of `PreparationSettings`; left out, that of the preset `base`.
    """

    rows: Float16[Array, "text column"]
    starts: Int[Array, " edge"]
    groups: Int[Array, " class"]
    n_components: int = eqx.field(static=True)
    n_classes: int = eqx.field(static=True)
    power: float = eqx.field(static=True, default=2.0)

    MOST = 4

    def __check_init__(self) -> None:
        _check_components(self.n_components, self.rows.shape[1])

    @classmethod
    def create(cls, glosses: "GlossSet", n_components: int, n_classes: int) -> "PreparedGlosses":
        """From a set of embedded texts.

        Parameters
        ----------
        glosses : GlossSet
            The set.
        n_components : int
            Columns of a sample.
        n_classes : int
            Number of classes in a task.

        Raises
        ------
        InputError
            For fewer than 2 classes, or more than there are; for components likewise.
        """
        for name, count in (("n_components", n_components), ("n_classes", n_classes)):
            if not isinstance(count, int | np.integer):
                raise InputError(f"{name} must be an integer, got {count!r}")
        if not 2 <= n_classes <= len(glosses.names):
            raise InputError(
                f"a task needs 2 to {len(glosses.names)} classes (the number there are), got "
                f"{n_classes}"
            )
        enough = np.bincount(glosses.groups)[glosses.groups] >= n_classes
        return cls(
            rows=jnp.asarray(glosses.rows),
            starts=jnp.asarray(glosses.starts),
            groups=jnp.asarray(np.where(enough, glosses.groups, -1), jnp.int32),
            n_components=n_components,
            n_classes=n_classes,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n_components,)

    def draw_task(self, *, key: PRNGKey) -> SourceTask:
        class_key, length_key, label_key, draw_key, turn_key = jax.random.split(key, 5)
        classes = self._classes(class_key)
        length = jax.random.randint(length_key, (), 1, self.MOST + 1)
        labels = jax.random.randint(label_key, (POOL,), 0, self.n_classes)
        rows = self._draw((classes, length), labels, draw_key)
        axes, centre = _axes(rows, self.n_components, self.power, key=turn_key)
        return (classes, length), axes, centre

    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample component"]:
        texts, axes, centre = task
        return _unit(self._draw(texts, labels, key) @ axes - centre)

    def _classes(self, key: PRNGKey) -> Int[Array, " class"]:
        near_key, first_key, order_key = jax.random.split(key, 3)
        first = jax.random.randint(first_key, (), 0, len(self.groups))
        near = jax.random.bernoulli(near_key) & (self.groups[first] >= 0)
        allowed = ~near | (self.groups == self.groups[first])
        order = jnp.where(allowed, jax.random.gumbel(order_key, self.groups.shape), -jnp.inf)
        return jax.lax.top_k(order, self.n_classes)[1]

    def _draw(
        self, texts: SourceTask, labels: Int[Array, " sample"], key: PRNGKey
    ) -> Float[Array, "sample column"]:
        (classes, length), most = texts, self.MOST
        of = classes[labels][:, None]
        counts = self.starts[of + 1] - self.starts[of]
        uniform = jax.random.uniform(key, (labels.shape[0], most))
        rows = self.starts[of] + jnp.minimum((uniform * counts).astype(jnp.int32), counts - 1)
        there = (jnp.arange(most) < length)[None, :, None]
        return _unit(jnp.sum(self.rows[rows].astype(jnp.float32) * there, axis=1))


def _check_components(n_components: int, n_columns: int) -> None:
    most = min(POOL - 1, n_columns)
    if not 1 <= n_components <= most:
        raise InputError(f"n_components must be from 1 to {most}, got {n_components}")


def _axes(
    rows: Float[Array, "sample column"], n_components: int, power: float, *, key: PRNGKey
) -> tuple[Float[Array, "column component"], Float[Array, " component"]]:
    """Principal axes, each as long as it weighs and all turned at random, and the rows' centre."""
    mean = rows.mean(0)
    centred = rows - mean
    # There are often fewer rows than columns, so the axes come from products of rows.
    values, vectors = jnp.linalg.eigh(centred @ centred.T)
    values = jnp.maximum(values[::-1][:n_components], jnp.maximum(1e-6 * values[-1], _TINY))
    axes = centred.T @ vectors[:, ::-1][:, :n_components] / jnp.sqrt(values)
    turn = jnp.linalg.qr(jax.random.normal(key, (n_components,) * 2))[0]
    # Rows that are all the same have no axes, and give zeros.
    axes = axes * (values / jnp.maximum(values[0], _TINY)) ** ((power - 1.0) / 2.0) @ turn
    return axes, mean @ axes


def _unit(rows: Array) -> Array:
    """Rows divided by their lengths; rows of zeros stay."""
    lengths = jnp.linalg.norm(rows, axis=1, keepdims=True)
    return rows / jnp.where(lengths > 0, lengths, 1.0)
