"""`context`: what it sees of its inputs, and that it is `local` in every context."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.models import init_mlp
from metaplastic.rules import load_rule, save_rule
from metaplastic.rules.local import ContextRule, LocalRule
from metaplastic.rules.local.context import share_at_floor


def make():
    return ContextRule.create(key=jax.random.key(0), hidden=3, with_outputs=True)


def shifted(rule):
    """Half a unit up for sparse inputs, down for bounded nonlinearities."""
    ways = jnp.array([0.5, -0.5])
    shifts = jax.tree.map(lambda a: (a.T + ways).T, rule.shifts)
    return dataclasses.replace(rule, shifts=shifts)


def test_the_share_at_the_floor_is_that_of_varying_columns():
    x = jnp.array([[0.0, 5.0, 2.0], [0.0, 5.0, 1.0], [0.0, 5.0, 1.0], [1.0, 5.0, 1.0]])
    assert float(share_at_floor(x)) == pytest.approx(6 / 8)
    assert float(share_at_floor(jnp.ones((3, 2)))) == 0.0


def test_plain_rules_of_the_contexts_differ_by_the_shifts():
    rule = shifted(make())
    plain, sparse, bounded = rule.at(0.0, 0.0), rule.at(1.0, 0.0), rule.at(0.0, 1.0)
    assert eqx.tree_equal(plain, rule.rule)
    for other, way in ((sparse, 0.5), (bounded, -0.5)):
        np.testing.assert_allclose(other.rates, plain.rates + way)
        np.testing.assert_allclose(other.role_in[:, 0], plain.role_in[:, 0] + way, rtol=1e-6)
        np.testing.assert_array_equal(other.element_out, plain.element_out)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "zeros", "context"),
    [
        ("relu", 0.0, (0.0, 0.0)),
        ("tanh", 0.0, (0.0, 1.0)),
        ("relu", 0.97, (1.0, 0.0)),
        ("tanh", 0.97, (1.0, 0.0)),
    ],
)
def test_it_does_what_the_local_rule_of_its_context_does(activation, zeros, context):
    rule = shifted(make())
    generator = np.random.default_rng(0)
    x = generator.random((40, 6)) * (generator.random((40, 6)) >= zeros)
    model = init_mlp((6, 4), key=jax.random.key(1), activation=activation)
    trace = model.trace(jnp.asarray(x, jnp.float32))
    update = eqx.filter_jit(lambda r: r.update(model, trace, jnp.zeros(()), key=jax.random.key(2)))
    found, expected = update(rule)[0], update(rule.at(*context))[0]
    other = update(rule.at(1.0 - context[0], context[0]))[0]
    np.testing.assert_allclose(found[0].weight, expected[0].weight, atol=2e-4)
    assert np.abs(found[0].weight - other[0].weight).max() > 2e-3


def test_files_keep_it(tmp_path):
    rule = shifted(make())
    save_rule(tmp_path / "r.safetensors", rule, {})
    assert eqx.tree_equal(load_rule(tmp_path / "r.safetensors"), rule)
    assert isinstance(load_rule("context"), ContextRule)
    assert isinstance(rule.rule, LocalRule) and rule.locality == "layer"
