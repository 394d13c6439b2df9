"""The seam: what an update rule is, and the one way it is applied.

A rule reads a base model and the trace of one batch and returns a change of the model's
parameters. It never calls the model. Its inexact-array leaves are the meta-parameters theta.
"""

import abc
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, Float, PyTree

from metaplastic.models import MLP, Delta, Initialisation, Readout, Trace, init_mlp
from metaplastic.models.scaling import InputScaling
from metaplastic.types import Locality, PRNGKey

RuleState = PyTree
"""What a rule carries from step to step (arrays of fixed shape and dtype); `()` if nothing."""


class AbstractUpdateRule(eqx.Module):
    """An update rule; see `docs/extending.md` for a skeleton.

    Concrete rules are final: subclass this, not another rule.
    """

    locality: eqx.AbstractVar[Locality]
    """What a weight's change may depend on; measured by the tests, so it cannot be a boast."""

    initialisation: ClassVar[Initialisation] = "unit_norm"
    """How the base model's weights start under this rule."""

    readout: ClassVar[Readout] = "drive"
    """Which output of the top layer serves as features under this rule."""

    @property
    def direct(self) -> bool:
        """Whether the inputs themselves stand among the features beside what was learned."""
        return False

    @property
    def whitening(self) -> float:
        """How much more equal the leading principal components of the inputs are made for it.

        The power of `models.whitening_from_moments`: 0 for not at all, 0.5 for entirely. Of several
        networks every other sees them as they are (`learners.RuleLearner.starts`).
        """
        return 0.0

    def suited(self, *, sparse: bool) -> "AbstractUpdateRule":
        """The rule to learn with: on inputs that are mostly zeros it may be one that this brings.

        What is returned brings no other for sparse inputs.
        """
        del sparse
        return self

    def for_activation(self, activation: str) -> "AbstractUpdateRule":
        """The rule to train a network of this nonlinearity with; it may be one that this brings.

        What is returned brings no other, so that rules of one shape share compiled programs.
        """
        del activation
        return self

    @abc.abstractmethod
    def init(self, model: MLP, *, key: PRNGKey) -> RuleState:
        """The rule's state before the first step."""

    @abc.abstractmethod
    def update(
        self, model: MLP, trace: Trace, state: RuleState, *, key: PRNGKey
    ) -> tuple[Delta, RuleState]:
        """The change of every layer's parameters, and the rule's next state."""


def init_model(
    rule: AbstractUpdateRule,
    sizes: tuple[int, ...],
    *,
    key: PRNGKey,
    activation: str = "relu",
    scaling: InputScaling | None = None,
) -> MLP:
    """A fresh base model of the kind that `rule` trains; raises what `init_mlp` raises."""
    return init_mlp(
        sizes,
        key=key,
        activation=activation,
        initialisation=rule.initialisation,
        readout=rule.readout,
        scaling=scaling,
    )


def apply_rule(
    rule: AbstractUpdateRule,
    model: MLP,
    state: RuleState,
    batch: Float[Array, "batch pre"],
    *,
    key: PRNGKey,
) -> tuple[MLP, RuleState, Trace]:
    """One inner step: run the batch, ask the rule, change the model. Used everywhere.

    Returns the changed model, the rule's next state and the trace from before the change.
    """
    trace = model.trace(batch)
    delta, state = rule.update(model, trace, state, key=key)
    return model.apply(delta), state, trace
