"""Hand-designed rules against float64 references and against what theory says they converge to."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.decomposition import PCA

from metaplastic.errors import InputError
from metaplastic.models import fit_presentation
from metaplastic.rules import apply_rule, init_model
from metaplastic.rules.hebb import Hebb
from metaplastic.rules.krotov_hopfield import KrotovHopfield
from metaplastic.rules.layerwise import MAX_NORM, bounded
from metaplastic.rules.oja import Oja
from metaplastic.rules.sanger import Sanger
from metaplastic.rules.softhebb import SoftHebb


@eqx.filter_jit
def run(rule, model, batches):
    def body(carry, x):
        return apply_rule(rule, *carry, x, key=jax.random.key(0))[:2], None

    state = rule.init(model, key=jax.random.key(0))
    return jax.lax.scan(body, (model, state), batches)[0][0]


def train(rule, x, units, steps=600, batch=100, seed=0):
    model = init_model(
        rule, (x.shape[1], units), key=jax.random.key(seed), presentation=fit_presentation(x)
    )
    rows = np.random.default_rng(seed).integers(0, len(x), (steps, batch))
    return run(rule, model, x[rows])


@pytest.fixture(scope="module")
def gaussian():
    """2,000 samples of 8 columns whose covariance has well separated eigenvalues."""
    rng = np.random.default_rng(1)
    rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    spread = np.array([3.0, 2.2, 1.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    return jnp.asarray(rng.normal(size=(2000, 8)) * spread @ rotation.T, jnp.float32)


@pytest.fixture(scope="module")
def principal(gaussian):
    """Principal components of the inputs as the first layer sees them, in rows."""
    return PCA(3).fit(np.asarray(fit_presentation(gaussian)(gaussian), np.float64)).components_


@pytest.fixture(scope="module")
def clusters():
    """Five tight clusters in 12 columns, and their presented centres in rows."""
    rng = np.random.default_rng(2)
    centres = rng.normal(size=(5, 12))
    label = rng.integers(0, 5, 1500)
    x = jnp.asarray(centres[label] + 0.1 * rng.normal(size=(1500, 12)), jnp.float32)
    presented = np.asarray(fit_presentation(x)(x))
    return x, np.stack([presented[label == c].mean(0) for c in range(5)])


def cosines(a, b):
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    return a @ b.T


@pytest.mark.slow
def test_sanger_finds_the_principal_components_in_order(gaussian, principal):
    weight = np.asarray(train(Sanger(), gaussian, 3).layers[0].weight, np.float64)
    assert np.all(np.abs(np.diag(cosines(weight.T, principal))) > 0.98)
    np.testing.assert_allclose(np.linalg.norm(weight, axis=0), 1.0, atol=0.05)


def test_oja_subspace_finds_the_principal_subspace(gaussian, principal):
    weight = np.asarray(train(Oja(), gaussian, 3).layers[0].weight, np.float64)
    angles = np.linalg.svd(np.linalg.qr(weight)[0].T @ principal.T)[1]
    assert angles.min() > 0.98
    np.testing.assert_allclose(weight.T @ weight, np.eye(3), atol=0.05)


def test_every_single_oja_unit_finds_the_first_component(gaussian, principal):
    weight = np.asarray(train(Oja(subspace=False), gaussian, 3).layers[0].weight, np.float64)
    assert np.abs(cosines(weight.T, principal[:1])).min() > 0.98
    np.testing.assert_allclose(np.linalg.norm(weight, axis=0), 1.0, atol=0.05)


def test_hebb_follows_the_first_component_and_stays_bounded(gaussian, principal):
    weight = np.asarray(train(Hebb(0.05, time_scale=1e6), gaussian, 3).layers[0].weight, np.float64)
    assert np.abs(cosines(weight.T, principal[:1])).min() > 0.98
    assert np.linalg.norm(weight, axis=0).max() < 1.0 / float(Hebb().decay)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [KrotovHopfield(), SoftHebb()], ids=lambda r: type(r).__name__)
def test_competing_units_become_prototypes(clusters, rule):
    x, centres = clusters
    weight = np.asarray(train(rule, x, 12).layers[0].weight)
    best = cosines(centres, weight.T).max(1)
    assert np.all(best > 0.95), best


def test_krotov_hopfield_shrinks_winners_to_its_radius(clusters):
    rule = KrotovHopfield(delta=0.0, time_scale=1e6)
    weight = train(rule, clusters[0], 5, steps=1500).layers[0].weight
    lengths = np.linalg.norm(np.asarray(weight), axis=0)
    assert np.any(np.abs(lengths - float(rule.radius)) < 0.02), lengths


@pytest.mark.slow
def test_softhebb_keeps_unit_norm(clusters):
    weight = train(SoftHebb(), clusters[0], 5).layers[0].weight
    np.testing.assert_allclose(np.linalg.norm(np.asarray(weight), axis=0), 1.0, atol=0.15)


def reference(rule, w, x, z):
    """The docstrings' equations for one layer at t = 0, written with loops, in float64."""
    eta = float(rule.learning_rate)
    n, n_pre = x.shape
    xc = x - x.mean(0)
    if isinstance(rule, Hebb):
        return eta * (x.T @ z / n / np.sqrt(n_pre) - float(rule.decay) * w)
    if isinstance(rule, Oja | Sanger):
        centre = isinstance(rule, Sanger) or rule.subspace
        x = xc if centre else x
        power = (xc**2).sum() / n if centre else n_pre
        change = np.zeros_like(w)
        for row in x:
            y = w.T @ row
            for j in range(w.shape[1]):
                if isinstance(rule, Sanger):
                    others = range(j + 1)
                else:
                    others = range(w.shape[1]) if rule.subspace else [j]
                change[:, j] += y[j] * (row - sum(y[k] * w[:, k] for k in others))
        return eta * change / n / power
    change = np.zeros_like(w)
    if isinstance(rule, KrotovHopfield):
        p, radius = float(rule.p), float(rule.radius)
        for row in xc:
            response = (np.sign(w) * np.abs(w) ** (p - 1)).T @ row
            order = np.argsort(-response)
            for j, g in ((order[0], 1.0), (order[rule.k - 1], -float(rule.delta))):
                change[:, j] += g * (radius**p * row - response[j] * w[:, j])
        return eta * radius * change / np.abs(change).max()
    for row in xc / np.linalg.norm(xc, axis=1, keepdims=True):
        u = w.T @ row
        y = np.exp(float(rule.beta) * u) / np.exp(float(rule.beta) * u).sum()
        for j in range(w.shape[1]):
            sign = 1.0 if j == u.argmax() else -float(rule.anti)
            change[:, j] += sign * y[j] * (row - u[j] * w[:, j])
    return eta * w.shape[1] * change / n


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        Hebb(),
        Oja(0.1),
        Oja(0.1, subspace=False),
        Sanger(0.1),
        KrotovHopfield(k=2),
        KrotovHopfield(p=2.7, k=4, radius=0.4),
        SoftHebb(),
        SoftHebb(anti=0.3, beta=4.0),
    ],
    ids=lambda r: type(r).__name__,
)
def test_one_step_equals_the_equations_in_float64(rule):
    model = init_model(rule, (6, 5), key=jax.random.key(1))
    x = jax.random.normal(jax.random.key(2), (20, 6))
    trace = model.trace(x)
    state = rule.init(model, key=jax.random.key(3))
    delta, _ = rule.update(model, trace, state, key=jax.random.key(3))
    w, z = (np.asarray(a, np.float64) for a in (model.layers[0].weight, trace[0].drive))
    expected = reference(rule, w, np.asarray(trace[0].pre, np.float64), z)
    np.testing.assert_allclose(delta[0].weight, expected, rtol=1e-4, atol=1e-6)
    assert not np.any(delta[0].bias) and not np.any(delta[0].feedback)


def test_step_size_falls_with_the_number_of_steps():
    rule = Hebb(time_scale=10.0)
    model = init_model(rule, (6, 5), key=jax.random.key(1))
    trace = model.trace(jax.random.normal(jax.random.key(2), (20, 6)))
    first, later = (
        rule.update(model, trace, jnp.int32(t), key=jax.random.key(3))[0][0].weight for t in (0, 30)
    )
    np.testing.assert_allclose(first, 4.0 * later, rtol=1e-5)


def test_hebb_and_single_oja_average_over_samples_one_by_one():
    """What `synapse` and `neuron` promise: no statistics over the batch."""
    for rule in (Hebb(), Oja(0.1, subspace=False)):
        model = init_model(rule, (6, 5), key=jax.random.key(1))
        trace = model.trace(jax.random.normal(jax.random.key(2), (20, 6)))
        halves = [jax.tree.map(lambda a, s=s: a[s], trace) for s in (slice(10), slice(10, 20))]
        whole, one, two = (
            rule.update(model, t, jnp.int32(0), key=jax.random.key(3))[0][0].weight
            for t in (trace, *halves)
        )
        np.testing.assert_allclose(whole, (one + two) / 2, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_competition_needs_no_more_units_than_there_are():
    model = init_model(KrotovHopfield(k=7), (6, 3), key=jax.random.key(1))
    x = jax.random.normal(jax.random.key(2), (20, 6))
    new = apply_rule(KrotovHopfield(k=7), model, jnp.int32(0), x, key=jax.random.key(3))[0]
    plain = KrotovHopfield(k=2, delta=0.0)
    expected = apply_rule(plain, model, jnp.int32(0), x, key=jax.random.key(3))[0]
    np.testing.assert_allclose(new.layers[0].weight, expected.layers[0].weight, rtol=1e-5)


def test_bound_is_the_identity_until_it_is_reached():
    weight = jnp.array([[1.0, 1.0], [0.0, 0.0]])
    change = jnp.array([[0.5, 5.0], [0.5, 8.0]])
    new = weight + bounded(weight, change)
    np.testing.assert_allclose(new[:, 0], (weight + change)[:, 0])
    np.testing.assert_allclose(np.linalg.norm(new[:, 1]), MAX_NORM, rtol=1e-6)


@pytest.mark.parametrize("k", [1, 0])
def test_krotov_hopfield_refuses_a_rank_that_is_none(k):
    with pytest.raises(InputError, match="at least 2"):
        KrotovHopfield(k=k)
