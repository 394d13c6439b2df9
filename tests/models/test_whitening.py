"""Leading principal components made more equal, against their definition."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

from metaplastic.errors import InputError
from metaplastic.learners.pool import pool_presentation
from metaplastic.models import (
    PresentationSettings,
    fit_presentation,
    fit_whitening,
    freeze,
    init_mlp,
)

SETTINGS = PresentationSettings(whitening=0.25)
N_WHITENED, FLOOR = SETTINGS.components, SETTINGS.floor


@pytest.fixture(scope="module")
def wide():
    """700 rows of 60 columns whose variances fall as a power."""
    rng = np.random.default_rng(0)
    mixing = np.linalg.qr(rng.normal(size=(60, 60)))[0]
    deviations = 5.0 / (1.0 + np.arange(60))
    return ((rng.normal(size=(700, 60)) * deviations) @ mixing).astype(np.float32)


def spectrum(x):
    return np.linalg.eigvalsh(np.cov(np.asarray(x, np.float64).T, bias=True))[::-1]


@pytest.mark.parametrize("power", [0.0, 0.25, 0.5])
def test_leading_variances_come_nearer_to_the_next_and_the_total_stays(wide, power):
    rows = jnp.asarray(wide)
    before = spectrum(wide)
    after = spectrum(fit_whitening(rows, power, N_WHITENED, FLOOR)(rows))
    np.testing.assert_allclose(after.sum(), before.sum(), rtol=1e-4)
    ratio = before[:N_WHITENED] / before[N_WHITENED]
    head = np.sort(after)[::-1][: N_WHITENED + 1]
    np.testing.assert_allclose(head[:-1] / head[-1], ratio ** (1 - 2 * power), rtol=2e-2)
    # What comes after keeps its proportions.
    tail = after[N_WHITENED + 1 :] / after[-1]
    np.testing.assert_allclose(tail, before[N_WHITENED + 1 :] / before[-1], rtol=2e-2)


@pytest.mark.parametrize("n", [700, 40])
def test_of_a_pool_it_is_that_of_one_batch_dense_or_sparse(wide, n):
    x = np.where(np.abs(wide[:n]) < 0.3, 0.0, wide[:n]).astype(np.float32)
    rows = jnp.asarray(x)
    whole = fit_presentation(rows, SETTINGS)
    for pool in (x, scipy.sparse.csr_matrix(x)):
        found = pool_presentation(pool, SETTINGS)
        np.testing.assert_allclose(found(rows), whole(rows), atol=2e-4)
        np.testing.assert_allclose(found.scaled(rows), pool_presentation(x)(rows), atol=1e-5)
    assert pool_presentation(x).whitening is None


@pytest.mark.slow
def test_a_frozen_model_has_it_in_its_weights(wide):
    model = init_mlp(
        (60, 9, 5), key=jax.random.key(1), presentation=pool_presentation(wide, SETTINGS)
    )
    found = freeze(model, wide)
    np.testing.assert_allclose(found(wide), model.features(jnp.asarray(wide)), atol=2e-4)
    bare = dataclasses.replace(model, presentation=pool_presentation(wide))
    assert np.abs(freeze(bare, wide)(wide) - found(wide)).max() > 0.1


@pytest.mark.parametrize(
    "x",
    [
        np.ones((9, 40)),
        np.outer(np.arange(9.0), np.arange(40) % 3),
        np.random.default_rng(0).normal(size=(2, 50)),
    ],
    ids=["constant", "one direction", "two rows"],
)
def test_poor_pools_stay_finite_and_keep_their_variance(x):
    x = x.astype(np.float32)
    found = pool_presentation(x, SETTINGS)
    assert found.whitening is not None
    rows = jnp.asarray(x)
    out, plain = np.asarray(found(rows)), np.asarray(found.scaled(rows))
    assert np.all(np.isfinite(out))
    np.testing.assert_allclose(out.var(0).sum(), plain.var(0).sum(), rtol=1e-3)
    batch = fit_whitening(jnp.asarray(plain), 0.25, N_WHITENED, FLOOR)(jnp.asarray(plain))
    assert np.all(np.isfinite(batch))


@pytest.mark.parametrize("n_columns", [1, N_WHITENED])
def test_few_columns_are_left_as_they_are(wide, n_columns):
    assert pool_presentation(wide[:, :n_columns], SETTINGS).whitening is None


def test_components_and_floor_are_those_of_the_settings(wide):
    few = PresentationSettings(whitening=0.5, components=4)
    found = pool_presentation(wide, few)
    assert found.whitening is not None and found.whitening.axes.shape == (60, 5)
    before, after = (spectrum(f(jnp.asarray(wide))) for f in (found.scaled, found))
    np.testing.assert_allclose(after[:5], after[0], rtol=1e-2)
    assert before[0] > 2 * before[4]
    # Below the floor variances count as the floor, so nothing is blown up.
    high = dataclasses.replace(few, floor=0.999, components=40)
    reference = 0.999 * before.sum() / 60
    gain = np.asarray(pool_presentation(wide, high).whitening.shrink) + 1.0
    np.testing.assert_allclose(gain[30:], 1.0, atol=1e-5)
    np.testing.assert_allclose(gain[0], (before[0] / reference) ** -0.5, rtol=1e-2)


def test_without_whitening_the_shapes_stay_so_that_programs_are_shared(wide):
    found = pool_presentation(wide, SETTINGS)
    plain = found.unwhitened()
    assert jax.tree.structure(plain) == jax.tree.structure(found)
    rows = jnp.asarray(wide)
    np.testing.assert_allclose(plain(rows), found.scaled(rows), atol=1e-6)
    assert pool_presentation(wide).unwhitened().whitening is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": 7},
        {"order": 0},
        {"clip": 0.0},
        {"clip": float("nan")},
        {"whitening": -0.1},
        {"whitening": 0.6},
        {"whitening": float("nan")},
        {"components": 0},
        {"floor": 0.0},
        {"floor": 1.0},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        PresentationSettings(**wrong)
