"""Few-shot ridge regression as a differentiable meta-objective.

Source: Metz et al. 2018 (arXiv 1804.00222), section 4.3: features of a few labelled examples are
regressed on one-hot labels in closed form, and the fit is scored on other examples.
"""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from metaplastic.errors import InputError
from metaplastic.objectives.base import AbstractMetaObjective
from metaplastic.types import Metrics


class FewShotRidge(AbstractMetaObjective):
    """Ridge from support features to one-hot targets, scored on the query set.

    `extra` targets stand beside the one-hot columns. The bias is not penalised.

    Scores `cosine` and `squared`: features are divided by one scalar, the root mean square of the
    centred support features (so the Gram matrix has mean eigenvalue of order one whatever the
    width), and `strength` is the penalty on that scale. Targets are centred by the support's
    means. `cosine` is 1 minus the mean over query samples of the cosine between prediction and
    target, `squared` the mean squared error against it. Both are 1 for a prediction that knows
    nothing and 0 for a perfect one.

    Score `published`: the objective of the original program. Features as they are; targets minus
    their global mean, divided by the root mean squared length of their rows, support and query
    apart; penalty `strength` on the summed Gram matrix; predictions divided by their length;
    loss `(sum (prediction - target)^2 + strength sum w^2) / n` over `n` query samples.

    Parameters
    ----------
    strength : float, default=0.1
        The penalty.
    score : {"cosine", "squared", "published"}, default="cosine"
        `cosine`, `squared` or `published`.
    """

    strength: float = eqx.field(static=True, default=0.1)
    score: Literal["cosine", "squared", "published"] = eqx.field(static=True, default="cosine")

    def __check_init__(self) -> None:
        if not self.strength > 0:
            raise InputError(f"strength must be positive, got {self.strength}")
        if self.score not in ("cosine", "squared", "published"):
            raise InputError(f"unknown score {self.score!r}; choose cosine, squared or published")

    def __call__(
        self,
        support: Float[Array, "support dim"],
        support_labels: Int[Array, " support"],
        query: Float[Array, "query dim"],
        query_labels: Int[Array, " query"],
        *,
        n_classes: int,
        extra: tuple[Float[Array, "support target"], Float[Array, "query target"]] | None = None,
    ) -> tuple[Float[Array, ""], Metrics]:
        known = jax.nn.one_hot(support_labels, n_classes)
        wanted = jax.nn.one_hot(query_labels, n_classes)
        if extra is not None:
            known = jnp.concatenate([known, extra[0]], axis=1)
            wanted = jnp.concatenate([wanted, extra[1]], axis=1)
        score = self._published if self.score == "published" else self._scaled
        loss, prediction = score(support, known, query, wanted)
        hits = jnp.argmax(prediction[:, :n_classes], axis=1) == query_labels
        return loss, {"accuracy": jnp.mean(hits.astype(jnp.float32))}

    def _scaled(
        self, support: Array, known: Array, query: Array, wanted: Array
    ) -> tuple[Float[Array, ""], Float[Array, "query target"]]:
        mean, mean_target = jnp.mean(support, axis=0), jnp.mean(known, axis=0)
        scale = jax.lax.rsqrt(jnp.mean(jnp.square(support - mean)) + 1e-8)
        weight = ridge((support - mean) * scale, known - mean_target, self.strength)
        prediction, wanted = (query - mean) * scale @ weight, wanted - mean_target
        if self.score == "cosine":
            length = jnp.sqrt(jnp.sum(jnp.square(prediction), 1) + 1e-6)
            target_length = jnp.sqrt(jnp.sum(jnp.square(wanted), 1))
            loss = 1.0 - jnp.mean(jnp.sum(prediction * wanted, 1) / (length * target_length))
        else:
            loss = jnp.mean(jnp.sum(jnp.square(prediction - wanted), 1))
            loss = loss / jnp.mean(jnp.sum(jnp.square(wanted), 1))
        return loss, prediction + mean_target

    def _published(
        self, support: Array, known: Array, query: Array, wanted: Array
    ) -> tuple[Float[Array, ""], Float[Array, "query target"]]:
        known, wanted = _centred(known), _centred(wanted)
        # Centring both sides is what an unpenalised bias does.
        mean, mean_target = jnp.mean(support, axis=0), jnp.mean(known, axis=0)
        strength = self.strength / support.shape[0]
        weight = ridge(support - mean, known - mean_target, strength)
        prediction = (query - mean) @ weight + mean_target
        prediction *= jax.lax.rsqrt(jnp.sum(jnp.square(prediction), 1, keepdims=True) + 1e-12)
        penalty = self.strength * jnp.sum(jnp.square(weight))
        return (jnp.sum(jnp.square(prediction - wanted)) + penalty) / query.shape[0], prediction


def _centred(targets: Float[Array, "sample target"]) -> Float[Array, "sample target"]:
    """Minus one global mean, divided by the root mean squared length of the rows."""
    targets = targets - jnp.mean(targets)
    return targets * jax.lax.rsqrt(jnp.mean(jnp.sum(jnp.square(targets), axis=1)))


def ridge(
    x: Float[Array, "sample dim"], y: Float[Array, "sample target"], strength: float
) -> Float[Array, "dim target"]:
    """Ridge regression without a bias: the minimiser of `|x w - y|^2 / n + strength |w|^2`.

    It takes a Cholesky factor of the smaller Gram matrix: of features if there are fewer of them,
    else of samples.

    Parameters
    ----------
    x : array (sample, dim) of float
        Centred features.
    y : array (sample, target) of float
        Centred targets.
    strength : float
        The penalty.

    Returns
    -------
    array (dim, target) of float
        The weights.

    Examples
    --------
    >>> import jax
    >>> from metaplastic.objectives import ridge
    >>> x = jax.random.normal(jax.random.key(0), (20, 8))
    >>> ridge(x, x[:, :2], 0.1).shape
    (8, 2)
    """
    n, dim = x.shape
    if dim <= n:
        gram = x.T @ x / n + strength * jnp.eye(dim)
        return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(gram), x.T @ y / n)
    gram = x @ x.T / n + strength * jnp.eye(n)
    return x.T @ jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(gram), y / n)
