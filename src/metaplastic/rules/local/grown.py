"""A trained local rule with more to it, which does the same until it is trained further; or with
less, to be taught what it lost."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array

from metaplastic.errors import InputError
from metaplastic.rules.base import AbstractUpdateRule
from metaplastic.rules.local.rule import LocalRule
from metaplastic.types import PRNGKey

_LISTENING = ("element_in", "unit_in", "sample_in", "role_in")
"""Arrays with a row for each hidden unit."""

_SAYING = ("hidden_out", "top_hidden_out", "bias_out")
"""Arrays whose last axis is that of the hidden units."""


def widened(rule: LocalRule, hidden: int, *, key: PRNGKey) -> LocalRule:
    """The same rule with more hidden units: they listen already, and say nothing yet.

    Raises
    ------
    InputError
        For fewer hidden units than there are.
    """
    now = rule.element_in.shape[0]
    if hidden < now:
        raise InputError(f"this rule has {now} hidden units already, got {hidden}")
    fresh = LocalRule.create(
        key=key,
        hidden=max(hidden - now, 1),
        lateral=rule.lateral,
        with_outputs=rule.with_outputs,
        with_labels=rule.with_labels,
    )
    wider = {}
    for name in _LISTENING:
        wider[name] = jnp.concatenate([getattr(rule, name), getattr(fresh, name)])[:hidden]
    for name in _SAYING:
        own = getattr(rule, name)
        silent = jnp.zeros((*own.shape[:-1], hidden - now))
        wider[name] = jnp.concatenate([own, silent], axis=-1)
    return dataclasses.replace(rule, **wider)


def narrowed(rule: LocalRule, hidden: int) -> LocalRule:
    """The rule with `hidden` of its hidden units, those that say most.

    All that needs no hidden unit is kept, so that teaching begins where the teacher stands.

    Raises
    ------
    InputError
        For no hidden unit, or more than there are.
    """
    if not 1 <= hidden <= rule.hidden:
        raise InputError(f"a rule of {rule.hidden} hidden units cannot be cut to {hidden}")
    said = jnp.sum(jnp.square(rule.hidden_out), axis=0) + jnp.sum(
        jnp.square(rule.top_hidden_out), axis=0
    )
    kept = jnp.sort(jnp.argsort(-said)[:hidden])
    fewer = {name: getattr(rule, name)[kept] for name in _LISTENING}
    fewer |= {name: getattr(rule, name)[..., kept] for name in _SAYING}
    return dataclasses.replace(rule, **fewer)


def told_outputs(rule: LocalRule) -> LocalRule:
    """The same rule `with_outputs`, to which it pays no attention yet.

    Raises
    ------
    InputError
        For a rule that hears labels: those come last.
    """
    if rule.with_outputs:
        return rule
    if rule.with_labels:
        raise InputError("a rule that hears labels cannot be told outputs any more; tell it first")
    return dataclasses.replace(rule, **_one_element_more(rule), with_outputs=True)


def told_labels(rule: LocalRule) -> LocalRule:
    """The same rule `with_labels`, to which it pays no attention yet."""
    if rule.with_labels:
        return rule
    return dataclasses.replace(rule, **_one_element_more(rule), with_labels=True)


def _one_element_more(rule: LocalRule) -> dict[str, Array]:
    names = ("element_in", "element_out", "top_element_out")
    return {name: jnp.pad(getattr(rule, name), ((0, 0), (0, 1))) for name in names}


def grown(
    rule: AbstractUpdateRule,
    *,
    hidden: int,
    with_outputs: bool,
    with_labels: bool = False,
    settle: int,
    key: PRNGKey,
) -> AbstractUpdateRule:
    """A local rule with at least `hidden` hidden units, and the other fields as asked for.

    It does the same as `rule` until it is trained further. Rules of other classes stay as they are.
    """
    if not isinstance(rule, LocalRule):
        return rule
    rule = told_outputs(rule) if with_outputs else rule
    rule = told_labels(rule) if with_labels else rule
    rule = widened(rule, max(hidden, rule.hidden), key=key)
    return dataclasses.replace(rule, settle=settle or rule.settle)
