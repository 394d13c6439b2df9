"""Checks of what users pass to the estimators, made before any work is done."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from metaplastic.errors import InputError
from metaplastic.models import AUTO, check_activations

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


def check_network(name: str, value: Any) -> Any:
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
    try:
        generator = check_random_state(random_state)
    except ValueError as error:
        raise InputError(f"random_state: {error}") from error
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(generator.randint(np.iinfo(np.int32).max))
