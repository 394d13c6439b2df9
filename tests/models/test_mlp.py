"""The base model, its scaling of inputs, and freezing."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

from metaplastic.errors import InputError
from metaplastic.models import (
    ACTIVATIONS,
    PresentationSettings,
    activate,
    first_features,
    fit_presentation,
    freeze,
    init_mlp,
    side_by_side,
)
from metaplastic.models.rows import row_product


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(700, 12)) @ rng.normal(size=(12, 12))).astype(np.float32)


@pytest.mark.slow
def test_trace_has_normalised_drives_and_chained_layers(pool):
    model = init_mlp(
        (12, 9, 5), key=jax.random.key(0), presentation=fit_presentation(jnp.asarray(pool))
    )
    first, second = model.trace(jnp.asarray(pool))
    for trace in (first, second):
        np.testing.assert_allclose(trace.drive.mean(0), 0.0, atol=1e-4)
        np.testing.assert_allclose(trace.drive.std(0), 1.0, atol=1e-3)
    np.testing.assert_array_equal(second.pre, first.post)
    np.testing.assert_array_equal(first.post, np.maximum(first.drive, 0))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_agree_between_libraries(activation):
    x = np.linspace(-6, 6, 101).astype(np.float32)
    found = activate(activation, jnp.asarray(x), jnp)
    np.testing.assert_allclose(found, activate(activation, x, np), atol=1e-5)


def test_a_step_has_the_slope_of_a_sigmoid_for_meta_gradients():
    x = jnp.linspace(-3.0, 3.0, 31)
    slope = jax.grad(lambda x: jnp.sum(activate("step", x, jnp)))(x)
    smooth = jax.grad(lambda x: jnp.sum(jax.nn.sigmoid(2.0 * x)))(x)
    np.testing.assert_allclose(slope, smooth, atol=1e-6)


def test_several_activations_share_the_columns():
    x = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    expected = np.concatenate([np.maximum(x[:, :3], 0), np.tanh(x[:, 3:])], axis=1)
    np.testing.assert_allclose(activate("relu+tanh", x, np), expected, atol=1e-6)
    np.testing.assert_allclose(activate("relu+tanh", jnp.asarray(x), jnp), expected, atol=1e-6)


@pytest.mark.slow
def test_initialisations():
    unit = init_mlp((50, 40, 30), key=jax.random.key(0))
    for layer in unit.layers:
        np.testing.assert_allclose(np.linalg.norm(layer.weight, axis=0), 1.0, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(layer.feedback, axis=1), 1.0, atol=1e-5)
        assert not np.any(layer.bias)
    published = init_mlp((300, 200), key=jax.random.key(0), initialisation="published")
    weight = np.asarray(published.layers[0].weight)
    # A normal of sd 0.01 cut at two sd has sd 0.0088.
    assert abs(weight.std() - 0.0088) < 2e-4
    assert np.abs(weight).max() <= 0.02
    assert np.any(published.layers[0].feedback != weight)


@pytest.mark.parametrize("activation", ["relu", "tanh", "step"])
@pytest.mark.parametrize("readout", ["drive", "post"])
def test_frozen_model_equals_the_model_on_the_whole_pool(pool, activation, readout):
    model = init_mlp(
        (12, 9, 5),
        key=jax.random.key(1),
        activation=activation,
        readout=readout,
        presentation=fit_presentation(jnp.asarray(pool)),
    )
    found = freeze(model, pool)(pool)
    np.testing.assert_allclose(found, model.features(jnp.asarray(pool)), atol=2e-4)


def test_frozen_rows_are_independent_of_the_split(pool):
    frozen = freeze(init_mlp((12, 9, 5), key=jax.random.key(1)), pool)
    whole = frozen(pool)
    for size in (1, 7, 256, 300):
        parts = [frozen(pool[i : i + size]) for i in range(0, len(pool), size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(frozen(scipy.sparse.csr_array(pool)), whole)


def test_scaling_evens_units_and_tames_tails():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 5))
    x[:, 1] *= 1e6
    x[:, 2] = 7.0
    x[:, 3] *= 1e-6
    x[:40, 4] = 500.0
    scaling = fit_presentation(jnp.asarray(x, jnp.float32))
    out = np.asarray(scaling(jnp.asarray(x, jnp.float32)))
    spread = out.std(0)
    assert np.all(out[:, 2] == 0.0)
    np.testing.assert_allclose(spread[[1, 3]], spread[0], rtol=0.1)
    assert np.abs(out).max() <= 3.0 * float(scaling.gain) * (1 + 1e-6)
    np.testing.assert_allclose(np.mean(out**2), 1.0, rtol=1e-3)


def test_scaling_is_that_of_eighth_powers():
    x = np.random.default_rng(1).exponential(size=(500, 3)) * [1.0, 1e-7, 1e7]
    spread = np.mean((x - x.mean(0)) ** 8, axis=0) ** 0.125
    scaling = fit_presentation(jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(scaling.scale, 1.0 / spread, rtol=1e-4)


def test_order_and_clip_are_those_of_the_settings():
    x = np.random.default_rng(1).exponential(size=(500, 3)).astype(np.float32)
    scaling = fit_presentation(jnp.asarray(x), PresentationSettings(order=2, clip=1.5))
    np.testing.assert_allclose(scaling.scale, 1.0 / x.std(0), rtol=1e-4)
    assert scaling.clip == 1.5
    np.testing.assert_allclose(np.asarray(scaling(jnp.asarray(x))).max(0), 1.5 * scaling.gain)


def test_scaling_keeps_rare_events_rare():
    rare = (np.arange(1000) < 10).astype(np.float32)
    common = (np.arange(1000) % 2).astype(np.float32)
    out = np.asarray(
        fit_presentation(x := jnp.stack([jnp.asarray(rare), jnp.asarray(common)], 1))(x)
    )
    # By standard deviations both columns would count alike.
    assert out[:, 0].std() < 0.25 * out[:, 1].std()


def test_scaling_of_constant_inputs_is_zero():
    out = fit_presentation(jnp.full((10, 3), 4.0))(jnp.full((2, 3), 4.0))
    np.testing.assert_array_equal(out, np.zeros((2, 3)))


@pytest.mark.parametrize(
    "bad",
    [
        {"sizes": (3,)},
        {"sizes": (3, 0)},
        {"sizes": (3, 2.5)},
        {"sizes": (3, 2), "activation": "relux"},
        {"sizes": (3, 2), "initialisation": "xavier"},
        {"sizes": (3, 2), "readout": "top"},
    ],
)
def test_bad_models_are_refused(bad):
    sizes = bad.pop("sizes")
    with pytest.raises(InputError):
        init_mlp(sizes, key=jax.random.key(0), **bad)


@pytest.mark.parametrize("count", [20, 18, 17])
def test_networks_side_by_side_are_blocks_and_give_the_same_rows(pool, count):
    models = [init_mlp((12, 6, 5), key=jax.random.key(i)) for i in range(4)]
    apart = [freeze(model, pool) for model in models]
    encoder = first_features(side_by_side(apart), count)
    assert encoder.n_networks == 4 and encoder.n_features_out == count
    assert [b.shape for b in encoder._blocks] == [(12, 24), (4, 6, 5)]
    expected = np.concatenate([each(pool) for each in apart], axis=1)[:, :count]
    np.testing.assert_allclose(encoder(pool), expected, atol=1e-5)
    # Counted as one network its weights are one matrix, mostly of zeros, of the same product.
    weight = scipy.linalg.block_diag(*(each.weights[1] for each in apart))[:, :count]
    np.testing.assert_array_equal(encoder.weights[1], weight)
    np.testing.assert_allclose(
        dataclasses.replace(encoder, n_networks=1)(pool), expected, atol=1e-5
    )


def test_a_product_by_rows_is_the_product(pool):
    weight = np.random.default_rng(1).normal(size=(12, 5)).astype(np.float32)
    np.testing.assert_allclose(row_product(pool, weight), pool @ weight, rtol=1e-3, atol=1e-4)
