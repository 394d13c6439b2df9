"""Checks of values that users pass, for whatever takes them."""

from numbers import Integral
from typing import Any

import numpy as np

from metaplastic.errors import InputError


def check_integer(name: str, value: Any, least: int) -> int:
    """`value` as an `int` if it is an integer of at least `least`; otherwise `InputError`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral) or value < least:
        raise InputError(f"{name} takes integers of at least {least}, got {value!r}")
    return int(value)
