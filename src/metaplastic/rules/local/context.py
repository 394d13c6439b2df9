"""`context`: a local rule that looks what kind of inputs and nonlinearity its network has."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.models import BOUNDED, MLP, Delta, Initialisation, Readout, Trace
from metaplastic.rules.base import AbstractUpdateRule, Variant
from metaplastic.rules.local.rule import LocalRule
from metaplastic.types import Locality, PRNGKey

CONTEXTS = 2
"""Inputs that are mostly zeros; a bounded nonlinearity (`models.BOUNDED`) on other inputs."""

HALFWAY, STEEP = 0.86, 60.0
"""`share_at_floor` above which inputs are taken for mostly zeros (as `learners` has it for a whole
pool), and how sharply: real words have 0.89 and more, images 0.83 and less."""


class Shifts(eqx.Module):
    """What a context adds to arrays of the rule; all zero in a fresh rule."""

    hidden: Float[Array, "context hidden"]
    weight_terms: Float[Array, "context term"]
    feedback_terms: Float[Array, "context term"]
    rates: Float[Array, "context 3"]
    decay: Float[Array, "context 2"]
    competition: Float[Array, " context"]
    similarity: Float[Array, " context"]

    @classmethod
    def none(cls, hidden: int) -> "Shifts":
        """For a rule of so many hidden units."""
        wide = (hidden, 3, 3, 3, 2)
        return cls(*(jnp.zeros((CONTEXTS, n)) for n in wide), *(jnp.zeros(CONTEXTS),) * 2)


class ContextRule(AbstractUpdateRule):
    """`LocalRule` in which a few numbers differ with the context `c = (sparse, bounded)`.

    `sparse = sigmoid(60 (share - 0.86))`, share of the batch's inputs that are the least of their
    column; `bounded = 1 - sparse` in networks of tanh, sigmoid, sine or step, else 0. The offsets
    of the hidden units, the weights of terms, rates, their decay and the sharpness of the lateral
    signals are those of `rule` plus `c` times `shifts`; all else is the same in every context.

    Locality: that of `rule`. The context is one signal for the whole network, like a
    neuromodulator's; it depends on the inputs alone.
    """

    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("context", "`local` that sees what kind of inputs its network has, untrained"),
    )
    file_fields: ClassVar[Mapping[str, type]] = LocalRule.file_fields

    initialisation: ClassVar[Initialisation] = "unit_norm"
    readout: ClassVar[Readout] = "drive"

    rule: LocalRule
    shifts: Shifts

    @property
    def locality(self) -> Locality:
        return self.rule.locality

    @classmethod
    def create(cls, *, key: PRNGKey, **fields: Any) -> "ContextRule":
        """An untrained rule, the same in every context; fields and errors of `LocalRule.create`."""
        rule = LocalRule.create(key=key, **fields)
        # `locality` is a property, not a field, which pyright does not see.
        return cls(rule, Shifts.none(rule.hidden))  # pyright: ignore[reportCallIssue]

    def file_values(self) -> dict[str, Any]:
        return self.rule.file_values()

    def init(self, model: MLP, *, key: PRNGKey) -> Float[Array, ""]:
        """The number of steps done."""
        return self.rule.init(model, key=key)

    def update(
        self, model: MLP, trace: Trace, state: Float[Array, ""], *, key: PRNGKey
    ) -> tuple[Delta, Float[Array, ""]]:
        """That of the rule for the context of this batch."""
        sparse = jax.nn.sigmoid(STEEP * (share_at_floor(trace[0].pre) - HALFWAY))
        bounded = (1.0 - sparse) * (model.activation in BOUNDED)
        return self.at(sparse, bounded).update(model, trace, state, key=key)

    def at(self, sparse: Float[Array, ""] | float, bounded: Float[Array, ""] | float) -> LocalRule:
        """The plain rule for a context: 0 and 0, 1 and 0, or 0 and 1."""
        context = jnp.stack([jnp.asarray(sparse, jnp.float32), jnp.asarray(bounded, jnp.float32)])
        plain, shift = self.rule, jax.tree.map(lambda each: context @ each, self.shifts)
        return dataclasses.replace(
            plain,
            role_in=plain.role_in.at[:, 0].add(shift.hidden),
            weight_terms=plain.weight_terms + shift.weight_terms,
            feedback_terms=plain.feedback_terms + shift.feedback_terms,
            rates=plain.rates + shift.rates,
            decay=plain.decay + shift.decay,
            competition=plain.competition + shift.competition,
            similarity=plain.similarity + shift.similarity,
        )


def share_at_floor(inputs: Float[Array, "batch pre"]) -> Float[Array, ""]:
    """Share of a batch's inputs that are the least of their column, among columns that vary."""
    least = jnp.min(inputs, axis=0)
    varies = jnp.max(inputs, axis=0) > least
    at_floor = jnp.sum((inputs <= least) & varies)
    return at_floor / jnp.maximum(inputs.shape[0] * jnp.sum(varies), 1)
