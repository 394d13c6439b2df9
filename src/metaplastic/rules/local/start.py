"""Theta of the local rule before meta-training: a rule that already learns."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from metaplastic.errors import InputError
from metaplastic.types import PRNGKey

N_MESSAGES = 4
N_HEBB, N_GATED = 4, 2
N_FACTORS = N_HEBB + N_GATED
MAX_RATE, TIME_SCALE = 0.3, 100.0
N_UNIT, N_SAMPLE, N_ROLES = 5, 2, 4


FIELDS = {
    "hidden": int,
    "lateral": bool,
    "settle": int,
    "with_outputs": bool,
    "with_labels": bool,
}
"""What `LocalRule.create` takes, and its files hold."""


def check_fields(hidden: int, settle: int) -> None:
    """Raise `InputError` if one of them is none."""
    if int(hidden) != hidden or hidden < 1:
        raise InputError(f"hidden must be a positive integer, got {hidden!r}")
    if int(settle) != settle or settle < 0:
        raise InputError(f"settle must be a number of steps, or 0 for never, got {settle!r}")


def start_values(
    key: PRNGKey, hidden: int, lateral: bool, with_outputs: bool, with_labels: bool = False
) -> dict[str, Array]:
    """The arrays of `LocalRule` by name: Hebbian with competition and decorrelation."""
    n_element = 2 + N_MESSAGES + (3 if lateral else 0) + with_outputs + with_labels
    n_out = 2 * N_FACTORS + N_MESSAGES
    keys = iter(jax.random.split(key, 12))

    def noise(*shape: int, scale: float) -> Array:
        return scale * jax.random.normal(next(keys), shape)

    element_out, top = noise(n_out, n_element, scale=0.02), noise(N_MESSAGES, n_element, scale=0.02)
    element_start, top_start = _readouts(n_out, n_element, lateral)
    first = np.eye(1, 1 + N_MESSAGES, dtype=np.float32)
    return {
        "element_in": noise(hidden, n_element, scale=0.3),
        "unit_in": noise(hidden, N_UNIT, scale=0.3),
        "sample_in": noise(hidden, N_SAMPLE, scale=0.3),
        "role_in": noise(hidden, N_ROLES, scale=0.3),
        "element_out": element_out + element_start,
        "hidden_out": noise(n_out, hidden, scale=0.02),
        "offset_out": jnp.zeros(n_out),
        "top_element_out": top + top_start,
        "top_hidden_out": noise(N_MESSAGES, hidden, scale=0.02),
        "input_out": noise(N_FACTORS, 1 + N_MESSAGES, scale=0.02) + first,
        "bias_out": noise(hidden, scale=0.02),
        "weight_terms": jnp.array([1.0, 0.2, 0.7]),
        "feedback_terms": jnp.array([1.0, 0.2, 0.0]),
        "rates": jnp.full(3, -2.2),  # 0.3 sigmoid(-2.2) = 0.03
        "decay": jnp.array([0.0, -1.0]),
        "competition": jnp.zeros(()),
        "similarity": jnp.zeros(()),
    }


def _readouts(n_out: int, n_element: int, lateral: bool) -> tuple[np.ndarray, np.ndarray]:
    """What the readouts of a unit's elements start from, of a unit below the top and of one there.

    By NumPy: JAX would compile a program for each of these numbers.
    """
    z, x, delta, s, dec, ms = 0, 1, 2, 6, 7, 8
    out = np.zeros((n_out, n_element), np.float32)
    top = np.zeros((N_MESSAGES, n_element), np.float32)
    out[0, z] = top[0, z] = 1.0
    out[1, s if lateral else x] = 0.5
    out[[2, 3], [delta, delta + 1]] = 0.3
    out[N_FACTORS : 2 * N_FACTORS, x] = 1.0
    channels = np.arange(N_MESSAGES)
    out[2 * N_FACTORS + channels, delta + channels] = 1.0
    if lateral:
        top[[1, 2, 3], [dec, ms, s]] = -1.0, 1.0, 1.0
    return out, top
