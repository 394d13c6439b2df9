"""Checks of what users pass to the estimators, made before any work is done."""

from numbers import Integral
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from metaplastic.errors import InputError
from metaplastic.learners import RuleLearner
from metaplastic.models import AUTO, check_activations
from metaplastic.rules import load_rule


def make_learner(
    rule: Any,
    hidden_sizes: Any,
    n_components: Any,
    activation: Any,
    n_steps: Any,
    batch_size: Any,
    n_networks: Any,
) -> RuleLearner:
    """The learner that an estimator's parameters describe; its rule holds NumPy arrays.

    Raises:
        InputError: for values that are not allowed.
        FileFormatError: for a path that cannot be read as a rule.
    """
    if isinstance(hidden_sizes, (str, bytes, Integral)) or not np.iterable(hidden_sizes):
        raise InputError(
            f"hidden_sizes must be a tuple of positive integers, got {hidden_sizes!r}; "
            "write (128,) for one layer"
        )
    sizes = tuple(check_integer("hidden_sizes", size, 1) for size in hidden_sizes)
    components = check_integer("n_components", n_components, 1)
    if not isinstance(activation, str):
        raise InputError(f"activation must be a name, got {activation!r}")
    if activation != AUTO:
        check_activations(activation)
    # One pass in order counts no steps beforehand; what makes them is the stream.
    steps = 0 if n_steps is None else check_integer("n_steps", n_steps, 0)
    batch = check_integer("batch_size", batch_size, 2)
    networks = check_integer("n_networks", n_networks, 1)
    return RuleLearner(
        to_numpy(load_rule(rule)), sizes, components, activation, steps, batch, networks
    )


def check_integer(name: str, value: Any, least: int) -> int:
    """`value` as an `int` if it is an integer of at least `least`; otherwise `InputError`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral) or value < least:
        raise InputError(f"{name} takes integers of at least {least}, got {value!r}")
    return int(value)


def draw_seed(random_state: Any) -> int:
    """An integer is the seed itself, so that it means the same to every learner."""
    generator = check_random_state(random_state)  # raises ValueError
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(generator.randint(np.iinfo(np.int32).max))


def stable_batch_size(batch_size: int, n_rows: int) -> int:
    """The batch size, or the largest power of two within a smaller pool.

    Pools of nearby sizes then share one compiled program.
    """
    return batch_size if n_rows >= batch_size else 1 << (n_rows.bit_length() - 1)


def to_numpy(tree: PyTree) -> PyTree:
    """The tree with NumPy arrays for JAX's: it pickles and needs no device."""

    def convert(leaf: Any) -> Any:
        return np.asarray(leaf) if isinstance(leaf, jax.Array) else leaf

    return jax.tree.map(convert, tree)


def nothing(n_columns: int) -> NDArray[np.float32]:
    """No rows yet."""
    return np.zeros((0, n_columns), np.float32)
