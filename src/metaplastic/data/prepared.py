"""Words of real texts as networks meet them at use: prepared, not counted."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from metaplastic.data.sources import AbstractSource, SourceTask, WordSource
from metaplastic.errors import InputError
from metaplastic.types import PRNGKey


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

    POOL = 512

    def __check_init__(self) -> None:
        most = min(self.POOL - 1, self.words.n_features)
        if not 1 <= self.n_components <= most:
            raise InputError(f"n_components must be from 1 to {most}, got {self.n_components}")

    @property
    def n_classes(self) -> int:
        return self.words.n_classes

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n_components,)

    def draw_task(self, *, key: PRNGKey) -> SourceTask:
        words_key, label_key, draw_key, turn_key = jax.random.split(key, 4)
        words = self.words.draw_task(key=words_key)
        labels = jax.random.randint(label_key, (self.POOL,), 0, self.n_classes)
        counts = self.words.draw(words, labels, key=draw_key)
        holding = jnp.sum(counts > 0, axis=0)
        rare = 1.0 + jnp.log((1.0 + self.POOL) / (1.0 + holding))
        weights = jnp.where(holding > 0, rare, 0.0)
        rows = _unit(jnp.log1p(counts) * weights)
        mean = rows.mean(0)
        centred = rows - mean
        # There are fewer rows than words, so the axes come from products of rows.
        values, vectors = jnp.linalg.eigh(centred @ centred.T)
        values = jnp.maximum(values[::-1][: self.n_components], 1e-6 * values[-1])
        axes = centred.T @ vectors[:, ::-1][:, : self.n_components] / jnp.sqrt(values)
        turn = jnp.linalg.qr(jax.random.normal(turn_key, (self.n_components,) * 2))[0]
        axes = axes * (values / values[0]) ** ((self.power - 1.0) / 2.0) @ turn
        return words, weights, axes, mean @ axes

    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample component"]:
        words, weights, axes, centre = task
        rows = _unit(jnp.log1p(self.words.draw(words, labels, key=key)) * weights)
        return _unit((rows @ axes - centre) * jnp.any(rows > 0, axis=1, keepdims=True))


def _unit(rows: Array) -> Array:
    """Rows divided by their lengths; rows of zeros stay."""
    lengths = jnp.linalg.norm(rows, axis=1, keepdims=True)
    return rows / jnp.where(lengths > 0, lengths, 1.0)
