"""Theta of the local rule before meta-training: a rule that already learns."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from metaplastic.types import PRNGKey

N_MESSAGES = 4
N_HEBB, N_GATED = 4, 2
N_FACTORS = N_HEBB + N_GATED
N_UNIT, N_SAMPLE, N_ROLES = 5, 2, 4


def start_values(key: PRNGKey, hidden: int, lateral: bool, with_outputs: bool) -> dict[str, Array]:
    """The arrays of `LocalRule` by name: Hebbian with competition and decorrelation."""
    n_element = 2 + N_MESSAGES + (3 if lateral else 0) + with_outputs
    n_out = 2 * N_FACTORS + N_MESSAGES
    keys = iter(jax.random.split(key, 12))

    def noise(*shape: int, scale: float) -> Array:
        return scale * jax.random.normal(next(keys), shape)

    z, delta, s, dec, ms = 0, 2, 6, 7, 8
    element_out = noise(n_out, n_element, scale=0.02)
    element_out = element_out.at[0, z].add(1.0)
    element_out = element_out.at[1, s if lateral else 1].add(0.5)
    for channel in (2, 3):
        element_out = element_out.at[channel, delta + channel - 2].add(0.3)
    element_out = element_out.at[jnp.arange(N_FACTORS, 2 * N_FACTORS), 1].add(1.0)
    for channel in range(N_MESSAGES):
        row = 2 * N_FACTORS + channel
        element_out = element_out.at[row, delta + channel].add(1.0)
    top = noise(N_MESSAGES, n_element, scale=0.02).at[0, z].add(1.0)
    if lateral:
        top = top.at[1, dec].add(-1.0).at[2, ms].add(1.0).at[3, s].add(1.0)
    return {
        "element_in": noise(hidden, n_element, scale=0.3),
        "unit_in": noise(hidden, N_UNIT, scale=0.3),
        "sample_in": noise(hidden, N_SAMPLE, scale=0.3),
        "role_in": noise(hidden, N_ROLES, scale=0.3),
        "element_out": element_out,
        "hidden_out": noise(n_out, hidden, scale=0.02),
        "offset_out": jnp.zeros(n_out),
        "top_element_out": top,
        "top_hidden_out": noise(N_MESSAGES, hidden, scale=0.02),
        "input_out": noise(N_FACTORS, 1 + N_MESSAGES, scale=0.02).at[:, 0].add(1.0),
        "bias_out": noise(hidden, scale=0.02),
        "weight_terms": jnp.array([1.0, 0.2, 0.7]),
        "feedback_terms": jnp.array([1.0, 0.2, 0.0]),
        "rates": jnp.full(3, -2.2),  # 0.3 sigmoid(-2.2) = 0.03
        "decay": jnp.array([0.0, -1.0]),
        "competition": jnp.zeros(()),
        "similarity": jnp.zeros(()),
    }
