"""Steps of the local rule by NumPy are those by JAX, but for rounding."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.models import ACTIVATIONS, init_mlp
from metaplastic.rules import LocalRule, apply_rule, load_rule
from metaplastic.rules.local import eager

STEPS, BATCH, SIZES = 3, 24, (11, 9, 7, 6)
step = eqx.filter_jit(apply_rule)


def moved(tree, scale=0.4):
    """Far from its start, so that every term matters."""
    leaves, structure = jax.tree.flatten(tree)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    draws = [x + scale * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, draws)


def network(activation="relu", sizes=SIZES):
    model = init_mlp(sizes, key=jax.random.key(2), activation=activation)
    layers = tuple(
        dataclasses.replace(own, bias=0.3 * jax.random.normal(jax.random.key(i), own.bias.shape))
        for i, own in enumerate(model.layers)
    )
    return dataclasses.replace(model, layers=layers)


def batches(sizes=SIZES):
    """Within the clip of the presentation."""
    draws = jax.random.normal(jax.random.key(3), (STEPS, BATCH, sizes[0]))
    return np.clip(np.asarray(draws), -2.5, 2.5)


def by_jax(rule, model, state, targets=None):
    for index, batch in enumerate(batches(model.sizes)):
        told = None if targets is None else jnp.asarray(targets[index])
        model, state, _ = step(rule, model, state, batch, key=jax.random.key(0), targets=told)
    return model.layers, state


def check_same(found, wanted):
    for own, other in zip(found, wanted, strict=True):
        for name in ("weight", "bias", "feedback"):
            value = getattr(own, name)
            assert value.dtype == np.float32
            np.testing.assert_allclose(value, np.asarray(getattr(other, name)), atol=3e-5)


def check_rule(rule, model, targets=None, state=0.0):
    wanted, last = by_jax(rule, model, jnp.float32(state), targets)
    steps = rule.eager(model.activation)
    found, now = steps.run(model.layers, np.float32(state), batches(model.sizes), targets)
    check_same(found, wanted)
    assert float(now) == float(last) == state + STEPS


@pytest.mark.parametrize("lateral", [True, False])
@pytest.mark.parametrize("with_outputs", [True, False])
@pytest.mark.parametrize("settle", [0, 5])
def test_steps_by_numpy_are_those_by_jax(lateral, with_outputs, settle):
    rule = LocalRule.create(
        key=jax.random.key(0), hidden=5, lateral=lateral, with_outputs=with_outputs, settle=settle
    )
    check_rule(moved(rule), network(), state=40.0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_any_nonlinearity(activation):
    rule = LocalRule.create(key=jax.random.key(0), hidden=5, with_outputs=True)
    check_rule(moved(rule), network(activation))


@pytest.mark.parametrize("sizes", [(5, 4), (5, 30, 3), (40, 8, 8, 8, 2)])
def test_any_depth_and_width(sizes):
    check_rule(moved(LocalRule.create(key=jax.random.key(0), hidden=5)), network(sizes=sizes))


@pytest.mark.parametrize("lateral", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_rules_that_hear_labels(lateral, told):
    rule = LocalRule.create(key=jax.random.key(0), hidden=5, lateral=lateral, with_labels=True)
    targets = np.zeros((STEPS, BATCH, 3), np.float32)
    targets[:, :6] = np.eye(3, dtype=np.float32)[np.arange(6) % 3] - 1 / 3
    check_rule(moved(rule), network(), targets if told else None)


@pytest.mark.parametrize("n_messages, n_factors", [(1, 4), (4, 1), (5, 6)])
def test_any_number_of_messages_and_factors(n_messages, n_factors):
    made = LocalRule.create(
        key=jax.random.key(0), hidden=5, n_messages=n_messages, n_factors=n_factors
    )
    check_rule(moved(made), network())


def test_blocks_change_nothing(monkeypatch):
    rule, model = moved(LocalRule.create(key=jax.random.key(0), hidden=5)), network()
    whole, _ = rule.eager("relu").run(model.layers, 0.0, batches(), None)
    monkeypatch.setattr(eager, "BLOCK", 50)  # no divisor of any layer's 24 * units columns
    check_same(rule.eager("relu").run(model.layers, 0.0, batches(), None)[0], whole)


def test_cut_or_whole_the_same_to_the_last_bit():
    rule, model = moved(LocalRule.create(key=jax.random.key(0), hidden=5)), network()
    x = batches()
    whole, _ = rule.eager("relu").run(model.layers, np.float32(0), x, None)
    steps = rule.eager("relu")
    layers, state = steps.run(model.layers, steps.init(), x[:1], None)
    layers, state = rule.eager("relu").run(layers, state, x[1:], None)
    for own, other in zip(layers, whole, strict=True):
        np.testing.assert_array_equal(own.weight, other.weight)
        np.testing.assert_array_equal(own.feedback, other.feedback)


def test_what_has_no_steps_by_numpy_says_so():
    assert load_rule("metz2018").eager("relu") is None
    assert load_rule("oja").eager("relu") is None
