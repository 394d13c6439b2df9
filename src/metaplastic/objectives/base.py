"""What a meta-objective is: a score of features against labels, blind to model and rule."""

import abc

import equinox as eqx
from jaxtyping import Array, Float, Int

from metaplastic.types import Metrics


class AbstractMetaObjective(eqx.Module):
    """Scores features of a labelled support set and a labelled query set."""

    @abc.abstractmethod
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
        """The loss to minimise, and metrics (`accuracy` among them).

        `extra` are numbers to be regressed besides the classes (a task distribution's `targets`).
        """
