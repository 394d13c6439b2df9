"""Checks of the parameters of `FewShotClassifier` that say how classes are read."""

import dataclasses
from numbers import Integral
from typing import Any, Literal, cast, get_args

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from metaplastic.checks import check_integer
from metaplastic.errors import InputError
from metaplastic.readings import ReadingSettings
from metaplastic.readings.memory import check_memory

HeadName = Literal["auto", "graph", "ridge", "logistic"]
HEADS: tuple[HeadName, ...] = get_args(HeadName)
Supervision = Literal["none", "labels"]


def check_head(head: Any) -> HeadName:
    """Return `head` if it is a name of a reading; otherwise raise `InputError`."""
    if isinstance(head, str) and head in HEADS:
        return cast(HeadName, head)
    raise InputError(f"unknown head {head!r}; choose {', '.join(HEADS[:-1])} or {HEADS[-1]}")


def check_supervision(supervision: Any) -> Supervision:
    """Return `supervision` if it is "none" or "labels"; otherwise raise `InputError`."""
    if isinstance(supervision, str) and supervision in get_args(Supervision):
        return cast(Supervision, supervision)
    raise InputError(f"unknown supervision {supervision!r}; choose none or labels")


def check_size(n_rows: int, n_components: Any, n_classes: int, preset: Any, head: str) -> None:
    """`InputError` if the features of so many rows, and their reading, do not fit into memory."""
    from metaplastic.presets.io import stored_preset  # And JAX with it, when it is needed.

    own = stored_preset(preset).networks.n_components
    count = int(n_components) if isinstance(n_components, Integral) else own
    check_memory(n_rows, count, n_classes, head)


def check_prior(prior: Any, classes: NDArray) -> Float[np.ndarray, " class"] | None:
    """Shares of the classes, made to sum to 1; `InputError` unless there is one for each."""
    if prior is None:
        return None
    try:
        shares = np.asarray(prior, np.float64)
    except (TypeError, ValueError):
        shares = np.zeros(0)
    if shares.shape != classes.shape or not np.all((shares > 0) & (shares < np.inf)):
        raise InputError(
            f"class_prior takes {len(classes)} positive numbers, one for each of "
            f"{classes.tolist()!r:.80}, got {prior!r:.80}"
        )
    return shares / shares.sum()


def reading_settings(preset: Any, head: str, n_neighbors: Any, n_rows: int) -> ReadingSettings:
    """The preset's settings with this many neighbours, fewer than rows.

    Raises
    ------
    InputError
        For a number that is not allowed.
    """
    from metaplastic.presets.io import stored_preset

    settings = stored_preset(preset).reading
    if n_neighbors is None:
        return settings
    count = check_integer("n_neighbors", n_neighbors, 1)
    if count >= n_rows and head in ("auto", "graph"):
        raise InputError(
            f"n_neighbors={count} asks for more neighbours than a row of {n_rows} has; give at "
            f"most {n_rows - 1}"
        )
    return dataclasses.replace(settings, n_neighbors=count)
