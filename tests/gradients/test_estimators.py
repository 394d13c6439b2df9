"""Every estimator on a linear recurrence whose gradients are known in closed form."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float, Int

from metaplastic.errors import InputError
from metaplastic.gradients import (
    PES,
    AbstractGradientEstimator,
    AbstractInnerProblem,
    AntitheticES,
    TruncatedBackprop,
    Unroll,
    shorten,
)

MATRIX = np.array([[0.9, 0.3], [-0.2, 0.8]], np.float32)
TARGET = np.array([2.0, -1.0], np.float32)
HORIZON = 12


class Theta(eqx.Module):
    """A partial tree, as `eqx.partition` makes them."""

    drift: Float[Array, " 2"]
    frozen: None = None


class Linear(AbstractInnerProblem):
    """x <- A x + theta + noise, loss |x - c|^2 / 2, from x = 0; diverges where told to.

    The carry also counts its steps, and holds a draw of `init` that tells restarts apart. All
    settings are data, so that they share compiled programs.
    """

    matrix: Float[Array, "2 2"]
    length: Int[Array, ""] = eqx.field(converter=jnp.int32, default=HORIZON)
    noise: Float[Array, ""] = eqx.field(converter=jnp.float32, default=0.0)
    diverge_at: Int[Array, ""] = eqx.field(converter=jnp.int32, default=-1)
    nan_at: Int[Array, ""] = eqx.field(converter=jnp.int32, default=-1)

    def init(self, theta, *, key):
        return jnp.zeros(2), jnp.zeros((), jnp.int32), jax.random.uniform(key)

    def step(self, theta, carry, *, key):
        x, count, label = carry
        x = self.matrix @ x + theta.drift + self.noise * jax.random.normal(key, (2,))
        x = jnp.where(count == self.nan_at, jnp.nan, x)
        loss = 0.5 * jnp.sum(jnp.square(x - TARGET))
        return (x, count + 1, label), loss, count == self.diverge_at

    def horizon(self, *, key):
        return self.length


ESTIMATORS = {
    "truncated": lambda k: TruncatedBackprop(k),
    "truncated-stored": lambda k: TruncatedBackprop(k, checkpoint=False),
    "pes": lambda k: PES(k, 0.05),
    "es": lambda k: AntitheticES(k, 0.05),
}
contract = pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS.keys())


def closed_form(theta, length=HORIZON, truncation=None):
    """Mean over an unroll of dL_t / d theta in float64, credit cut at truncation boundaries."""
    a, x = MATRIX.astype(np.float64), np.zeros(2)
    sensitivity, total = np.zeros((2, 2)), np.zeros(2)
    for t in range(length):
        if truncation is not None and t % truncation == 0:
            sensitivity = np.zeros((2, 2))
        x = a @ x + theta
        sensitivity = a @ sensitivity + np.eye(2)
        total += sensitivity.T @ (x - TARGET)
    return total / length


@eqx.filter_jit
def unrolls(
    estimator: AbstractGradientEstimator, problem: AbstractInnerProblem, theta, calls: int, keys
):
    """Gradients `(particles, calls, ...)` and metrics of consecutive calls, one task a key."""

    def one(key):
        state = estimator.init(problem, theta, key=jax.random.fold_in(key, 0))

        def call(state, index):
            call_key = jax.random.fold_in(key, index)
            gradient, state, metrics = estimator.estimate(problem, theta, state, key=call_key)
            return state, (gradient, metrics)

        return jax.lax.scan(call, state, 1 + jnp.arange(calls))[1]

    return jax.vmap(one)(keys)


@pytest.fixture
def theta():
    return Theta(jnp.array([0.3, -0.2]))


@pytest.fixture
def problem():
    return Linear(jnp.asarray(MATRIX))


def keys(n, seed=0):
    return jax.random.split(jax.random.key(seed), n)


@pytest.mark.parametrize("checkpoint", [True, False])
def test_backprop_is_exact_over_the_whole_horizon(problem, theta, checkpoint):
    estimator = TruncatedBackprop(HORIZON, checkpoint)
    gradient, metrics = unrolls(estimator, problem, theta, 1, keys(1))
    np.testing.assert_allclose(gradient.drift[0, 0], closed_form(theta.drift), rtol=1e-5)
    assert metrics["position"][0, 0] == HORIZON


@pytest.mark.parametrize("truncation", [1, 2, 3, 6])
def test_truncated_backprop_is_biased_exactly_as_theory_says(problem, theta, truncation):
    estimator = TruncatedBackprop(truncation)
    gradient, _ = unrolls(estimator, problem, theta, HORIZON // truncation, keys(1))
    expected = closed_form(theta.drift, truncation=truncation)
    np.testing.assert_allclose(gradient.drift[0].mean(0), expected, rtol=1e-4)
    exact = closed_form(theta.drift)
    assert np.linalg.norm(expected - exact) > 0.1 * np.linalg.norm(exact)


def mean_and_error(gradient):
    """Mean over particles of the mean over an unroll, and its standard error."""
    each = np.asarray(gradient.drift, np.float64).mean(1)
    return each.mean(0), each.std(0, ddof=1) / np.sqrt(len(each))


@pytest.mark.slow
@pytest.mark.parametrize("truncation", [1, 3])
def test_pes_is_unbiased_where_truncation_is_biased(problem, theta, truncation):
    calls = HORIZON // truncation
    mean, error = mean_and_error(
        unrolls(PES(truncation, 0.1), problem, theta, calls, keys(20_000))[0]
    )
    exact = closed_form(theta.drift)
    truncated = closed_form(theta.drift, truncation=truncation)
    assert np.all(np.abs(mean - exact) < 4 * error)
    assert np.max(np.abs(mean - truncated) / error) > 20


@pytest.mark.slow
def test_es_is_biased_like_backprop_and_unbiased_over_the_whole_horizon(problem, theta):
    short = unrolls(AntitheticES(3, 0.01), problem, theta, 1, keys(4000))[0]
    mean, error = mean_and_error(short)
    assert np.all(np.abs(mean - closed_form(theta.drift, 3)) < 4 * error)
    full = unrolls(AntitheticES(HORIZON, 0.1), problem, theta, 1, keys(4000))[0]
    mean, error = mean_and_error(full)
    assert np.all(np.abs(mean - closed_form(theta.drift)) < 4 * error)

    # Later truncations see the state of a perturbed particle, so compare with little noise.
    later = unrolls(AntitheticES(3, 1e-2), problem, theta, 4, keys(4000, 1))[0]
    mean, error = mean_and_error(later)
    exact = closed_form(theta.drift)
    truncated = closed_form(theta.drift, truncation=3)
    assert np.all(np.abs(mean - truncated) < 4 * error + 0.01)
    assert np.max(np.abs(mean - exact) / error) > 20


@pytest.mark.slow
def test_pes_needs_its_persistent_perturbation(problem, theta):
    """In the second truncation, crediting all perturbations and the last one differ."""
    pes = unrolls(PES(6, 0.1), problem, theta, 2, keys(20_000))[0].drift[:, 1]
    exact = 2 * closed_form(theta.drift) - closed_form(theta.drift, 6)
    error = np.std(pes, axis=0) / np.sqrt(len(pes))
    assert np.all(np.abs(np.mean(pes, axis=0) - exact) < 4 * error)


@pytest.mark.slow
@contract
def test_restarts_at_the_horizon_and_only_there(make, theta):
    problem = Linear(jnp.asarray(MATRIX), length=5)
    _, metrics = unrolls(make(2), problem, theta, 8, keys(1))
    # Horizon 5 with truncation 2 ends after three calls, and the next call starts afresh.
    np.testing.assert_array_equal(metrics["position"][0], [2, 4, 6, 2, 4, 6, 2, 4])
    np.testing.assert_array_equal(metrics["restarted"][0], [0, 0, 0, 1, 0, 0, 1, 0])
    assert not np.any(metrics["diverged"])


@contract
def test_a_restart_draws_a_fresh_task_and_forgets(make, problem, theta):
    estimator = make(HORIZON)
    state = estimator.init(problem, theta, key=jax.random.key(0))
    estimate = eqx.filter_jit(estimator.estimate)
    _, after, _ = estimate(problem, theta, state, key=jax.random.key(1))
    assert label(after) == label(state)
    _, again, _ = estimate(problem, theta, after, key=jax.random.key(2))
    assert label(again) != label(state)
    assert all(u.carry[1] == HORIZON for u in unrolls_in(again))


def unrolls_in(state):
    nodes = jax.tree.leaves(state, is_leaf=lambda n: isinstance(n, Unroll))
    return [n for n in nodes if isinstance(n, Unroll)]


def label(state):
    return float(unrolls_in(state)[0].carry[2])


@pytest.mark.slow
@contract
@pytest.mark.parametrize("how", ["diverge_at", "nan_at"])
def test_divergence_is_masked_counted_and_restarted(make, theta, how):
    problem = Linear(jnp.asarray(MATRIX), **{how: 3})
    gradient, metrics = unrolls(make(2), problem, theta, 8, keys(1))
    np.testing.assert_array_equal(metrics["diverged"][0], [0, 1] * 4)
    np.testing.assert_array_equal(metrics["restarted"][0], [0, 0, 1, 0, 1, 0, 1, 0])
    np.testing.assert_array_equal(metrics["position"][0], [2, 4] * 4)
    np.testing.assert_array_equal(gradient.drift[0, 1::2], 0)
    np.testing.assert_array_equal(metrics["loss"][0, 1::2], 0)
    assert np.all(np.isfinite(gradient.drift)) and np.all(gradient.drift[0, ::2] != 0)


@contract
def test_loss_is_that_of_the_problem(make, problem, theta):
    _, metrics = unrolls(make(1), problem, theta, 3, keys(200))
    x, expected = np.zeros(2), []
    for _ in range(3):
        x = MATRIX @ x + np.asarray(theta.drift)
        expected.append(0.5 * np.sum((x - TARGET) ** 2))
    np.testing.assert_allclose(metrics["loss"].mean(0), expected, rtol=0.02)


@contract
def test_contract_of_estimators(make, theta):
    """Same structure, shapes and dtypes from call to call; None kept; deterministic; no retrace."""
    problem, estimator, traces = Linear(jnp.asarray(MATRIX), noise=0.1), make(2), []

    @eqx.filter_jit
    def estimate(problem, theta, state, key):
        traces.append(1)
        return estimator.estimate(problem, theta, state, key=key)

    state = eqx.filter_jit(estimator.init)(problem, theta, key=jax.random.key(0))
    first = estimate(problem, theta, state, jax.random.key(1))
    again = estimate(problem, theta, state, jax.random.key(1))
    other = estimate(problem, theta, first[1], jax.random.key(2))
    assert len(traces) == 1
    assert eqx.tree_equal(first, again)
    assert not eqx.tree_equal(first[0], other[0])
    assert jax.tree.structure(first[0]) == jax.tree.structure(theta)
    assert jax.tree.structure(state) == jax.tree.structure(first[1])
    kinds = [[(x.shape, x.dtype) for x in jax.tree.leaves(s)] for s in (state, first[1])]
    assert kinds[0] == kinds[1]
    assert set(first[2]) == {"loss", "diverged", "restarted", "position"}
    assert all(np.shape(m) == () for m in first[2].values())
    assert not any(jnp.issubdtype(x.dtype, jax.dtypes.prng_key) for x in jax.tree.leaves(first[1]))


@pytest.mark.slow
@contract
def test_map_and_vmap_over_tasks_agree(make, theta):
    problem, estimator = Linear(jnp.asarray(MATRIX), noise=0.1), make(2)

    def one(key):
        state = estimator.init(problem, theta, key=key)
        return estimator.estimate(problem, theta, state, key=key)

    mapped, together = jax.lax.map(one, keys(5)), jax.jit(jax.vmap(one))(keys(5))
    for a, b in zip(jax.tree.leaves(mapped), jax.tree.leaves(together), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5)


@contract
def test_shortened_horizons_spread_evenly(make, problem, theta):
    state = make(2).init(problem, theta, key=jax.random.key(0))
    found = []
    for fraction in np.linspace(0, 1, 4 * HORIZON, endpoint=False, dtype=np.float32):
        cut = shorten(state, jnp.asarray(fraction))
        assert {int(u.horizon) for u in unrolls_in(cut)} == {int(unrolls_in(cut)[0].horizon)}
        found.append(int(unrolls_in(cut)[0].horizon))
    assert {h: found.count(h) for h in set(found)} == {h: 4 for h in range(1, HORIZON + 1)}
    last = shorten(state, jnp.asarray(np.nextafter(np.float32(1), np.float32(0))))
    assert int(unrolls_in(last)[0].horizon) == HORIZON
    assert shorten({"x": jnp.zeros(2)}, jnp.asarray(0.5))["x"].shape == (2,)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TruncatedBackprop(0),
        lambda: PES(0, 0.1),
        lambda: PES(1, 0.0),
        lambda: AntitheticES(1, -1.0),
        lambda: AntitheticES(1, float("nan")),
    ],
)
def test_bad_settings_are_refused(make):
    with pytest.raises(InputError, match="at least 1"):
        make()
