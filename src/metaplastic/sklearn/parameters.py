"""Checks of what users pass to the estimators, made before any work is done."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from metaplastic.errors import InputError
from metaplastic.models import AUTO

NETWORKS = (
    "hidden_sizes",
    "n_components",
    "activation",
    "n_steps",
    "batch_size",
    "n_networks",
)
"""Parameters of the estimators that are settings of a preset's networks, or `AUTO`."""


def given_networks(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the parameters named `NETWORKS` that the preset does not decide.

    `NetworkSettings` checks them.
    """
    given = {}
    for name, value in values.items():
        if not (isinstance(value, str) and value == AUTO):
            # One pass in order counts no steps beforehand; the stream makes them.
            given[name] = 0 if name == "n_steps" and value is None else value
    return given


def draw_seed(random_state: Any) -> int:
    """An integer is the seed itself, so that it means the same to every learner."""
    try:
        generator = check_random_state(random_state)
    except ValueError as error:
        raise InputError(f"random_state: {error}") from error
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(generator.randint(np.iinfo(np.int32).max))
