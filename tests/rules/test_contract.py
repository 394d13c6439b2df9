"""One contract for every public rule. A new rule is one line in `RULES`."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.models import MLP, Layer, LayerTrace, fit_presentation
from metaplastic.rules import LocalRule, Metz2018, apply_rule, init_model
from metaplastic.rules.hebb import Hebb
from metaplastic.rules.krotov_hopfield import KrotovHopfield
from metaplastic.rules.local import ContextRule
from metaplastic.rules.oja import Oja
from metaplastic.rules.sanger import Sanger
from metaplastic.rules.softhebb import SoftHebb
from metaplastic.trees import all_finite


def metz2018(equivariant):
    """The published rule with large steps and large theta, so that all of it shows in a step."""
    rule = Metz2018.create(
        key=jax.random.key(9), n_top=4, learning_rate=1.0, equivariant=equivariant
    )
    return jax.tree.map(lambda a: 3.0 * a if a.ndim > 1 else a, rule)


RULES = {
    "hebb": Hebb,
    "oja": Oja,
    "oja_single": lambda: Oja(subspace=False),
    "sanger": Sanger,
    "krotov_hopfield": KrotovHopfield,
    "softhebb": SoftHebb,
    "local": lambda: LocalRule.create(key=jax.random.key(9), hidden=5),
    "context": lambda: ContextRule.create(key=jax.random.key(9), hidden=5, with_outputs=True),
    "metz2018": lambda: metz2018(equivariant=False),
    "metz2018_equivariant": lambda: metz2018(equivariant=True),
    "local_neuron": lambda: LocalRule.create(key=jax.random.key(9), hidden=5, lateral=False),
}
SIZES = {1: (6, 4), 2: (6, 7, 4), 3: (6, 7, 5, 4)}
BATCH = 12

traced = []


@eqx.filter_jit
def step(rule, model, state, x, key):
    traced.append(type(rule))  # runs only while it is being compiled
    return apply_rule(rule, model, state, x, key=key)[:2]


@eqx.filter_jit
def fifty_steps(rule, model, state, batches, key):
    def body(carry, x):
        return apply_rule(rule, *carry, x, key=key)[:2], None

    return jax.lax.scan(body, (model, state), batches)[0]


DEAR = ("local", "context", "metz2018", "metz2018_equivariant")
"""Rules that take long to compile; the others stand for them when time is short."""


def params():
    marks = {name: pytest.mark.slow for name in DEAR}
    return [pytest.param(n, marks=marks[n]) if n in marks else n for n in RULES]


@pytest.fixture(scope="module", params=params(), ids=str)
def rule(request):
    return RULES[request.param]()


def start_at(rule, depth):
    model = init_model(rule, SIZES[depth], key=jax.random.key(1))
    x = jax.random.normal(jax.random.key(2), (BATCH, 6)) * jnp.linspace(0.5, 2.0, 6)
    return model, rule.init(model, key=jax.random.key(3)), x


@pytest.fixture(scope="module")
def start(rule):
    return start_at(rule, 2)


@pytest.fixture(scope="module", params=(1, 2), ids=lambda d: f"depth{d}")
def start_deep_or_shallow(request, rule):
    return start_at(rule, request.param)


@pytest.fixture(scope="module")
def after_fifty_steps(rule):
    """A layer that is neither the first nor the last is among those that are trained."""
    model, state, _ = start_at(rule, 3)

    def after(batches):
        return fifty_steps(rule, model, state, batches, jax.random.key(6))

    return after


def shapes(tree):
    return [(a.shape, a.dtype) for a in jax.tree.leaves(tree) if hasattr(a, "shape")]


def assert_close(a, b, tolerance=2e-4):
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance), a, b
    )


@pytest.mark.slow
def test_outputs_have_the_structure_of_the_inputs(rule, start_deep_or_shallow):
    model, state, x = start_deep_or_shallow
    delta, new_state = eqx.filter_eval_shape(
        rule.update, model, model.trace(x), state, key=jax.random.key(4)
    )
    assert jax.tree.structure(delta) == jax.tree.structure(model.layers)
    assert shapes(delta) == shapes(model.layers)
    assert shapes(new_state) == shapes(state)
    assert jax.tree.structure(new_state) == jax.tree.structure(state)


def test_a_step_changes_the_weights_of_every_layer(rule, start_deep_or_shallow):
    model, state, x = start_deep_or_shallow
    new = step(rule, model, state, x, jax.random.key(4))[0]
    for old_layer, new_layer in zip(model.layers, new.layers, strict=True):
        assert not np.allclose(old_layer.weight, new_layer.weight, atol=1e-7)


def test_deterministic_under_a_key(rule, start):
    model, state, x = start
    one = step(rule, model, state, x, jax.random.key(4))
    two = step(rule, model, state, x, jax.random.key(4))
    assert eqx.tree_equal(one, two)


def test_compiled_once_for_new_values_of_everything(rule, start):
    model, state, x = start
    model, state = step(rule, model, state, x, jax.random.key(4))
    before = len(traced)
    changed = jax.tree.map(lambda a: a * 1.01 if eqx.is_inexact_array(a) else a, rule)
    step(changed, model, state, 2 * x, jax.random.key(5))
    assert len(traced) == before


@pytest.mark.slow
def test_meta_parameters_are_float32_arrays_and_have_finite_gradients(rule, start):
    model, state, x = start
    theta, static = eqx.partition(rule, eqx.is_inexact_array)
    leaves = jax.tree.leaves(theta)
    assert leaves and all(leaf.dtype == jnp.float32 for leaf in leaves)
    assert not any(isinstance(leaf, float) for leaf in jax.tree.leaves(static))

    @eqx.filter_jit
    def gradient(theta, model, state):
        def loss(theta):
            rule = eqx.combine(theta, static)
            phi = apply_rule(rule, model, state, x, key=jax.random.key(4))[0]
            return sum(jnp.sum(jnp.sin(layer.weight)) for layer in phi.layers)

        return jax.grad(loss)(theta)

    found = gradient(theta, model, state)
    assert all_finite(found)
    assert any(jnp.any(g != 0) for g in jax.tree.leaves(found))


def test_finite_and_bounded_after_fifty_steps(after_fifty_steps):
    model, state = after_fifty_steps(jax.random.normal(jax.random.key(5), (50, BATCH, 6)))
    assert all_finite((model.layers, state))
    for layer in model.layers:
        assert float(jnp.max(jnp.sum(layer.weight**2, axis=0))) < 10.0


@pytest.mark.slow
def test_extreme_inputs_do_not_make_it_diverge(after_fifty_steps):
    model, state = after_fifty_steps(1e4 * jax.random.t(jax.random.key(5), 1.0, (50, BATCH, 6)))
    assert all_finite((model.layers, state))


def test_the_scale_of_raw_inputs_does_not_matter(rule, start):
    model, state, x = start

    def run(x):
        scaled = eqx.tree_at(lambda m: m.presentation, model, fit_presentation(x))
        return step(rule, scaled, state, x, jax.random.key(4))[0].layers

    assert_close(run(x), run(1024.0 * x))


def test_constant_and_repeated_inputs_stay_finite(after_fifty_steps):
    model, state = after_fifty_steps(jnp.tile(jnp.array([0.0, 1.0])[:, None, None], (25, BATCH, 6)))
    assert all_finite((model.layers, state))


def test_vmap_over_models_equals_a_loop(rule, start):
    model, state, x = start
    other = eqx.tree_at(
        lambda m: [layer.weight for layer in m.layers],
        model,
        [layer.weight[:, ::-1] for layer in model.layers],
    )
    arrays, static = eqx.partition(model, eqx.is_array)
    both = jax.tree.map(lambda a, b: jnp.stack([a, b]), arrays, eqx.filter(other, eqx.is_array))

    def one(arrays):
        return step(rule, eqx.combine(arrays, static), state, x, jax.random.key(4))[0].layers

    together = jax.vmap(one)(both)
    for i, m in enumerate((model, other)):
        alone = step(rule, m, state, x, jax.random.key(4))[0].layers
        assert_close(jax.tree.map(lambda a, i=i: a[i], together), alone)


def assert_equal_unless(differs, found, expected):
    if differs:
        assert not np.allclose(found[0].weight, expected[0].weight, rtol=1e-2, atol=1e-3)
    else:
        assert_close(found, expected)


def test_permuting_inputs_or_samples_permutes_the_update_unless_published(
    rule, start_deep_or_shallow
):
    model, state, x = start_deep_or_shallow
    inputs = jnp.array([3, 0, 5, 1, 4, 2])
    samples = jax.random.permutation(jax.random.key(7), BATCH)
    base = _delta(rule, model, state, x)
    # Other rules that are not local, as Sanger's, still do not mind this.
    ordered = isinstance(rule, Metz2018) and not rule.equivariant
    assert_equal_unless(ordered, _delta(rule, model, state, x[samples]), base)
    first = model.layers[0]
    moved = Layer(first.weight[inputs], first.bias, first.feedback[inputs])
    moved_model = eqx.tree_at(lambda m: m.layers[0], model, moved)
    found = _delta(rule, moved_model, state, x[:, inputs])
    expected = (Layer(base[0].weight[inputs], base[0].bias, base[0].feedback[inputs]), *base[1:])
    assert_equal_unless(ordered, found, expected)


def test_permuting_units_permutes_the_update_unless_it_declares_network(
    rule, start_deep_or_shallow
):
    model, state, x = start_deep_or_shallow
    order = [2, 0, 3, 1] if len(model.layers) == 1 else [4, 2, 6, 0, 1, 5, 3]
    units = jnp.array(order)
    base = _delta(rule, model, state, x)
    found = _delta(rule, _permute_units(model, units), state, x)
    expected = _permute_units(eqx.tree_at(lambda m: m.layers, model, base), units).layers
    assert_equal_unless(rule.locality == "network", found, expected)


def test_declared_locality_is_measured(rule, start):
    """The change of the last unit of the first layer, differentiated by the other units' states.

    Feedback weights are 0: what arrives from another layer is a signal that reaches the unit, and
    locality is about what a unit may know beyond such signals.
    """
    model, state, x = start
    silent = [jnp.zeros_like(layer.feedback) for layer in model.layers]
    model = eqx.tree_at(lambda m: [layer.feedback for layer in m.layers], model, silent)
    trace = model.trace(x)

    def change_of_unit(weight, bias, drive, post):
        layer = Layer(weight, bias, model.layers[0].feedback)
        part = LayerTrace(trace[0].pre, drive, post)
        changed = eqx.tree_at(lambda m: m.layers[0], model, layer)
        delta, _ = rule.update(changed, (part, *trace[1:]), state, key=jax.random.key(4))
        return delta[0].weight[:, -1]

    first = model.layers[0]
    arguments = (first.weight, first.bias, trace[0].drive, trace[0].post)
    jacobian = jax.jit(jax.jacrev(change_of_unit, argnums=(0, 1, 2, 3)))(*arguments)
    leak = max(float(jnp.max(jnp.abs(j[..., :-1]))) for j in jacobian)
    if rule.locality in ("synapse", "neuron"):
        assert leak == 0.0
    else:
        assert leak > 0.0, "it declares more than it uses"


def test_declared_synapse_sees_no_other_synapse(rule, start):
    if rule.locality != "synapse":
        pytest.skip("declares more")
    model, state, x = start
    trace = model.trace(x)

    def change_of_synapse(weight, pre):
        changed = eqx.tree_at(lambda m: m.layers[0].weight, model, weight)
        part = LayerTrace(pre, trace[0].drive, trace[0].post)
        delta, _ = rule.update(changed, (part, *trace[1:]), state, key=jax.random.key(4))
        return delta[0].weight[0, 0]

    by_weight, by_pre = jax.grad(change_of_synapse, argnums=(0, 1))(
        model.layers[0].weight, trace[0].pre
    )
    assert float(jnp.max(jnp.abs(by_weight.at[0, 0].set(0.0)))) == 0.0
    assert float(jnp.max(jnp.abs(by_pre[:, 1:]))) == 0.0


def _delta(rule, model: MLP, state, x):
    new = step(rule, model, state, x, jax.random.key(4))[0]
    return jax.tree.map(jnp.subtract, new.layers, model.layers)


def _permute_units(model: MLP, units) -> MLP:
    """The same network with the units of its first layer in another order."""
    first, *rest = model.layers
    layers = [Layer(first.weight[:, units], first.bias[units], first.feedback[:, units]), *rest]
    if rest:
        second = rest[0]
        layers[1] = Layer(second.weight[units], second.bias, second.feedback[units])
    return eqx.tree_at(lambda m: m.layers, model, tuple(layers))
