"""The nonlinearities of the base model, by name, for JAX and for NumPy alike.

Each works elementwise on an array of either library, so that training and a frozen
encoder (NumPy) share one definition. The first eleven are those of Metz et al. 2018, fig. 5,
or their closest relatives; `linear` turns the base model into a chain of projections.
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal

from metaplastic.errors import InputError


def _sigmoid(np: ModuleType, x: Any) -> Any:
    return 0.5 * (np.tanh(0.5 * x) + 1.0)


def _gelu(np: ModuleType, x: Any) -> Any:
    # The tanh form, so that NumPy needs no error function.
    return 0.5 * x * (1.0 + np.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


@functools.cache
def _learnable_step() -> Callable[[Any], Any]:
    """The step function for JAX, made at its first use: encoders do without JAX."""
    import jax
    import jax.numpy as jnp

    @jax.custom_jvp
    def step(x: Any) -> Any:
        return jnp.where(x > 0, jnp.ones_like(x), jnp.zeros_like(x))

    @step.defjvp
    def _(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
        (x,), (tangent,) = primals, tangents
        slope = 1.0 - jnp.tanh(x) ** 2
        return step(x), 0.5 * slope * tangent

    return step


def _step(np: ModuleType, x: Any) -> Any:
    # For JAX with the slope of sigmoid(2 x) in place of none (a straight-through estimator, Bengio
    # et al. 2013, arXiv 1308.3432): meta-gradients would pass no layer otherwise.
    if np.__name__ == "jax.numpy":
        return _learnable_step()(x)
    return np.where(x > 0, np.ones_like(x), np.zeros_like(x))


_FUNCTIONS: dict[str, Callable[[ModuleType, Any], Any]] = {
    "relu": lambda np, x: np.maximum(x, 0),
    "leaky_relu": lambda np, x: np.maximum(x, 0.1 * x),
    "elu": lambda np, x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1.0),
    "gelu": _gelu,
    "swish": lambda np, x: x * _sigmoid(np, x),
    "softplus": lambda np, x: np.logaddexp(x, np.zeros_like(x)),
    "tanh": lambda np, x: np.tanh(x),
    "sigmoid": _sigmoid,
    "sine": lambda np, x: np.sin(x),
    "step": _step,
    "linear": lambda np, x: x,
}

ACTIVATIONS: tuple[str, ...] = tuple(_FUNCTIONS)
"""Names that `activate` knows."""

BOUNDED = ("tanh", "sigmoid", "sine", "step")
"""Those whose values are bounded: a rule may have another for networks of them."""

SEVERAL = "+"
"""Between names where networks side by side have different ones."""

Readout = Literal["drive", "post"]
"""Whether features are the top layer's drive or what its nonlinearity makes of it."""

AUTO = "auto"
"""In place of a name where the inputs may choose (`RuleLearner.nonlinearities`)."""


def check_activation(name: str) -> str:
    """Check the name of a nonlinearity.

    Parameters
    ----------
    name : str
        What the user gave.

    Returns
    -------
    str
        The name.

    Raises
    ------
    InputError
        For an unknown name. The message lists the known ones.
    """
    if name not in _FUNCTIONS:
        raise InputError(f"unknown activation {name!r}; choose one of {', '.join(ACTIVATIONS)}")
    return name


def check_activations(names: str) -> tuple[str, ...]:
    """Take a name such as `relu` or `relu+tanh` apart.

    Parameters
    ----------
    names : str
        What the user gave.

    Returns
    -------
    tuple of str
        The names.

    Raises
    ------
    InputError
        If a name is not known or comes twice.
    """
    parts = tuple(names.split(SEVERAL))
    for name in parts:
        check_activation(name)
    if len(set(parts)) < len(parts):
        raise InputError(f"nonlinearities must differ, got {names!r}")
    return parts


def plain_activation(names: str) -> str:
    """The nonlinearity of networks that no rule trains.

    Parameters
    ----------
    names : str
        A name, or `auto`.

    Returns
    -------
    str
        The name; `relu` in place of `auto`.
    """
    return "relu" if names == AUTO else names


def activate(names: str, x: Any, np: ModuleType) -> Any:
    """Apply a nonlinearity elementwise.

    Of several (`relu+tanh`), each has an equal share of the columns, in order.

    Parameters
    ----------
    names : str
        A name of `ACTIVATIONS`, or several.
    x : array (..., column) of float
        Drives.
    np : ModuleType
        `numpy` or `jax.numpy`.

    Returns
    -------
    array (..., column) of float
        Outputs.
    """
    if SEVERAL not in names:
        return _FUNCTIONS[names](np, x)
    parts = names.split(SEVERAL)
    shares = np.split(x, len(parts), axis=-1)
    return np.concatenate(
        [_FUNCTIONS[name](np, share) for name, share in zip(parts, shares, strict=True)], axis=-1
    )
