"""The published rule: recorded numbers, a NumPy reference, gradients, what is not local in it."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.models import init_mlp
from metaplastic.rules import Metz2018, apply_rule, init_model, load_rule
from metaplastic.rules.metz2018.recording import read_recording, replay, theta_by_name
from metaplastic.trees import all_finite, count_parameters
from rules.metz2018_reference import step as reference_step

RECORDING = Path(__file__).parent / "data" / "metz2018_step.npz"
SIZES = (7, 6, 4)
step = eqx.filter_jit(apply_rule)


def larger(rule, amount=0.3):
    """A rule far from its start, so that every term matters.

    By NumPy, as all that meets each of the many shapes of theta: JAX would compile for each.
    """
    generator = np.random.default_rng(1)

    def moved(a):
        return jnp.asarray(np.asarray(a) + amount * generator.normal(size=a.shape), a.dtype)

    return jax.tree.map(moved, rule)


def wide(tree):
    def widened(a):
        return jnp.asarray(np.asarray(a, np.float64)) if eqx.is_inexact_array(a) else a

    return jax.tree.map(widened, tree)


@pytest.fixture(scope="module", params=[False, True], ids=["published", "equivariant"])
def rule(request):
    return larger(
        Metz2018.create(
            key=jax.random.key(0), n_top=4, learning_rate=0.5, equivariant=request.param
        )
    )


def started(rule, sizes=SIZES, batch=9):
    model = init_model(rule, sizes, key=jax.random.key(2))
    model = eqx.tree_at(
        lambda m: [layer.weight for layer in m.layers] + [layer.feedback for layer in m.layers],
        model,
        [30.0 * layer.weight for layer in model.layers]
        + [30.0 * layer.feedback for layer in model.layers],
    )
    return model, jax.random.normal(jax.random.key(3), (batch, sizes[0]))


def test_theta_is_as_large_as_published():
    rule = Metz2018.create(key=jax.random.key(0))
    assert count_parameters(rule) == 114_670
    assert len(jax.tree.leaves(eqx.filter(rule, eqx.is_inexact_array))) == 72
    assert len(theta_by_name(rule)) == 72


@pytest.mark.slow
def test_a_recorded_step_of_the_original_program_is_repeated():
    recording = read_recording(RECORDING)
    differences = replay(recording)
    assert len(differences) == 12
    assert max(differences.values()) < 1e-4
    moved = np.abs(recording.after["forward/weight2"] - recording.model.layers[1].weight)
    assert moved.mean() > 0.1, "the recording must show a large step, or agreement says little"


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [SIZES, (7, 4)], ids=["two layers", "one layer"])
def test_a_step_agrees_with_the_equations(rule, sizes):
    with jax.enable_x64(True):
        model, x = started(rule, sizes)
        double, model, x = wide(rule), wide(model), x.astype(jnp.float64)
        after, _, trace = step(double, model, (), x, key=jax.random.key(0))
        theta = {name: np.asarray(leaf) for name, leaf in theta_by_name(double).items()}
        layers = [tuple(map(np.asarray, (m.weight, m.bias, m.feedback))) for m in model.layers]
        traces = [tuple(map(np.asarray, (t.pre, t.drive, t.post))) for t in trace]
        wanted = reference_step(theta, layers, traces, rule.learning_rate)
        for layer, expected in zip(after.layers, wanted, strict=True):
            found = (layer.weight, layer.bias, layer.feedback)
            for one, value in zip(found, expected, strict=True):
                np.testing.assert_allclose(np.asarray(one), value, atol=1e-9)


@pytest.mark.slow
def test_the_reference_repeats_the_recorded_step():
    recording = read_recording(RECORDING)
    with jax.enable_x64(True):
        trace = wide(recording.model).trace(jnp.asarray(recording.batch, jnp.float64))
    theta = {k: np.asarray(v, np.float64) for k, v in theta_by_name(recording.rule).items()}
    layers = [
        tuple(np.asarray(a, np.float64) for a in (m.weight, m.bias, m.feedback))
        for m in recording.model.layers
    ]
    traces = [tuple(map(np.asarray, (t.pre, t.drive, t.post))) for t in trace]
    for i, (w, b, v) in enumerate(reference_step(theta, layers, traces, 1.0), 1):
        np.testing.assert_allclose(w, recording.after[f"forward/weight{i}"], atol=1e-4)
        np.testing.assert_allclose(b, recording.after[f"forward/bias{i}"], atol=1e-4)
        np.testing.assert_allclose(v, recording.after[f"backward/weight{i}"], atol=1e-4)


@pytest.mark.slow
def test_gradients_agree_with_central_differences():
    """Of three steps, along 50 random directions of all of theta and one of each of its parts."""
    with jax.enable_x64(True):
        rule = larger(Metz2018.create(key=jax.random.key(0), n_top=3, learning_rate=0.5), 0.1)
        sizes = (5, 4, 3)
        model, _ = started(rule, sizes)
        rule, model = wide(rule), wide(model)
        theta, rest = eqx.partition(rule, eqx.is_inexact_array)
        batches = jax.random.normal(jax.random.key(4), (3, 6, sizes[0]), jnp.float64)
        arrays, static = eqx.partition(model, eqx.is_array)

        def loss(theta):
            def body(arrays, batch):
                rule, model = eqx.combine(theta, rest), eqx.combine(arrays, static)
                after = apply_rule(rule, model, (), batch, key=jax.random.key(0))[0]
                return eqx.filter(after, eqx.is_array), None

            after, _ = jax.lax.scan(body, arrays, batches)
            return sum(
                jnp.sum(jnp.sin(leaf + i)) for i, leaf in enumerate(jax.tree.leaves(after.layers))
            )

        leaves, structure = jax.tree.flatten(theta)
        gradient = [np.asarray(g) for g in jax.tree.leaves(jax.jit(jax.grad(loss))(theta))]

        # Small enough that hardly any rectifier switches on the way.
        step = 1e-7
        generator = np.random.default_rng(100)
        starts = [np.asarray(a) for a in leaves]
        value = jax.jit(lambda leaves: loss(jax.tree.unflatten(structure, leaves)))

        def check(direction, label):
            size = np.sqrt(sum(np.sum(d**2) for d in direction))

            def at(h):
                moved = zip(starts, direction, strict=True)
                return float(value([a + h * d / size for a, d in moved]))

            measured = (at(step) - at(-step)) / (2 * step)
            exact = sum(np.sum(g * d) for g, d in zip(gradient, direction, strict=True)) / size
            assert measured == pytest.approx(exact, rel=1e-5, abs=1e-7), label

        for i in range(50):
            check([generator.normal(size=a.shape) for a in starts], i)
        for part, own in enumerate(gradient):
            assert np.all(np.isfinite(own))
            # Along the gradient itself, so that the derivative is not small by chance.
            check([own + 1e-12 if i == part else 0 * a for i, a in enumerate(starts)], part)


@pytest.mark.slow
def test_it_wants_the_top_units_that_theta_was_made_for():
    rule = Metz2018.create(key=jax.random.key(0))
    with pytest.raises(
        InputError, match="needs 32 units in the top layer of every network, got 16"
    ):
        rule.init(init_mlp((8, 16), key=jax.random.key(0)), key=jax.random.key(0))
    free = Metz2018.create(key=jax.random.key(0), equivariant=True)
    for n_top in (3, 16):
        model = init_model(free, (8, n_top), key=jax.random.key(0))
        assert free.init(model, key=jax.random.key(0)) == ()


@pytest.mark.slow
def test_the_published_rule_depends_on_the_order_of_samples_and_units(rule):
    """The equivariant variant is in the contract of all rules; this is its counterpart."""
    model, x = started(rule)
    order = jax.random.permutation(jax.random.key(7), len(x))
    one = step(rule, model, (), x, key=jax.random.key(0))[0]
    two = step(rule, model, (), x[order], key=jax.random.key(0))[0]
    difference = max(
        float(jnp.max(jnp.abs(a.weight - b.weight)))
        for a, b in zip(one.layers, two.layers, strict=True)
    )
    if rule.equivariant:
        assert difference < 1e-4
    else:
        assert difference > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "batch",
    [np.zeros((1, 7)), np.ones((9, 7)), np.eye(9, 7)],
    ids=["one sample", "constant", "eye"],
)
def test_thin_batches_have_a_defined_result(rule, batch):
    model, _ = started(rule)
    after, _, _ = step(rule, model, (), jnp.asarray(batch), key=jax.random.key(0))
    for layer in after.layers:
        assert np.all(np.isfinite(layer.weight)) and np.all(np.isfinite(layer.bias))


@pytest.mark.slow
def test_the_gradient_through_constant_inputs_is_finite():
    rule = larger(Metz2018.create(key=jax.random.key(0), n_top=4, learning_rate=0.5))
    theta, rest = eqx.partition(rule, eqx.is_inexact_array)
    model, _ = started(rule, (7, 4))

    @jax.jit
    def gradient(theta):
        def loss(theta):
            rule = eqx.combine(theta, rest)
            after = apply_rule(rule, model, (), jnp.ones((4, 7)), key=jax.random.key(0))[0]
            return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(after.layers))

        return jax.grad(loss)(theta)

    assert all_finite(gradient(theta))


@pytest.mark.slow
def test_nan_in_the_inputs_shows(rule):
    model, x = started(rule)
    after, _, _ = step(rule, model, (), x.at[0, 0].set(jnp.nan), key=jax.random.key(0))
    assert not np.all(np.isfinite(after.layers[0].weight))


@pytest.mark.parametrize("name", ["metz2018", "metz2018_equivariant"])
def test_by_name(name):
    rule = load_rule(name)
    assert isinstance(rule, Metz2018)
    assert rule.equivariant == name.endswith("equivariant")


@pytest.mark.parametrize("change", [{"n_top": 0}, {"learning_rate": 0.0}, {"learning_rate": 2.0}])
def test_values_that_are_not_allowed(change):
    with pytest.raises(InputError, match=next(iter(change))):
        Metz2018.create(key=jax.random.key(0), **change)
