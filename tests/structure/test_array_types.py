"""The shape checks of the tests are on, and are not blind."""

import jax
import jax.numpy as jnp
import jaxtyping
import pytest

from metaplastic.errors import InputError
from metaplastic.models import Layer, init_mlp, normalise


def test_wrong_shapes_and_types_of_arrays_are_noticed():
    with pytest.raises(jaxtyping.TypeCheckError):
        normalise(jnp.zeros(3))
    with pytest.raises(jaxtyping.TypeCheckError):
        normalise(jnp.zeros((3, 2), jnp.int32))
    with pytest.raises(jaxtyping.TypeCheckError):
        Layer(jnp.zeros((3, 2)), jnp.zeros(3), jnp.zeros((3, 2)))


@pytest.mark.slow
def test_plain_arguments_reach_the_package():
    with pytest.raises(InputError):
        init_mlp((3, 2.5), key=jax.random.key(0))  # pyright: ignore[reportArgumentType]
