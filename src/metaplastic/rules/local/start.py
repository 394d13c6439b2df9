"""Theta of the local rule before meta-training: a rule that already learns."""

import numbers
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from metaplastic.errors import InputError
from metaplastic.types import PRNGKey

N_GATED = 2
"""Factors of the term that is proportional to the weights."""

MAX_RATE, TIME_SCALE = 0.3, 100.0
N_UNIT, N_SAMPLE, N_ROLES = 5, 2, 4


FIELDS = {
    "hidden": int,
    "lateral": bool,
    "settle": int,
    "with_outputs": bool,
    "with_labels": bool,
    "n_messages": int,
    "n_factors": int,
}
"""What `LocalRule.create` takes, and its files hold."""


def is_whole(value: Any) -> bool:
    """Whether this is an integer, of whatever type."""
    return isinstance(value, numbers.Real) and float(value).is_integer()


def check_fields(hidden: int, settle: int, n_messages: int, n_factors: int) -> None:
    """Raise `InputError` if one of them is none."""
    counts = {"hidden": hidden, "n_messages": n_messages, "n_factors": n_factors}
    for name, count in counts.items():
        if not is_whole(count) or count < 1:
            raise InputError(f"{name} must be a positive integer, got {count!r}")
    if not is_whole(settle) or settle < 0:
        raise InputError(f"settle must be a number of steps, or 0 for never, got {settle!r}")


def start_values(
    key: PRNGKey,
    *,
    hidden: int,
    lateral: bool,
    with_outputs: bool,
    with_labels: bool,
    n_messages: int,
    n_factors: int,
) -> dict[str, Array]:
    """The arrays of `LocalRule` by name: Hebbian with competition and decorrelation."""
    n_element = 2 + n_messages + (3 if lateral else 0) + with_outputs + with_labels
    n_all = n_factors + N_GATED
    n_out = 2 * n_all + n_messages
    keys = iter(jax.random.split(key, 12))

    def noise(*shape: int, scale: float) -> Array:
        return scale * jax.random.normal(next(keys), shape)

    element_out, top = noise(n_out, n_element, scale=0.02), noise(n_messages, n_element, scale=0.02)
    element_start, top_start = _readouts(n_element, lateral, n_messages, n_factors)
    first = np.eye(1, 1 + n_messages, dtype=np.float32)
    return {
        "element_in": noise(hidden, n_element, scale=0.3),
        "unit_in": noise(hidden, N_UNIT, scale=0.3),
        "sample_in": noise(hidden, N_SAMPLE, scale=0.3),
        "role_in": noise(hidden, N_ROLES, scale=0.3),
        "element_out": element_out + element_start,
        "hidden_out": noise(n_out, hidden, scale=0.02),
        "offset_out": jnp.zeros(n_out),
        "top_element_out": top + top_start,
        "top_hidden_out": noise(n_messages, hidden, scale=0.02),
        "input_out": noise(n_all, 1 + n_messages, scale=0.02) + first,
        "bias_out": noise(hidden, scale=0.02),
        "weight_terms": jnp.array([1.0, 0.2, 0.7]),
        "feedback_terms": jnp.array([1.0, 0.2, 0.0]),
        "rates": jnp.full(3, -2.2),  # 0.3 sigmoid(-2.2) = 0.03
        "decay": jnp.array([0.0, -1.0]),
        "competition": jnp.zeros(()),
        "similarity": jnp.zeros(()),
    }


def _readouts(
    n_element: int, lateral: bool, n_messages: int, n_factors: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the readouts of a unit's elements start from, of a unit below the top and of one there.

    By NumPy: JAX would compile a program for each of these numbers.
    """
    z, x, delta = 0, 1, 2
    s, dec, ms = (delta + n_messages + place for place in range(3))
    n_all = n_factors + N_GATED
    out = np.zeros((2 * n_all + n_messages, n_element), np.float32)
    top = np.zeros((n_messages, n_element), np.float32)
    out[0, z] = top[0, z] = 1.0
    competing, *told = (s if lateral else x, 0.5), *((delta + i, 0.3) for i in range(n_messages))
    for factor, (element, start) in zip(
        range(1, min(n_factors, 4)), (competing, *told), strict=False
    ):
        out[factor, element] = start
    out[n_all : 2 * n_all, x] = 1.0
    channels = np.arange(n_messages)
    out[2 * n_all + channels, delta + channels] = 1.0
    if lateral:
        for message, (element, start) in zip(
            range(1, n_messages), ((dec, -1.0), (ms, 1.0), (s, 1.0)), strict=False
        ):
            top[message, element] = start
    return out, top
