"""Networks frozen on real digits, their weights as initialised."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits

from metaplastic.models import (
    FrozenMLP,
    PreparationSettings,
    Readout,
    fit_preparation,
    fit_presentation,
    freeze,
    init_mlp,
    side_by_side,
)


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    return load_digits().data[:500]


@pytest.fixture(scope="session")
def make_encoder(digits: np.ndarray) -> Callable[..., FrozenMLP]:
    presentation = fit_presentation(jax.numpy.asarray(digits, np.float32))

    @functools.cache
    def make(
        activation: str = "relu", readout: Readout = "drive", sizes: tuple[int, ...] = (64, 9, 7, 5)
    ) -> FrozenMLP:
        model = init_mlp(
            sizes,
            key=jax.random.key(0),
            activation=activation,
            initialisation="published",  # its biases are not zero
            readout=readout,
            presentation=presentation,
        )
        return freeze(model, digits)

    return make


@pytest.fixture(scope="session")
def make_several(make_encoder: Callable[..., FrozenMLP]) -> Callable[..., FrozenMLP]:
    """Networks of different nonlinearities, the outputs of their top layers read, as one."""

    def make(*activations: str) -> FrozenMLP:
        return side_by_side([make_encoder(name, "post") for name in activations])

    return make


@pytest.fixture(scope="session")
def prepared(make_encoder: Callable[..., FrozenMLP]) -> list[tuple[FrozenMLP, np.ndarray]]:
    """Encoders of counts (one row is all zeros), directions and heavy tails, with such rows."""
    generator = np.random.default_rng(0)
    counts = generator.poisson(generator.gamma(0.1, 2.0, size=(300, 70)))
    counts[7] = 0
    table = np.exp(2 * generator.normal(size=(300, 64)))
    table[:, ::2] = generator.normal(size=(300, 32))
    table[:150, 1] = 0
    settings = PreparationSettings(
        count_zeros=0.5, n_components=64, directions=5, tail=2.5, quantiles=9
    )
    embedded = generator.normal(size=(300, 80))
    embedded /= np.linalg.norm(embedded, axis=1, keepdims=True)
    made = []
    for x in (each.astype(np.float32) for each in (counts, embedded, table)):
        preparation = fit_preparation(x, settings)
        assert preparation is not None
        made.append((dataclasses.replace(make_encoder(), preparation=preparation), x))
    return made


@pytest.fixture(scope="session")
def assert_same() -> Callable[[np.ndarray, np.ndarray, str], None]:
    """Features agree to 1e-5 in every row, but for what `step` makes of rounding errors."""

    def check(found: np.ndarray, expected: np.ndarray, activation: str) -> None:
        assert found.shape == expected.shape
        good = np.abs(found - expected).max(axis=1) <= 1e-5
        assert good.mean() >= (0.99 if activation == "step" else 1)

    return check
