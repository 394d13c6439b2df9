"""A trained local rule with more to it, which does the same until it is trained further."""

import dataclasses

import jax.numpy as jnp

from metaplastic.errors import InputError
from metaplastic.rules.base import AbstractUpdateRule
from metaplastic.rules.local.rule import LocalRule
from metaplastic.types import PRNGKey


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
    )
    wider = {}
    for name in ("element_in", "unit_in", "sample_in", "role_in"):
        wider[name] = jnp.concatenate([getattr(rule, name), getattr(fresh, name)])[:hidden]
    for name in ("hidden_out", "top_hidden_out", "bias_out"):
        own = getattr(rule, name)
        silent = jnp.zeros((*own.shape[:-1], hidden - now))
        wider[name] = jnp.concatenate([own, silent], axis=-1)
    return dataclasses.replace(rule, **wider)


def told_outputs(rule: LocalRule) -> LocalRule:
    """The same rule `with_outputs`, to which it pays no attention yet."""
    if rule.with_outputs:
        return rule
    read = {
        name: jnp.pad(getattr(rule, name), ((0, 0), (0, 1)))
        for name in ("element_in", "element_out", "top_element_out")
    }
    return dataclasses.replace(rule, **read, with_outputs=True)


def grown(
    rule: AbstractUpdateRule, *, hidden: int, with_outputs: bool, settle: int, key: PRNGKey
) -> AbstractUpdateRule:
    """A local rule with at least `hidden` hidden units, and the other fields as asked for.

    It does the same as `rule` until it is trained further. Rules of other classes stay as they are.
    """
    if not isinstance(rule, LocalRule):
        return rule
    rule = told_outputs(rule) if with_outputs else rule
    rule = widened(rule, max(hidden, rule.hidden), key=key)
    return dataclasses.replace(rule, settle=settle or rule.settle)
