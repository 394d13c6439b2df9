"""The inner problem of a network that is read beside others."""

import equinox as eqx
import jax
import numpy as np
import pytest

from metaplastic.errors import ConfigurationError, InputError
from metaplastic.meta.company import CompanyProblem
from metaplastic.meta.problem import split_rule
from metaplastic.presets import load_preset
from metaplastic.recipes.config import change_recipe, named_recipe
from metaplastic.recipes.recipe import build_buckets, build_rule
from metaplastic.rules import LocalRule
from tiny_problem import PLAIN, RULE

OTHER = LocalRule.create(key=jax.random.key(1), hidden=3)


@pytest.mark.slow
def test_the_company_is_read_and_stays_as_it_is():
    problem, theta = CompanyProblem(PLAIN, (OTHER, OTHER), ("relu", "tanh"), 3), split_rule(RULE)[0]

    def loss(theta, carry):
        after, found, diverged = problem.step(theta, carry, key=jax.random.key(3))
        return found, (after, diverged)

    carry = eqx.filter_jit(problem.init)(theta, key=jax.random.key(2))
    relu, tanh = carry.company
    assert (relu.activation, tanh.activation) == ("relu", "tanh")
    x = jax.random.normal(jax.random.key(5), (9, 40))
    seen = [network.presentation(x) for network in (relu, tanh)]
    np.testing.assert_allclose(seen[1], relu.presentation.scaled(x), rtol=1e-5)
    assert np.max(np.abs(seen[0] - seen[1])) > 0.1
    run = eqx.filter_jit(eqx.filter_value_and_grad(loss, has_aux=True))
    (found, (after, diverged)), slope = run(theta, carry)
    assert np.isfinite(found) and not diverged
    assert max(float(np.max(np.abs(g))) for g in jax.tree.leaves(slope)) > 1e-6
    jax.tree.map(
        np.testing.assert_array_equal,
        *(eqx.filter(c.company, eqx.is_array) for c in (after, carry)),
    )
    assert not np.array_equal(after.model.layers[0].weight, carry.model.layers[0].weight)
    key = jax.random.key(4)
    together, alone = (
        problem.assess(after, key=key)[0],
        PLAIN.score(after.task, after.model, key=key),
    )
    assert abs(float(together - alone[0])) > 1e-4


def test_a_company_needs_rules_and_nonlinearities():
    for rules, names, steps in (
        ((), (), 3),
        ((OTHER,), ("relu", "tanh"), 3),
        ((OTHER,), ("relu",), 0),
    ):
        with pytest.raises(InputError, match="a company needs"):
            CompanyProblem(PLAIN, rules, names, steps)
    with pytest.raises(InputError, match="unknown activation"):
        CompanyProblem(PLAIN, (OTHER,), ("rely",), 3)


def test_a_recipe_names_the_nonlinearities_of_its_company():
    recipe = change_recipe(named_recipe("small"), ['company=["relu", "tanh"]', "guide=oja"])
    problem = build_buckets(recipe, split_rule(build_rule(recipe))[1])[0].problem
    assert isinstance(problem, CompanyProblem)
    assert problem.activations == ("relu", "tanh")
    known = load_preset("base").rules
    for source, main in (("strokes", known.pictures), ("gaussian", known.main)):
        shape = f"shapes=[{{name='s',source='{source}',features=6,widths=[4],batch_size=8"
        shape += ",n_classes=2,n_tasks=1}]"
        beside = change_recipe(recipe, [shape, "guide=base"])
        (problem,) = (b.problem for b in build_buckets(beside, split_rule(RULE)[1]))
        assert isinstance(problem, CompanyProblem)
        assert eqx.tree_equal(problem.rules, (main, known.bounded))
    heard = change_recipe(named_recipe("labels"), ['company=["relu"]'])
    small = change_recipe(named_recipe("small"), ["with_labels=true", 'company=["relu"]'])
    assert heard.company == small.company
    with pytest.raises(ConfigurationError, match="a company goes neither"):
        build_buckets(small, split_rule(build_rule(small))[1])
