import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.rules import LocalRule, init_model, load_rule
from metaplastic.rules.local.dissect import (
    CROWDING,
    GATED,
    NETWORK,
    NORM,
    OUTPUTS,
    PARTS,
    ablations,
    dissect,
    pair_factors,
    shares,
)
from metaplastic.rules.local.factors import outer


@pytest.fixture(
    scope="module",
    params=[
        (True, False, 4, 4),
        (False, False, 4, 4),
        (True, True, 4, 4),
        (False, True, 2, 3),
        (True, True, 1, 2),
    ],
    ids=["lateral", "strict", "outputs", "two messages, strict", "one message"],
)
def case(request):
    lateral, with_outputs, n_messages, n_factors = request.param
    rule = LocalRule.create(
        key=jax.random.key(0),
        hidden=4,
        lateral=lateral,
        with_outputs=with_outputs,
        n_messages=n_messages,
        n_factors=n_factors,
    )
    model = init_model(rule, (7, 6, 5), key=jax.random.key(1))
    trace = model.trace(jax.random.normal(jax.random.key(2), (12, 7)))
    return rule, model, trace, jnp.float32(3.0)


@pytest.mark.slow
def test_parts_add_up_to_what_the_rule_does(case):
    rule, model, trace, state = case
    found = dissect(rule, model, trace, state)
    delta, _ = rule.update(model, trace, state, key=jax.random.key(3))
    rate = 0.3 * jax.nn.sigmoid(rule.rates[0]) * rule._slowdown(state)
    for layer, change, part in zip(model.layers, delta, found, strict=True):
        total = sum(part.parts.values())
        assert np.allclose(total, part.total, atol=1e-4)
        # From here to the change of the weights, as in the rule's docstring.
        bounded = total / jnp.sqrt(1.0 + jnp.mean(jnp.square(total), axis=0))
        weight = layer.weight + rate / jnp.sqrt(1.0 * len(layer.weight)) * bounded
        weight = weight / jnp.linalg.norm(weight, axis=0)
        assert np.allclose(weight - layer.weight, change.weight, atol=1e-5)


def test_shares_add_up_to_one_and_have_names(case):
    for part in dissect(*case):
        found = shares(part)
        assert sum(map(float, found.values())) == pytest.approx(1.0, abs=1e-4)
        assert set(found) <= set(PARTS) and {NETWORK, GATED, NORM} <= set(found)
        assert (CROWDING in found) == case[0].lateral
        assert (OUTPUTS in found) == case[0].with_outputs


def test_pairs_of_factors_make_the_hebbian_term(case):
    rule, model, trace, state = case
    pre, post = pair_factors(rule, model, trace, state, 0)
    first = dissect(rule, model, trace, state)[0].parts
    hebbian = sum(part for name, part in first.items() if name not in (GATED, CROWDING, NORM))
    whole = outer(pre, post)
    cosine = jnp.sum(hebbian * whole) / jnp.linalg.norm(hebbian) / jnp.linalg.norm(whole)
    tolerance = 1e-4 if rule.lateral else 0.5  # without lateral signals each unit has its scale
    assert float(cosine) == pytest.approx(1.0, abs=tolerance)


@pytest.mark.slow
def test_ablations_change_what_they_name_and_nothing_of_the_shape(case):
    rule, model, trace, state = case
    whole, _ = rule.update(model, trace, state, key=jax.random.key(3))
    found = ablations(rule)
    assert len(found) >= 11 and ("competition" in found) == rule.lateral
    for name, without in found.items():
        assert jax.tree.structure(without) == jax.tree.structure(rule)
        delta, _ = without.update(model, trace, state, key=jax.random.key(3))
        different = any(
            not np.array_equal(a, b)
            for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(delta), strict=True)
        )
        silent = name == "features of samples" and not rule.lateral  # they are zero there
        assert different or silent, name


def test_other_rules_are_refused():
    with pytest.raises(InputError, match="got Oja"):
        ablations(load_rule("oja"))
