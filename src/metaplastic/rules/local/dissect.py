"""What the local rule's change of the weights is made of: terms, signals, and an ablation of each.

Nothing here is needed to learn; it takes the rule apart, for reports on it.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.errors import InputError
from metaplastic.models import MLP, Trace
from metaplastic.rules.base import AbstractUpdateRule
from metaplastic.rules.local.change import terms_of, without_growth
from metaplastic.rules.local.factors import outer
from metaplastic.rules.local.rule import LocalRule

ACTIVITY, TOP_DOWN = "own activity", "top-down signals"
LATERAL = ("competition", "decorrelation signal", "similar samples")
"""Features of a (sample, unit) by what they mean."""

OUTPUTS = "outputs"
"""What the layer above receives, of rules `with_outputs`. Labels are no part."""

NETWORK = "hidden network"
GATED, CROWDING, NORM = "weight-proportional term", "crowding term", "norm kept"
PARTS = (ACTIVITY, TOP_DOWN, *LATERAL, OUTPUTS, NETWORK, GATED, CROWDING, NORM)
"""Names of all that `dissect` tells apart, in order."""

SILENT = -30.0
"""A rate or weight, before its sigmoid, that is as good as zero."""


class LayerParts(NamedTuple):
    """The pre-normalised change of one layer's weights, in parts that add up to `total`."""

    parts: dict[str, Float[Array, "pre post"]]
    total: Float[Array, "pre post"]


def dissect(rule: LocalRule, model: MLP, trace: Trace, state: Float[Array, ""]) -> list[LayerParts]:
    """Every layer's U of the rule's docstring: T_0 by what its post-synaptic factor reads (see
    `PARTS`, and the hidden network), T_1, T_2, and what keeps the norm of the weights."""
    groups, n = _readers(rule), rule.n_factors
    signals = rule._signals(model, trace, state)
    partial = {name: each._signals(model, trace, state) for name, each in groups.items()}
    layers = []
    for index, layer in enumerate(model.layers):
        inputs, pre, own = trace[index].pre, signals[index].pre, signals[index + 1]
        terms = terms_of(layer, inputs, pre, own, n_factors=n, lateral=rule.lateral)
        whole = outer(pre[:n], own.post[:n])
        # T_0 is the product of factors divided by its root mean square.
        scale = jnp.sum(terms[0] * whole, axis=0) / (jnp.sum(whole * whole, axis=0) + 1e-30)
        parts = {
            name: rule.weight_terms[0] * scale * outer(pre[:n], some[index + 1].post[:n])
            for name, some in partial.items()
        }
        for name, weight, term in zip(
            (GATED, CROWDING), rule.weight_terms[1:], terms[1:], strict=False
        ):
            parts[name] = weight * term
        change = sum(parts.values(), jnp.zeros_like(layer.weight))
        total = without_growth(layer.weight, inputs, change)
        parts[NORM] = total - change
        layers.append(LayerParts(parts, total))
    return layers


def shares(layer: LayerParts) -> dict[str, Float[Array, ""]]:
    """How much each part contributes along the total; together 1, negative if it works against."""
    power = jnp.sum(jnp.square(layer.total)) + 1e-30
    return {name: jnp.sum(part * layer.total) / power for name, part in layer.parts.items()}


def pair_factors(
    rule: LocalRule, model: MLP, trace: Trace, state: Float[Array, ""], layer: int
) -> tuple[Float[Array, "channel batch pre"], Float[Array, "channel batch post"]]:
    """Pre- and post-synaptic factors of a layer's T_0: what a sample adds to the change of a
    weight is the sum over channels of their products."""
    signals, n = rule._signals(model, trace, state), rule.n_factors
    return signals[layer].pre[:n], signals[layer + 1].post[:n]


def ablations(rule: LocalRule) -> dict[str, LocalRule]:
    """The rule without each of its parts in turn, by the name of what is missing."""
    without = {name: _without_elements(rule, columns) for name, columns in _elements(rule).items()}
    for index, name in enumerate(("Hebbian term", GATED, CROWDING)):
        without[name] = dataclasses.replace(rule, weight_terms=rule.weight_terms.at[index].set(0.0))
    if not rule.lateral:
        del without[CROWDING]
    without[NETWORK] = dataclasses.replace(
        rule,
        hidden_out=jnp.zeros_like(rule.hidden_out),
        top_hidden_out=jnp.zeros_like(rule.top_hidden_out),
    )
    without["features of units"] = dataclasses.replace(rule, unit_in=jnp.zeros_like(rule.unit_in))
    without["features of samples"] = dataclasses.replace(
        rule, sample_in=jnp.zeros_like(rule.sample_in)
    )
    without["role and time"] = dataclasses.replace(rule, role_in=jnp.zeros_like(rule.role_in))
    for index, name in ((1, "change of feedback"), (2, "change of biases")):
        without[name] = dataclasses.replace(rule, rates=rule.rates.at[index].set(SILENT))
    without["slowing down"] = dataclasses.replace(rule, decay=rule.decay.at[1].set(SILENT))
    return without


def as_local(rule: AbstractUpdateRule) -> LocalRule:
    """The rule, if it can be taken apart; raises `InputError` for rules of another class."""
    if not isinstance(rule, LocalRule):
        raise InputError(
            f"only rules of class LocalRule, as base is, can be taken apart, got "
            f"{type(rule).__name__}; name another rule"
        )
    return rule


def _elements(rule: LocalRule) -> dict[str, tuple[int, ...]]:
    """Columns of `element_in` and `element_out` by what they mean."""
    lateral = 2 + as_local(rule).n_messages
    elements = {ACTIVITY: (0, 1), TOP_DOWN: tuple(range(2, lateral))}
    names = (*(LATERAL if rule.lateral else ()), *((OUTPUTS,) if rule.with_outputs else ()))
    return elements | {name: (lateral + place,) for place, name in enumerate(names)}


def _readers(rule: LocalRule) -> dict[str, LocalRule]:
    """The rule with post-synaptic factors that read one group alone; all else is as it was."""
    own = jnp.arange(rule.element_out.shape[0]) < rule.input_out.shape[0]

    def keep(columns: Sequence[int], network: bool) -> LocalRule:
        chosen = jnp.isin(jnp.arange(rule.element_out.shape[1]), jnp.array(columns, jnp.int32))
        return eqx.tree_at(
            lambda r: (r.element_out, r.hidden_out, r.offset_out),
            rule,
            (
                jnp.where(own[:, None] & ~chosen, 0.0, rule.element_out),
                rule.hidden_out if network else jnp.where(own[:, None], 0.0, rule.hidden_out),
                rule.offset_out if network else jnp.where(own, 0.0, rule.offset_out),
            ),
        )

    readers = {name: keep(columns, False) for name, columns in _elements(rule).items()}
    return {**readers, NETWORK: keep((), True)}


def _without_elements(rule: LocalRule, columns: Sequence[int]) -> LocalRule:
    chosen = jnp.array(columns)
    return eqx.tree_at(
        lambda r: (r.element_in, r.element_out, r.top_element_out),
        rule,
        replace_fn=lambda matrix: matrix.at[:, chosen].set(0.0),
    )
