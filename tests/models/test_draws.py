"""Fresh networks drawn by NumPy are those drawn by JAX."""

import jax
import numpy as np
import pytest

from metaplastic.models import (
    draw_mlp,
    folded_key,
    identity_presentation,
    init_mlp,
    seed_key,
    split_key,
)

SEEDS = [0, 7, 2**31 + 5, 2**32 - 1]


def data(key):
    return np.asarray(jax.random.key_data(key))


@pytest.mark.parametrize("seed", SEEDS)
def test_keys_are_those_of_jax(seed):
    key = jax.random.key(np.uint32(seed))
    own = seed_key(seed)
    np.testing.assert_array_equal(own, data(key))
    np.testing.assert_array_equal(split_key(own, 5), data(jax.random.split(key, 5)))
    np.testing.assert_array_equal(folded_key(own, 12_345), data(jax.random.fold_in(key, 12_345)))


@pytest.mark.parametrize("seed", SEEDS)
def test_networks_are_those_of_init_mlp(seed):
    key = jax.random.key(np.uint32(seed))
    wanted = init_mlp((40, 30, 20), key=key)
    found = draw_mlp(
        (40, 30, 20),
        seed_key(seed),
        activation="relu",
        readout="drive",
        presentation=identity_presentation(40),
    )
    for own, other in zip(found.layers, wanted.layers, strict=True):
        for name in ("weight", "bias", "feedback"):
            value = getattr(own, name)
            assert isinstance(value, np.ndarray) and value.dtype == np.float32
            np.testing.assert_allclose(value, np.asarray(getattr(other, name)), atol=2e-6)
