"""The inner problem of networks that are read together."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.errors import ConfigurationError, InputError
from metaplastic.meta.ensemble import EnsembleProblem
from metaplastic.meta.problem import RuleCarry, split_rule
from metaplastic.recipes.config import change_recipe, named_recipe
from metaplastic.recipes.recipe import build_buckets, build_rule
from tiny_problem import PLAIN, RULE

PROBLEM, THETA = EnsembleProblem(PLAIN, 3), split_rule(RULE)[0]


def _one(carry: RuleCarry, i: int) -> RuleCarry:
    """The `i`-th network of an ensemble, alone."""
    model, state = jax.tree.map(
        lambda leaf: leaf[i] if eqx.is_array(leaf) else leaf, (carry.model, carry.state)
    )
    return RuleCarry(carry.task, model, state)


@pytest.fixture(scope="module")
def carry() -> RuleCarry:
    return eqx.filter_jit(PROBLEM.init)(THETA, key=jax.random.key(2))


def test_networks_differ_and_every_other_one_sees_inputs_unwhitened(carry):
    first, second, third = (_one(carry, i).model for i in range(3))
    x = jax.random.normal(jax.random.key(5), (9, 40))
    np.testing.assert_array_equal(first.presentation(x), third.presentation(x))
    np.testing.assert_allclose(second.presentation(x), first.presentation.scaled(x), rtol=1e-5)
    assert np.max(np.abs(first.presentation(x) - second.presentation(x))) > 0.1
    assert np.max(np.abs(first.layers[0].weight - third.layers[0].weight)) > 0.1


@pytest.mark.slow
def test_every_network_is_trained_as_it_would_be_alone(carry):
    key = jax.random.key(3)
    after = eqx.filter_jit(PROBLEM.advance)(THETA, carry, 3, key=key)
    for i in range(3):
        alone = eqx.filter_jit(PLAIN.advance)(THETA, _one(carry, i), 3, key=key)
        for own, wanted in zip(_one(after, i).model.layers, alone.model.layers, strict=True):
            np.testing.assert_allclose(own.weight, wanted.weight, rtol=1e-4, atol=1e-5)
    assert np.max(np.abs(after.model.layers[0].weight - carry.model.layers[0].weight)) > 1e-4


@pytest.mark.slow
def test_the_meta_loss_reads_all_of_them_and_moves_theta(carry):
    key = jax.random.key(4)
    together = PROBLEM.assess(carry, key=key)[0]
    x, labels = PLAIN.tasks.labelled(carry.task, 6, key=key)
    all_features = [_one(carry, i).model.features(x) for i in range(3)]
    rest = jnp.concatenate(all_features[1:], axis=1)
    model = _one(carry, 0).model
    wanted = PLAIN.judge(carry.task, model, x, labels, None, key=key, beside=rest)[0]
    np.testing.assert_allclose(together, wanted, rtol=1e-5)
    assert abs(float(together - PLAIN.score(carry.task, model, key=key)[0])) > 1e-4

    def loss(theta):
        return PROBLEM.step(theta, carry, key=key)[1]

    found, slope = eqx.filter_jit(jax.value_and_grad(loss))(THETA)
    assert np.isfinite(found)
    assert max(float(np.max(np.abs(g))) for g in jax.tree.leaves(slope)) > 1e-6


def test_an_ensemble_has_two_networks_or_more():
    with pytest.raises(InputError, match="at least 2 networks, got 1"):
        EnsembleProblem(PLAIN, 1)


def test_a_recipe_says_how_many_networks():
    recipe = change_recipe(named_recipe("small"), ["n_networks=2"])
    problem = build_buckets(recipe, split_rule(build_rule(recipe))[1])[0].problem
    assert isinstance(problem, EnsembleProblem) and problem.n_networks == 2
    for words, message in (
        (["n_networks=0"], "at least 2 networks, got 0"),
        (["n_networks=2", "with_labels=true"], "leave out n_networks"),
        (["n_networks=2", 'company=["relu"]'], "a company goes neither"),
    ):
        wrong = change_recipe(named_recipe("small"), words)
        with pytest.raises((ConfigurationError, InputError), match=message):
            build_buckets(wrong, split_rule(build_rule(wrong))[1])
