"""The outer loop with executors whose gradients are known."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.meta.executor import AbstractExecutor
from metaplastic.meta.train import (
    OuterConfig,
    Report,
    averaged_rule,
    initial_state,
    meta_train,
    state_shapes,
)
from metaplastic.types import Metrics


class Scripted(AbstractExecutor):
    """Two buckets: the gradient of |drift|^2 / 2, and a constant; NaN at the steps `broken`."""

    def __init__(self, broken=()):
        self.broken, self.calls, self.keys = broken, 0, []

    def init(self, theta, *, key):
        return (jnp.zeros(()), jnp.zeros(()))

    def shapes(self, theta):
        return jax.eval_shape(lambda: self.init(theta, key=jax.random.key(0)))

    def gradients(self, theta, states, *, key):
        self.calls += 1
        self.keys.append(jax.random.key_data(key).tolist())
        bad = jnp.nan if self.calls in self.broken else 0.0
        gradients = [
            jax.tree.map(lambda x: x + bad, theta),
            jax.tree.map(lambda x: jnp.full_like(x, 2.0), theta),
        ]
        names = ("loss", "diverged", "restarted", "gradient_norm", "clipped")
        metrics: list[Metrics] = [
            {name: np.full(3, v, np.float32) for name in names} for v in (0.25, 0.5)
        ]
        return gradients, states, metrics


def train(toy, config, executor, **kwargs):
    found = meta_train(toy.make_rule(), executor, config, weights=[3.0, 1.0], **kwargs)
    return list(found)


def test_reports_are_fetched_when_they_are_asked_for(toy):
    config, executor = OuterConfig(n_updates=3, warmup=1), toy.make_executor()
    at_once = [
        dict(report)
        for _, report in meta_train(toy.make_rule(), executor, config, weights=[3.0, 1.0])
    ]
    # Later updates have used up the states; what was said of the earlier ones is still there.
    late = [dict(report) for _, report in train(toy, config, executor)]
    assert late == at_once and [report["step"] for report in late] == [1, 2, 3]
    asked = []
    report = Report(lambda: asked.append(True) or {"loss": 0.5})
    assert not asked
    assert (report["loss"], len(report), list(report)) == (0.5, 1, ["loss"])
    assert len(asked) == 1


def test_adam_on_the_weighted_mean_with_warmup_and_cosine(toy):
    config = OuterConfig(
        n_updates=20, learning_rate=0.1, warmup=4, final_fraction=0.1, average=0.9, b2=0.95
    )
    history = train(toy, config, Scripted())
    # Written out: schedule, Adam (Kingma and Ba 2015, algorithm 1) and the average.
    theta = average = np.array(toy.make_rule().drift, np.float64)
    m = v = np.zeros(3)
    for t in range(1, 21):
        g = 0.75 * theta + 0.25 * 2.0
        m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g * g
        done = t - 1
        cosine = 0.5 * (1 + np.cos(np.pi * (done - 4) / 16))
        rate = 0.1 * (done / 4 if done < 4 else 0.1 + 0.9 * cosine)
        theta = theta - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-8)
        keep = min(0.9, (t - 1) / (t - 1 + 10))
        average = keep * average + (1 - keep) * theta
        state, metrics = history[t - 1]
        np.testing.assert_allclose(state.theta.drift, theta, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(state.average.drift, average, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(metrics["update_norm"], np.linalg.norm(g), rtol=1e-4)
    assert [int(m["step"]) for _, m in history] == list(range(1, 21))
    final = averaged_rule(toy.make_rule(), history[-1][0])
    assert final.label == "toy"
    np.testing.assert_allclose(final.drift, average, rtol=1e-4)


def test_updates_that_are_not_finite_are_skipped_and_counted(toy):
    config = OuterConfig(n_updates=6, warmup=1, learning_rate=0.1)
    history = train(toy, config, Scripted(broken=(3, 4)))
    before, broken = history[1][0], history[3][0]
    assert int(broken.step) == 4
    assert eqx.tree_equal(before.theta, broken.theta)
    assert eqx.tree_equal(before.average, broken.average)
    assert eqx.tree_equal(before.optimiser, broken.optimiser)
    assert [m["skipped_updates"] for _, m in history] == [0, 0, 1, 2, 2, 2]
    assert np.all(np.isfinite(history[-1][0].theta.drift))
    assert not eqx.tree_equal(before.theta, history[4][0].theta)


def test_losses_are_means_over_live_tasks(toy):
    class Half(Scripted):
        def gradients(self, theta, states, *, key):
            gradients, states, metrics = super().gradients(theta, states, key=key)
            metrics[0] |= {"loss": np.array([0.0, 2.0, 4.0]), "diverged": np.array([1.0, 0, 0])}
            metrics[1] |= {"loss": np.zeros(3), "diverged": np.ones(3)}
            return gradients, states, metrics

    _, metrics = train(toy, OuterConfig(n_updates=2, warmup=0), Half())[-1]
    assert metrics["bucket_losses"][0] == 3.0
    assert metrics["diverged"] == 4
    # A bucket whose tasks have all diverged has no loss, and lowers nobody else's.
    assert metrics["bucket_losses"][1] is None
    assert metrics["loss"] == 3.0


def test_random_numbers_depend_on_seed_and_step_alone(toy):
    config = OuterConfig(n_updates=6, warmup=0, seed=5)
    whole, first, rest = Scripted(), Scripted(), Scripted()
    history = train(toy, config, whole)
    half = meta_train(toy.make_rule(), first, config, weights=[3.0, 1.0])
    state = [next(half)[0] for _ in range(3)][-1]
    resumed = train(toy, config, rest, state=state)
    assert first.keys + rest.keys == whole.keys
    assert len({str(k) for k in whole.keys}) == 6
    assert eqx.tree_equal(resumed[-1][0], history[-1][0])
    other = Scripted()
    train(toy, OuterConfig(n_updates=1, warmup=0, seed=6), other)
    assert other.keys[0] != whole.keys[0]


def test_a_finished_run_yields_nothing(toy):
    config = OuterConfig(n_updates=2, warmup=0)
    state = train(toy, config, Scripted())[-1][0]
    executor = Scripted()
    assert train(toy, config, executor, state=state) == []
    assert executor.calls == 0


def test_state_shapes_are_those_of_the_initial_state(toy):
    executor, config, rule = toy.make_executor(), toy.make_config(4), toy.make_rule()
    shapes, state = state_shapes(rule, executor, config), initial_state(rule, executor, config)
    assert jax.tree.structure(shapes) == jax.tree.structure(state)
    for a, b in zip(jax.tree.leaves(shapes), jax.tree.leaves(state), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)


@pytest.mark.slow
def test_meta_training_learns(toy):
    """The drift that minimises the toy's loss is near the mean target times (1 - decay)."""
    executor, config = toy.make_executor(), OuterConfig(n_updates=150, learning_rate=0.05)
    history = list(meta_train(toy.make_rule(), executor, config, weights=[3.0, 2.0]))
    losses = [m["loss"] for _, m in history]
    assert np.mean(losses[-30:]) < 0.5 * np.mean(losses[:30])
    assert np.ptp(np.asarray(history[-1][0].average.drift)) < 0.3


@pytest.mark.parametrize(
    "settings",
    [
        {"n_updates": 0},
        {"n_updates": 10, "warmup": 10},
        {"warmup": -1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"average": 1.0},
    ],
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(InputError, match="must be"):
        OuterConfig(**settings)
