"""A trained local rule with more to it, which does the same until it is trained further; or with
less, to be taught what it lost."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array

from metaplastic.errors import InputError
from metaplastic.rules.base import AbstractUpdateRule
from metaplastic.rules.local.rule import LocalRule
from metaplastic.rules.local.start import is_whole
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
        n_messages=rule.n_messages,
        n_factors=rule.n_factors,
    )
    wider = {}
    for name in _LISTENING:
        wider[name] = jnp.concatenate([getattr(rule, name), getattr(fresh, name)])[:hidden]
    for name in _SAYING:
        own = getattr(rule, name)
        silent = jnp.zeros((*own.shape[:-1], hidden - now))
        wider[name] = jnp.concatenate([own, silent], axis=-1)
    return dataclasses.replace(rule, **wider)


def narrowed(
    rule: LocalRule, hidden: int, n_messages: int | None = None, n_factors: int | None = None
) -> LocalRule:
    """The rule with fewer hidden units, messages and factors: those that say most.

    All that needs none of those which are cut is kept, so that teaching begins where the teacher
    stands. Messages and factors left out stay as many as they are.

    Raises
    ------
    InputError
        For none, or more than there are.
    """
    for name, wanted, there in (
        ("hidden units", hidden, rule.hidden),
        ("messages", n_messages, rule.n_messages),
        ("factors", n_factors, rule.n_factors),
    ):
        if wanted is not None and not (is_whole(wanted) and 1 <= wanted <= there):
            raise InputError(f"a rule of {there} {name} cannot be cut to {wanted}")
    rule = _fewer_messages(rule, n_messages or rule.n_messages)
    rule = _fewer_factors(rule, n_factors or rule.n_factors)
    said = jnp.sum(jnp.square(rule.hidden_out), axis=0) + jnp.sum(
        jnp.square(rule.top_hidden_out), axis=0
    )
    kept = _loudest(said, hidden)
    fewer = {name: getattr(rule, name)[kept] for name in _LISTENING}
    fewer |= {name: getattr(rule, name)[..., kept] for name in _SAYING}
    return dataclasses.replace(rule, **fewer)


def _fewer_messages(rule: LocalRule, n_messages: int) -> LocalRule:
    """The rule with the messages to which units below pay most attention."""
    own = slice(2, 2 + rule.n_messages)
    heard = sum(
        jnp.sum(jnp.square(matrix), axis=0)
        for matrix in (
            rule.element_in[:, own],
            rule.element_out[:, own],
            rule.top_element_out[:, own],
            rule.input_out[:, 1:],
        )
    )
    kept = _loudest(jnp.asarray(heard), n_messages)
    cut = jnp.setdiff1d(jnp.arange(rule.n_messages), kept)
    sent = 2 * rule.input_out.shape[0] + cut
    fewer: dict[str, Array] = {
        "element_in": jnp.delete(rule.element_in, 2 + cut, axis=1),
        "element_out": jnp.delete(jnp.delete(rule.element_out, 2 + cut, axis=1), sent, axis=0),
        "hidden_out": jnp.delete(rule.hidden_out, sent, axis=0),
        "offset_out": jnp.delete(rule.offset_out, sent),
        "top_element_out": jnp.delete(rule.top_element_out[kept], 2 + cut, axis=1),
        "top_hidden_out": rule.top_hidden_out[kept],
        "input_out": jnp.delete(rule.input_out, 1 + cut, axis=1),
    }
    return dataclasses.replace(rule, **fewer)


def _fewer_factors(rule: LocalRule, n_factors: int) -> LocalRule:
    """The rule with the pairs of Hebbian factors that weigh most."""
    n_all = rule.input_out.shape[0]
    post, pre = rule.element_out[: rule.n_factors], rule.element_out[n_all:][: rule.n_factors]
    weight = jnp.sum(jnp.square(post), axis=1) * jnp.sum(jnp.square(pre), axis=1)
    cut = jnp.setdiff1d(jnp.arange(rule.n_factors), _loudest(weight, n_factors))
    rows = jnp.concatenate([cut, n_all + cut])
    fewer = {
        name: jnp.delete(getattr(rule, name), rows, axis=0)
        for name in ("element_out", "hidden_out", "offset_out")
    }
    return dataclasses.replace(rule, **fewer, input_out=jnp.delete(rule.input_out, cut, axis=0))


def _loudest(power: Array, n: int) -> Array:
    """Places of the `n` largest, in order."""
    return jnp.sort(jnp.argsort(-power)[:n])


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
