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
    """Ridge from support features to centred one-hot targets, scored on the query set.

    Features are divided by one scalar, the root mean square of the centred support features
    times the square root of their number (so the Gram matrix has mean eigenvalue of order one
    whatever the width), and the bias is not penalised. `strength` is the penalty on that scale.

    Scores: `cosine` is 1 minus the mean over query samples of the cosine between prediction and
    centred target, `squared` the mean squared error against the centred target. Both are 1 for
    a prediction that knows nothing and 0 for a perfect one.
    """

    strength: float = eqx.field(static=True, default=0.1)
    score: Literal["cosine", "squared"] = eqx.field(static=True, default="cosine")

    def __check_init__(self) -> None:
        if not self.strength > 0:
            raise InputError(f"strength must be positive, got {self.strength}")
        if self.score not in ("cosine", "squared"):
            raise InputError(f"unknown score {self.score!r}; choose cosine or squared")

    def __call__(
        self,
        support: Float[Array, "support dim"],
        support_labels: Int[Array, " support"],
        query: Float[Array, "query dim"],
        query_labels: Int[Array, " query"],
        *,
        n_classes: int,
    ) -> tuple[Float[Array, ""], Metrics]:
        mean = jnp.mean(support, axis=0)
        scale = jax.lax.rsqrt(jnp.mean(jnp.square(support - mean)) + 1e-8)
        support, query = (support - mean) * scale, (query - mean) * scale
        targets = jax.nn.one_hot(support_labels, n_classes)
        mean_target = jnp.mean(targets, axis=0)
        prediction = query @ ridge(support, targets - mean_target, self.strength)
        wanted = jax.nn.one_hot(query_labels, n_classes) - mean_target
        if self.score == "cosine":
            length = jnp.sqrt(jnp.sum(jnp.square(prediction), 1) + 1e-6)
            target_length = jnp.sqrt(jnp.sum(jnp.square(wanted), 1))
            loss = 1.0 - jnp.mean(jnp.sum(prediction * wanted, 1) / (length * target_length))
        else:
            loss = jnp.mean(jnp.sum(jnp.square(prediction - wanted), 1))
            loss = loss / jnp.mean(jnp.sum(jnp.square(wanted), 1))
        hits = jnp.argmax(prediction + mean_target, axis=1) == query_labels
        return loss, {"accuracy": jnp.mean(hits.astype(jnp.float32))}


def ridge(
    x: Float[Array, "sample dim"], y: Float[Array, "sample target"], strength: float
) -> Float[Array, "dim target"]:
    """Minimiser of `|x w - y|^2 / n + strength |w|^2` by a Cholesky factor of the smaller Gram
    matrix (features if there are fewer of them, else samples); no bias, so centre first."""
    n, dim = x.shape
    if dim <= n:
        gram = x.T @ x / n + strength * jnp.eye(dim)
        return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(gram), x.T @ y / n)
    gram = x @ x.T / n + strength * jnp.eye(n)
    return x.T @ jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(gram), y / n)
