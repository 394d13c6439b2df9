"""Checks of what users pass to the estimators, made before any work is done."""

import dataclasses
from collections.abc import Mapping
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
from metaplastic.presets.io import resolve

NETWORKS = (
    "hidden_sizes",
    "n_components",
    "activation",
    "n_steps",
    "batch_size",
    "n_networks",
)
"""Parameters of the estimators that are settings of a preset's networks, or `AUTO`."""

LEAST = {"n_components": 1, "n_steps": 0, "batch_size": 2, "n_networks": 1}
"""Least values of those that are integers."""


def make_learner(
    rule: Any, preset: Any, networks: Mapping[str, Any], prepare: Any = True
) -> RuleLearner:
    """The learner that an estimator's parameters describe; its rules hold NumPy arrays.

    `networks` has the parameters named `NETWORKS`; `AUTO` is what the preset says. `prepare` says
    whether the preset may prepare the inputs.

    Raises
    ------
    InputError
        For values that are not allowed.
    FileFormatError
        For a path that cannot be read as a rule or a preset.
    """
    given = {name: _check_network(name, value) for name, value in networks.items()}
    if not isinstance(prepare, (bool, np.bool_)):
        raise InputError(f"prepare is True or False, got {prepare!r}")
    chosen = resolve(rule, preset)
    if not prepare:
        chosen = chosen.without_preparation()
    chosen = chosen.with_networks(**{k: v for k, v in given.items() if v is not None})
    return RuleLearner(dataclasses.replace(chosen, rules=chosen.rules.map(to_numpy)))


def _check_network(name: str, value: Any) -> Any:
    """The value if it is allowed, `None` if the preset decides; raises `InputError`."""
    if isinstance(value, str) and value == AUTO:
        return None
    if name == "activation":
        if not isinstance(value, str):
            raise InputError(f"activation must be a name, got {value!r}")
        check_activations(value)
        return value
    if name == "hidden_sizes":
        if isinstance(value, (str, bytes, Integral)) or not np.iterable(value):
            raise InputError(
                f"hidden_sizes must be a tuple of positive integers, got {value!r}; "
                "write (128,) for one layer"
            )
        return tuple(check_integer(name, size, 1) for size in value)
    if name == "n_steps" and value is None:
        return 0  # One pass in order counts no steps beforehand; the stream makes them.
    return check_integer(name, value, LEAST[name])


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
