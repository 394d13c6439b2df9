"""Direct features of wide inputs against scikit-learn's principal components."""

import dataclasses

import numpy as np
import pytest
from sklearn.decomposition import PCA

from metaplastic.errors import InputError
from metaplastic.models import NO_DIRECT, DirectSettings, FrozenMLP, with_direct
from metaplastic.models.principal import principal_axes

SETTINGS = DirectSettings(0.5, 0.25, components=64)


@pytest.fixture(scope="module")
def wide():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(300, 5)) * [9.0, 7.0, 5.0, 4.0, 3.0]
    return (hidden @ rng.normal(size=(5, 90)) / 9 + 0.1 * rng.normal(size=(300, 90))).astype("f")


def encoder(n_in):
    one = np.float32(1.0)
    return FrozenMLP(
        np.zeros(n_in, "f"),
        np.ones(n_in, "f"),
        np.float32(1e6),
        one,
        (np.random.default_rng(1).normal(size=(n_in, 40)).astype("f"),),
        (np.zeros(40, "f"),),
        "relu",
        "drive",
    )


@pytest.mark.parametrize("n", [300, 60, 7])
def test_axes_are_those_of_scikit_learn(wide, n):
    axes, variances = principal_axes(wide[:n], 12)
    m = min(12, n - 1)
    expected = PCA(m, svd_solver="full").fit(wide[:n])
    assert axes.shape == (90, m)
    np.testing.assert_allclose(variances * n / (n - 1), expected.explained_variance_, rtol=1e-4)
    np.testing.assert_allclose(
        np.abs(np.sum(axes[:, :5].T * expected.components_[:5], 1)), 1.0, rtol=1e-4
    )


@pytest.mark.parametrize("n", [300, 60])
def test_axes_have_the_sign_that_makes_their_largest_number_positive(wide, n):
    axes, _ = principal_axes(wide[:n], 12)
    largest = np.abs(axes).argmax(0)
    assert np.all(axes[largest, np.arange(axes.shape[1])] > 0)
    # Rows turned around have the same axes, whatever a library makes of them.
    np.testing.assert_allclose(principal_axes(-wide[:n], 12)[0], axes, atol=1e-6)


def test_features_share_the_variance_of_the_components(wide):
    made = with_direct(encoder(90), 80, wide, SETTINGS, seed=0)
    direct = made(wide)[:, :80]
    assert direct.shape == (300, 80)
    assert np.linalg.matrix_rank(direct, tol=1e-2) <= SETTINGS.components
    # Together as much as 40 features of variance one; none much more than another.
    spread = direct.var(0)
    np.testing.assert_allclose(spread.sum(), 40, rtol=1e-2)
    assert spread.max() < 12 * spread.mean()
    best = PCA(SETTINGS.components).fit_transform(wide)
    inside = direct - direct.mean(0)
    inside = inside - best @ np.linalg.lstsq(best, inside, rcond=None)[0]
    assert np.abs(inside).max() < 1e-2 * np.abs(direct).max()


def test_two_rows_are_enough(wide):
    made = with_direct(encoder(90), 64, wide[:2], SETTINGS, seed=0)
    assert np.all(np.isfinite(made(wide)))
    assert np.ptp(made(wide)[:, :64], axis=0).min() > 0


@pytest.mark.parametrize("n", [1, 5, 200], ids=["one row", "fewer than columns", "more"])
@pytest.mark.parametrize("value", [0.0, 0.7])
def test_equal_rows_have_no_direct_features(wide, n, value):
    made = with_direct(encoder(90), 64, np.full((n, 90), value, "f"), SETTINGS, seed=0)
    assert made.direct is not None and not made.direct.any()
    assert np.all(np.isfinite(made(wide)))


def test_what_the_first_rows_hold_as_rounding_alone_is_no_direction(wide):
    rows = np.full((50, 90), 1.0, "f")
    rows[::2] = np.nextafter(np.float32(1), np.float32(2))
    assert not with_direct(encoder(90), 64, rows, SETTINGS, seed=0)(wide)[:, :64].any()


def test_few_columns_are_copied(wide):
    made = with_direct(encoder(8), 16, wide[:, :8], SETTINGS, seed=0)
    direct = made(wide[:, :8])[:, :16]
    np.testing.assert_array_equal(direct[:, :8], direct[:, 8:])
    assert dataclasses.replace(made, direct=None)(wide[:, :8]).shape == (300, 40)


def test_components_and_rows_are_those_of_the_settings(wide):
    few = DirectSettings(0.5, 0.25, components=3, rows=20)
    direct = with_direct(encoder(90), 16, wide, few, seed=0).direct
    assert np.linalg.matrix_rank(direct) == 3
    # The other rows are not looked at.
    changed = wide.copy()
    changed[20:] *= 2.0
    np.testing.assert_array_equal(with_direct(encoder(90), 16, changed, few, seed=0).direct, direct)


SHARES = [(6, 20, 6), (6, 30, 12), (6, 7, 3), (4, 16, 8), (32, 8, 4), (33, 8, 2), (100, 512, 100)]


@pytest.mark.parametrize(("n_in", "n_components", "expected"), SHARES)
def test_few_columns_have_half_of_the_features_and_many_a_quarter(n_in, n_components, expected):
    assert SETTINGS.count(n_in, n_components) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"share_few": 1.0},
        {"share": -0.1},
        {"share": float("nan")},
        {"few": 0},
        {"components": 0},
        {"rows": 0},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(InputError, match=r"shares must be|at least 1"):
        DirectSettings(**wrong)


def test_no_direct_features_are_none():
    assert [NO_DIRECT.count(n_in, 512) for n_in in (1, 32, 33, 2000)] == [0, 0, 0, 0]


def test_direct_features_weigh_as_much_as_is_asked(wide):
    for n_direct in (80, 90):
        heavy = dataclasses.replace(SETTINGS, components=90, weight=3.0)
        once, thrice = (
            with_direct(encoder(90), n_direct, wide, settings, seed=0)(wide)[:, :n_direct]
            for settings in (dataclasses.replace(heavy, weight=1.0), heavy)
        )
        np.testing.assert_allclose(thrice.var(0), 3.0 * once.var(0), rtol=1e-4)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises(InputError, match="weight must be positive"):
        DirectSettings(weight=weight)
