"""Autoencoders and VICReg: what their losses are, that they fall, and what they refuse."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

from metaplastic.errors import DivergenceError, InputError
from metaplastic.learners import Autoencoder, RandomNetwork, VariationalAutoencoder, VICReg, descent
from metaplastic.learners.reconstruction import (
    bernoulli_surprise,
    gaussian_surprise,
    kl_from_standard_normal,
    unit_range,
)
from metaplastic.learners.vicreg import covariance_term, variance_term
from metaplastic.models import FrozenMLP

SMALL = {"hidden_sizes": (16,), "n_components": 3, "n_steps": 150, "batch_size": 32}
SMALL |= {"learning_rate": 1e-2}
LEARNERS = {
    "autoencoder": Autoencoder(**SMALL),
    "vae": VariationalAutoencoder(**SMALL),
    "vae-gaussian": VariationalAutoencoder(likelihood="gaussian", **SMALL),
    "vicreg": VICReg(projector_sizes=(12, 12), **SMALL),
}


@pytest.fixture(scope="module")
def pool():
    """Twelve columns that three hidden causes make, and noise."""
    rng = np.random.default_rng(0)
    causes = rng.normal(size=(300, 3))
    x = np.tanh(causes @ rng.normal(size=(3, 12))) + 0.1 * rng.normal(size=(300, 12))
    return x.astype(np.float32)


def unexplained(features, x):
    """Part of the variance of `x` that no straight line from the features explains."""
    features, x = features - features.mean(0), x - x.mean(0)
    fitted = features @ np.linalg.lstsq(features, x, rcond=None)[0]
    return np.square(x - fitted).sum() / np.square(x).sum()


SOME_SLOW = [
    pytest.param(name, marks=pytest.mark.slow if "gaussian" in name else ()) for name in LEARNERS
]


@pytest.mark.slow
@pytest.mark.parametrize("name", SOME_SLOW)
def test_training_lowers_the_loss_on_the_whole_pool(name, pool):
    learner = LEARNERS[name]
    losses = []
    for steps in (0, learner.n_steps):
        model, found = dataclasses.replace(learner, n_steps=steps).fit_parameters(pool, seed=0)
        loss = learner.loss(pool, model.presentation)
        losses.append(float(eqx.filter_jit(loss)(found, jnp.asarray(pool), key=jax.random.key(1))))
    assert losses[1] < 0.9 * losses[0]


@pytest.mark.parametrize(
    "name", ["autoencoder", pytest.param("vae-gaussian", marks=pytest.mark.slow)]
)
def test_inputs_can_be_read_from_the_code_better_than_from_a_random_network(name, pool):
    found = unexplained(LEARNERS[name].fit(pool, seed=0)(pool), pool)
    assert found < 0.8 * unexplained(RandomNetwork((16, 3)).fit(pool, seed=0)(pool), pool)


@pytest.mark.parametrize("name", ["autoencoder", "vae"])
def test_other_steps_and_other_numbers_compile_nothing(name, pool):
    LEARNERS[name].fit(pool, seed=0)
    compiled = descent._descend._cached._cache_size()
    other = {"noise": 0.7} if hasattr(LEARNERS[name], "noise") else {"beta": 0.5}
    dataclasses.replace(LEARNERS[name], n_steps=7, learning_rate=1e-4, **other).fit(pool, seed=3)
    assert descent._descend._cached._cache_size() == compiled


def test_the_loop_is_adamw_with_warm_up_and_cosine():
    class Square(descent.AbstractLoss):
        def __call__(self, parameters, batch, *, key):
            return jnp.sum(jnp.square(parameters.head - batch))

    start = jnp.arange(3.0)
    targets = np.random.default_rng(0).normal(size=(70, 3)).astype(np.float32)
    taken = iter(np.split(targets, [50]))
    found = descent.minimise(
        Square(),
        descent.Parameters((), start),
        lambda count: next(taken),
        n_steps=70,
        most=50,
        learning_rate=0.1,
        weight_decay=0.3,
        key=jax.random.key(0),
    )
    schedule = optax.warmup_cosine_decay_schedule(0.0, 0.1, 7, 70)
    optimiser = optax.adamw(lambda t: schedule(t + 1), weight_decay=0.3)
    w, state = start, optimiser.init(start)
    for target in targets:
        change, state = optimiser.update(2 * (w - target), state, w)
        w = w + change
    np.testing.assert_allclose(found.head, w, atol=1e-5)


def test_divergence_says_where_and_what_to_do(pool):
    with pytest.raises(DivergenceError, match=r"between steps 0 and 50.*smaller learning rate"):
        Autoencoder(**SMALL | {"learning_rate": 1e38}).fit(pool, seed=0)


def test_corruption_masks_and_adds_noise():
    x = jnp.full((500, 40), 2.0)
    zero, key = jnp.zeros(()), jax.random.key(0)
    np.testing.assert_array_equal(descent.corrupt(x, noise=zero, mask=zero, key=key), x)
    masked = np.asarray(descent.corrupt(x, noise=zero, mask=jnp.float32(0.3), key=key))
    assert set(np.unique(masked)) == {0.0, 2.0}
    assert 0.28 < np.mean(masked == 0) < 0.32
    noisy = np.asarray(descent.corrupt(x, noise=jnp.float32(0.5), mask=zero, key=key))
    np.testing.assert_allclose([noisy.mean(), noisy.std()], [2.0, 0.5], atol=0.02)


def test_divergence_from_the_prior_equals_its_integral():
    mean, deviation = np.array([0.7, -1.2]), np.array([0.5, 1.6])
    found = kl_from_standard_normal(
        jnp.asarray(mean[None], jnp.float32), jnp.asarray(2 * np.log(deviation)[None], jnp.float32)
    )
    z = np.linspace(-15, 15, 20_001)
    expected = 0.0
    for m, s in zip(mean, deviation, strict=True):
        own, prior = scipy.stats.norm(m, s), scipy.stats.norm()
        expected += np.trapezoid(own.pdf(z) * (own.logpdf(z) - prior.logpdf(z)), z)
    np.testing.assert_allclose(found, [expected], rtol=1e-4)
    assert kl_from_standard_normal(jnp.zeros((1, 4)), jnp.zeros((1, 4)))[0] == 0


def test_likelihoods_are_those_of_scipy():
    rng = np.random.default_rng(0)
    back, x = (jnp.asarray(rng.normal(size=(4, 5)), jnp.float32) for _ in range(2))
    found = gaussian_surprise(back, x, jnp.float32(np.log(0.3)))
    expected = -scipy.stats.norm(back, np.sqrt(0.3)).logpdf(x).sum(1)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    bits = (x > 0).astype(jnp.float32)
    expected = -scipy.stats.bernoulli(1 / (1 + np.exp(-np.asarray(back)))).logpmf(bits).sum(1)
    np.testing.assert_allclose(bernoulli_surprise(back, bits), expected, rtol=1e-4)


def test_columns_go_to_the_unit_range():
    x = np.array([[0.0, 5.0, -2.0], [4.0, 5.0, 2.0], [1.0, 5.0, 0.0]])
    low, inverse = unit_range(x)
    expected = [[0, 0, 0], [1, 0, 1], [0.25, 0, 0.5]]
    np.testing.assert_allclose((x - low) * inverse, expected)


def test_features_of_a_variational_autoencoder_are_the_means_of_the_posterior(pool):
    learner = LEARNERS["vae"]
    model, found = learner.fit_parameters(pool, seed=0)
    mean, _ = learner.loss(pool, model.presentation).posterior(found, jnp.asarray(pool))
    np.testing.assert_allclose(learner.fit(pool, seed=0)(pool), mean, atol=1e-4)


def test_terms_of_vicreg_are_those_of_their_equations():
    z = np.random.default_rng(0).normal(size=(50, 4)) * [0.1, 1.0, 3.0, 0.5]
    z[:, 3] += z[:, 2]
    covariance = np.cov(z.T)
    off = covariance - np.diag(np.diag(covariance))
    found = covariance_term(jnp.asarray(z, jnp.float32))
    np.testing.assert_allclose(found, np.square(off).sum() / 4, rtol=1e-4)
    hinge = np.maximum(0, 1 - np.sqrt(np.diag(covariance) + 1e-4))
    np.testing.assert_allclose(variance_term(jnp.asarray(z, jnp.float32)), hinge.mean(), rtol=1e-4)


def test_the_covariance_term_decorrelates_the_embedding(pool):
    def correlation(weight):
        learner = dataclasses.replace(LEARNERS["vicreg"], covariance=weight)
        model, found = learner.fit_parameters(pool, seed=0)
        features = model.features(jnp.asarray(pool))
        z = descent.hidden_then_affine(found.head, features, learner.activation)
        matrix = np.corrcoef(np.asarray(z).T)
        return np.abs(matrix[~np.eye(len(matrix), dtype=bool)]).mean()

    assert correlation(25.0) < 0.6 * correlation(0.0)


def test_the_projector_is_thrown_away(pool):
    encoder = LEARNERS["vicreg"].fit(pool, seed=0)
    assert isinstance(encoder, FrozenMLP)
    assert [w.shape for w in encoder.weights] == [(12, 16), (16, 3)]


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
def test_without_hidden_layers_and_below_a_batch(name, pool):
    learner = dataclasses.replace(LEARNERS[name], hidden_sizes=(), n_steps=3, batch_size=512)
    features = learner.fit(pool[:9], seed=0)(pool)
    assert features.shape == (300, 3) and np.all(np.isfinite(features))


@pytest.mark.parametrize("make", [Autoencoder, VariationalAutoencoder, VICReg])
@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_sizes": (0,)},
        {"n_components": 0},
        {"activation": "cube"},
        {"n_steps": -1},
        {"batch_size": 1},
        {"learning_rate": -1.0},
        {"learning_rate": float("nan")},
    ],
)
def test_bad_networks_are_refused(make, changes):
    with pytest.raises(InputError):
        make(**changes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Autoencoder(mask=1.0), "mask"),
        (lambda: Autoencoder(noise=-0.1), "noise"),
        (lambda: VariationalAutoencoder(likelihood="poisson"), "bernoulli or gaussian"),
        (lambda: VariationalAutoencoder(beta=-1.0), "beta"),
        (lambda: VICReg(mask=-0.1), "mask"),
        (lambda: VICReg(invariance=-1.0), "invariance"),
        (lambda: VICReg(covariance=float("inf")), "covariance"),
        (lambda: VICReg(projector_sizes=(8, 0)), "projector_sizes"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
