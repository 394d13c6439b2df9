"""Small functions on pytrees that several floors need."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree


def global_norm(tree: PyTree) -> Float[Array, ""]:
    """Euclidean norm of all array leaves taken together."""
    leaves = [jnp.sum(jnp.square(x)) for x in jax.tree.leaves(tree)]
    return jnp.sqrt(sum(leaves, jnp.zeros(())))


def clip_by_norm(tree: PyTree, limit: float) -> tuple[PyTree, Float[Array, ""]]:
    """Scale `tree` so that its norm is at most `limit`; also returns the norm it had."""
    norm = global_norm(tree)
    factor = jnp.minimum(1.0, limit / jnp.maximum(norm, 1e-12))
    return jax.tree.map(lambda x: x * factor, tree), norm


def all_finite(tree: PyTree) -> Bool[Array, ""]:
    """Whether no inexact leaf holds a NaN or an infinity."""
    leaves = [jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(tree) if eqx.is_inexact_array(x)]
    return jnp.all(jnp.stack(leaves)) if leaves else jnp.array(True)


def select(condition: Bool[Array, ""], if_true: PyTree, if_false: PyTree) -> PyTree:
    """`if_true` where the scalar `condition` holds, else `if_false`, leaf by leaf."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), if_true, if_false)


def count_parameters(tree: PyTree) -> int:
    """Number of entries in all inexact-array leaves."""
    return sum(x.size for x in jax.tree.leaves(tree) if eqx.is_inexact_array(x))
