"""Synthetic sources: endless labelled data whose statistics are not those of images.

Every task draws its own generator; only its small parameters are kept, samples are made anew.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from metaplastic.data.sources import AbstractSource, SourceTask
from metaplastic.errors import InputError
from metaplastic.types import PRNGKey


class AbstractVectorSource(AbstractSource):
    """Sources of vectors with `n_features` columns."""

    n_features: int = eqx.field(static=True)
    n_classes: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.n_features < 2 or self.n_classes < 2:
            raise InputError(
                "a synthetic source needs at least 2 features and 2 classes, got "
                f"{self.n_features} and {self.n_classes}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n_features,)


class GaussianMixture(AbstractVectorSource):
    """Classes are Gaussians with means in a random subspace, buried in shared nuisance factors.

    `x = scale * (mean_class + A_class e_1 + N e_2 + noise e_3)`: `mean_class` lies in a subspace
    of `rank` dimensions, `A_class` `(n_features, rank)` is the class's own covariance factor and
    `N` is shared. The columns' scales are log-normal, as in a table of mixed units, and a random
    part of the columns is made heavy-tailed by a signed power.

    Parameters
    ----------
    n_features
        Number of columns.
    n_classes
        Number of classes.
    rank : int, default=4
        Dimensions of the subspace of the means, and of the covariance factors.
    """

    rank: int = eqx.field(static=True, default=4)

    def draw_task(self, *, key: PRNGKey) -> SourceTask:
        keys = jax.random.split(key, 8)
        d, r, c = self.n_features, self.rank, self.n_classes
        basis = jax.random.normal(keys[0], (d, r)) / jnp.sqrt(1.0 * r)
        means = jax.random.normal(keys[1], (c, r)) @ basis.T
        spread = jnp.exp(jax.random.uniform(keys[2], (), minval=-1.5, maxval=0.5))
        own = spread * jax.random.normal(keys[3], (c, d, r)) / jnp.sqrt(1.0 * r)
        nuisance = jnp.exp(jax.random.uniform(keys[4], (), minval=-1.0, maxval=0.7))
        shared = nuisance * jax.random.normal(keys[5], (d, r)) / jnp.sqrt(1.0 * r)
        scale = jnp.exp(1.5 * jax.random.normal(keys[6], (d,)))
        power = jnp.where(jax.random.uniform(keys[7], (d,)) < 0.3, 2.0, 1.0)
        return means, own, shared, scale, power

    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample feature"]:
        means, own, shared, scale, power = task
        own_key, shared_key, noise_key = jax.random.split(key, 3)
        n = labels.shape[0]
        e = jax.random.normal(own_key, (n, self.rank))
        x = means[labels] + jnp.einsum("nr,cdr,nc->nd", e, own, jax.nn.one_hot(labels, len(means)))
        x = x + jax.random.normal(shared_key, (n, self.rank)) @ shared.T
        x = x + 0.3 * jax.random.normal(noise_key, x.shape)
        return scale * jnp.sign(x) * jnp.abs(x) ** power


class HiddenManifold(AbstractVectorSource):
    """Classes are regions of a low-dimensional latent space seen through a random network.

    Source: the hidden-manifold model of Goldt et al. 2020 (arXiv 1909.11500). The latent code
    (`rank` dimensions) is a class prototype plus noise; `x = tanh(F code) + G tanh(...)`: two
    random layers, then noise. Classes are linearly mixed up in x.

    Parameters
    ----------
    n_features
        Number of columns.
    n_classes
        Number of classes.
    rank : int, default=8
        Dimensions of the latent code.
    """

    rank: int = eqx.field(static=True, default=8)

    def draw_task(self, *, key: PRNGKey) -> SourceTask:
        keys = jax.random.split(key, 4)
        d, r, c = self.n_features, self.rank, self.n_classes
        prototypes = jax.random.normal(keys[0], (c, 2, r))
        first = 1.5 * jax.random.normal(keys[1], (r, 4 * r)) / jnp.sqrt(1.0 * r)
        second = 1.5 * jax.random.normal(keys[2], (4 * r, d)) / jnp.sqrt(4.0 * r)
        spread = jax.random.uniform(keys[3], (), minval=0.2, maxval=0.7)
        return prototypes, first, second, spread

    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample feature"]:
        prototypes, first, second, spread = task
        mode_key, code_key, noise_key = jax.random.split(key, 3)
        # Two prototypes a class, so that classes are not simply blobs.
        mode = jax.random.bernoulli(mode_key, shape=labels.shape).astype(jnp.int32)
        code = prototypes[labels, mode]
        code = code + spread * jax.random.normal(code_key, code.shape)
        x = jnp.tanh(jnp.tanh(code @ first) @ second)
        return x + 0.2 * jax.random.normal(noise_key, x.shape)


class SparseTopics(AbstractVectorSource):
    """Bags of words: counts that are drawn from a mixture of topics.

    Words follow a Zipf-like background, and every topic favours some words. A document mixes topics
    as its class prefers, or at random where classes have no preference. Each class also uses each
    word somewhat more or less, as sentiment does: a weak signal in many columns. Counts are Poisson
    with a random document length. Most entries are zero, and frequencies of columns differ by
    orders of magnitude.

    Parameters
    ----------
    n_features
        Number of words.
    n_classes
        Number of classes.
    n_topics : int, default=12
        Number of topics of a task.
    """

    n_topics: int = eqx.field(static=True, default=12)

    def draw_task(self, *, key: PRNGKey) -> SourceTask:
        keys = jax.random.split(key, 8)
        d, t, c = self.n_features, self.n_topics, self.n_classes
        background = 1.0 / (3.0 + jax.random.permutation(keys[0], jnp.arange(1.0 * d)))
        topics = background * jnp.exp(1.2 * jax.random.normal(keys[1], (t, d)))
        topics = topics / jnp.sum(topics, axis=1, keepdims=True)
        # The square makes tasks without preferences of topics frequent.
        strength = 1.5 * jax.random.uniform(keys[2], ()) ** 2
        preference = strength * jax.random.normal(keys[3], (c, t))
        leaning = jax.random.uniform(keys[4], (), minval=0.2, maxval=0.7)
        tilt = jnp.exp(leaning * jax.random.normal(keys[5], (c, d)))
        length = jnp.exp(jax.random.uniform(keys[6], (), minval=4.0, maxval=5.5))
        spread = jax.random.uniform(keys[7], (), minval=0.3, maxval=1.2)
        return topics, preference, tilt, length, spread

    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample feature"]:
        topics, preference, tilt, length, spread = task
        mix_key, length_key, count_key = jax.random.split(key, 3)
        noise = spread * jax.random.normal(mix_key, (labels.shape[0], self.n_topics))
        share = jax.nn.softmax(preference[labels] + noise, axis=1)
        rate = (share @ topics) * tilt[labels]
        rate = rate / jnp.sum(rate, axis=1, keepdims=True)
        longer = jnp.exp(0.4 * jax.random.normal(length_key, (labels.shape[0], 1)))
        return _poisson(length * longer * rate, key=count_key)


class MixedTable(AbstractVectorSource):
    """Tables: correlated columns of many kinds, units and shapes.

    A few factors, shared by all classes, explain most of every column; classes shift the factors
    and, each column by itself, the rest. Columns are then left as they are, made heavy-tailed (an
    exponential), rounded or cut to yes and no, and given log-normal units.

    Parameters
    ----------
    n_features
        Number of columns.
    n_classes
        Number of classes.
    rank : int, default=5
        Number of shared factors.
    """

    rank: int = eqx.field(static=True, default=5)

    def draw_task(self, *, key: PRNGKey) -> SourceTask:
        keys = jax.random.split(key, 9)
        d, r, c = self.n_features, self.rank, self.n_classes
        importance = jnp.exp(-0.4 * jnp.arange(1.0 * r))
        loadings = importance[:, None] * jax.random.normal(keys[0], (r, d))
        reach = jnp.exp(jax.random.uniform(keys[1], (2,), minval=-1.5, maxval=0.3))
        shift = reach[0] * jax.random.normal(keys[2], (c, r)) @ loadings
        shift = shift + reach[1] * jax.random.normal(keys[3], (c, d))
        noise = jnp.exp(jax.random.uniform(keys[4], (d,), minval=-1.5, maxval=0.0))
        kind = jax.random.randint(keys[5], (d,), 0, 6)
        cut = 0.7 * jax.random.normal(keys[6], (d,))
        scale = jnp.exp(1.5 * jax.random.normal(keys[7], (d,)))
        spread = jnp.exp(0.3 * jax.random.normal(keys[8], (c, r)))
        return loadings, shift, noise, kind, cut, scale, spread

    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample feature"]:
        loadings, shift, noise, kind, cut, scale, spread = task
        factor_key, noise_key = jax.random.split(key)
        n = labels.shape[0]
        factors = spread[labels] * jax.random.normal(factor_key, (n, self.rank))
        x = factors @ loadings + shift[labels]
        x = x + noise * jax.random.normal(noise_key, x.shape)
        tailed = jnp.exp(0.7 * jnp.clip(x, -6.0, 6.0))
        x = jnp.where(kind < 2, x, jnp.where(kind < 4, tailed, jnp.round(x)))
        x = jnp.where(kind == 5, (x > cut).astype(x.dtype), x)
        return scale * x


class Prototypes(AbstractVectorSource):
    """Classes are random binary prototypes blurred by nuisance factors that switch columns on.

    `x = clip(prototype_class * a + sum of a few active nuisance patterns + noise, 0, 1)`: dense,
    bounded, non-negative, correlated columns, like grey images without their geometry.

    Parameters
    ----------
    n_features
        Number of columns.
    n_classes
        Number of classes.
    n_nuisances : int, default=12
        Number of nuisance patterns of a task.
    """

    n_nuisances: int = eqx.field(static=True, default=12)

    def draw_task(self, *, key: PRNGKey) -> SourceTask:
        keys = jax.random.split(key, 5)
        d, c = self.n_features, self.n_classes
        density = jax.random.uniform(keys[0], (), minval=0.15, maxval=0.6)
        smooth = jax.random.normal(keys[1], (24, d))
        field = jax.random.normal(keys[2], (c, 24)) @ smooth / jnp.sqrt(24.0)
        prototypes = (field > jax.scipy.special.ndtri(1.0 - density)).astype(jnp.float32)
        patterns = jax.random.normal(keys[3], (self.n_nuisances, 24)) @ smooth / jnp.sqrt(24.0)
        strength = jax.random.uniform(keys[4], (), minval=0.2, maxval=1.0)
        return prototypes, patterns, strength

    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample feature"]:
        prototypes, patterns, strength = task
        amount_key, active_key, noise_key = jax.random.split(key, 3)
        n = labels.shape[0]
        amount = jax.random.uniform(amount_key, (n, 1), minval=0.4, maxval=1.0)
        active = jax.random.bernoulli(active_key, 0.25, (n, self.n_nuisances))
        x = amount * prototypes[labels] + strength * (active @ patterns) / 2.0
        return jnp.clip(x + 0.15 * jax.random.normal(noise_key, x.shape), 0.0, 1.0)


def _poisson(rate: Float[Array, "*shape"], *, key: PRNGKey) -> Float[Array, "*shape"]:
    """Poisson counts up to 4 by inversion: cheap, and exact for the rare words that matter."""
    u = jax.random.uniform(key, rate.shape)
    term = jnp.exp(-rate)
    total, count = term, jnp.zeros(rate.shape)
    for k in range(1, 5):
        count = count + (u > total)
        term = term * rate / k
        total = total + term
    return count
