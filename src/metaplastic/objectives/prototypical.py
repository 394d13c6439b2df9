"""Classification by the nearest class mean, as a differentiable score of features."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from metaplastic.objectives.base import AbstractMetaObjective
from metaplastic.types import Metrics


class Prototypical(AbstractMetaObjective):
    """Cross entropy of `softmax(-scale |query - mean of class k|^2)`.

    Source: Snell, Swersky and Zemel 2017 (arXiv 1703.05175), equations 1 and 2. The inverse
    temperature `scale` was added by Oreshkin et al. 2018 (arXiv 1805.10123). Every class needs a
    support sample. `extra` targets are ignored.

    Parameters
    ----------
    scale : float, default=1.0
        Inverse temperature.
    """

    scale: Float[Array, ""] = eqx.field(converter=jnp.asarray, default=1.0)

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
        del extra
        member = jax.nn.one_hot(support_labels, n_classes)
        prototypes = (member.T @ support) / jnp.sum(member, axis=0)[:, None]
        # |q|^2 is the same for all classes, so it is left out.
        logits = self.scale * (2 * query @ prototypes.T - jnp.sum(jnp.square(prototypes), axis=1))
        surprise = -jax.nn.log_softmax(logits)[jnp.arange(query.shape[0]), query_labels]
        hits = jnp.argmax(logits, axis=1) == query_labels
        return jnp.mean(surprise), {"accuracy": jnp.mean(hits.astype(jnp.float32))}
