"""The executor against the estimator called by hand, and where it puts its work."""

import subprocess
import sys
import threading
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.errors import ConfigurationError, InputError
from metaplastic.gradients import TruncatedBackprop
from metaplastic.meta.devices import configure_cpu_devices
from metaplastic.meta.executor import Bucket, LocalExecutor, _place
from metaplastic.trees import global_norm

CLIP = 0.5


@pytest.fixture(scope="module")
def rule(toy):
    return toy.make_rule()


@pytest.fixture(scope="module")
def executor(toy):
    return toy.make_executor(clip=CLIP)


@pytest.fixture(scope="module")
def states(rule, executor):
    return executor.init(rule, key=jax.random.key(0))


@pytest.fixture(scope="module")
def ways_that_agree():
    """What a process with four devices found."""
    command = [sys.executable, Path(__file__).with_name("toy_run.py"), "--devices", "4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def copied(tree):
    """Executors use up the states that they are given."""
    return jax.tree.map(jnp.copy, tree)


@pytest.mark.slow
def test_mean_of_clipped_task_gradients(rule, executor, states):
    gradients, after, metrics = executor.gradients(rule, copied(states), key=jax.random.key(1))
    estimate = eqx.filter_jit(executor.estimator.estimate)
    for index, bucket in enumerate(executor.buckets):
        keys = jax.random.split(jax.random.fold_in(jax.random.key(1), index), bucket.n_tasks)
        clipped, norms = [], []
        for task in range(bucket.n_tasks):
            state = jax.tree.map(lambda x, t=task: x[t], states[index])
            gradient, state, _ = estimate(bucket.problem, rule, state, key=keys[task])
            norms.append(float(global_norm(gradient)))
            clipped.append(gradient.drift * min(1.0, CLIP / norms[-1]))
            here = jax.tree.map(lambda x, t=task: x[t], after[index])
            np.testing.assert_allclose(here.carry[0], state.carry[0], rtol=1e-5)
        np.testing.assert_allclose(gradients[index].drift, np.mean(clipped, axis=0), rtol=1e-4)
        np.testing.assert_allclose(metrics[index]["gradient_norm"], norms, rtol=1e-4)
        np.testing.assert_array_equal(metrics[index]["clipped"], np.array(norms) > CLIP)
    assert any(np.any(m["clipped"]) for m in metrics)


def test_tasks_of_a_brief_estimator_are_begun_anew_when_they_are_done(toy, rule):
    bucket = toy.make_buckets()[0]
    brief = LocalExecutor([bucket], TruncatedBackprop(1, brief=True), clip=CLIP)
    states = brief.init(rule, key=jax.random.key(0))
    fresh, restarts = states[0].carry, 0
    for step in range(3 * int(np.max(states[0].horizon)) + 3):
        horizon, done = np.asarray(states[0].horizon), np.asarray(states[0].done)
        before = np.asarray(states[0].position)
        _, states, metrics = brief.gradients(rule, states, key=jax.random.key(step))
        np.testing.assert_array_equal(states[0].position, np.where(done, 0, before) + 1)
        np.testing.assert_array_equal(metrics[0]["restarted"], np.where(done, 0, before) == 0)
        np.testing.assert_array_equal(states[0].horizon[~done], horizon[~done])
        restarts += int(done.sum())
    assert restarts > 0
    assert jax.tree.structure(states[0].carry) == jax.tree.structure(fresh)


@pytest.mark.slow
def test_map_and_vmap_agree(toy, rule, executor, states):
    together = LocalExecutor(
        toy.make_buckets(), executor.estimator, clip=CLIP, devices=jax.devices(), task_axis="vmap"
    )
    assert (executor.task_axis, together.task_axis) == ("map", "vmap")
    found = [e.gradients(rule, copied(states), key=jax.random.key(1)) for e in (executor, together)]
    for a, b in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_an_accelerator_gets_all_buckets_at_once_and_gives_the_same(toy, rule, executor, states):
    queued = toy.make_executor(clip=CLIP)
    assert queued._on_cpu and len(queued.buckets) > 1
    queued._on_cpu = False
    together = threading.Barrier(len(queued.buckets), timeout=60)  # in turn, none would pass
    assert len(queued._on_devices(lambda _: together.wait())) == len(queued.buckets)
    key = jax.random.key(3)
    expected = executor.gradients(rule, copied(states), key=key)
    assert eqx.tree_equal(queued.gradients(rule, copied(states), key=key), expected)


def test_shapes_are_those_of_init(rule, executor, states):
    shapes = executor.shapes(rule)
    assert jax.tree.structure(shapes) == jax.tree.structure(states)
    for a, b in zip(jax.tree.leaves(shapes), jax.tree.leaves(states), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)


@pytest.mark.slow
def test_tasks_start_staggered(toy, rule):
    buckets = [Bucket("many", toy.ToyProblem(jnp.asarray(0.9)), 300)]
    executor = LocalExecutor(buckets, TruncatedBackprop(1), devices=jax.devices()[:1])
    (state,) = executor.init(rule, key=jax.random.key(0))
    # Horizons are 4 to 19, cut to uniform: most are shorter than any whole one.
    horizons = np.asarray(state.horizon)
    assert horizons.min() == 1 and horizons.max() <= 19
    assert set(range(1, 12)) <= set(horizons.tolist())
    # Expected: half of (1 + mean whole horizon of 11.5).
    assert abs(horizons.mean() - 6.25) < 4 * horizons.std() / np.sqrt(300)
    # So that restarts never come all at once.
    restarts = []
    for step in range(40):
        _, (state,), (metrics,) = executor.gradients(rule, (state,), key=jax.random.key(step))
        restarts.append(float(np.mean(metrics["restarted"])))
    assert max(restarts) < 0.3 and min(restarts[1:]) > 0


@pytest.mark.slow
def test_compiles_once_per_bucket(toy, rule):
    traces = []

    class Counted(toy.ToyProblem):
        def step(self, theta, carry, *, key):
            traces.append(self.size)
            return super().step(theta, carry, key=key)

    buckets = [Bucket(str(i), Counted(jnp.asarray(0.1 * i)), 2) for i in (1, 2)]
    executor = LocalExecutor(buckets, TruncatedBackprop(2), devices=jax.devices()[:1])
    states = executor.init(rule, key=jax.random.key(0))
    _, states, _ = executor.gradients(rule, states, key=jax.random.key(1))
    once = len(traces)
    for step in range(3):
        moved = eqx.tree_at(lambda r: r.drift, rule, rule.drift + step)
        _, states, _ = executor.gradients(moved, states, key=jax.random.key(step))
    # Data are arguments: buckets that differ in data alone share one program, too.
    assert len(traces) == once


@pytest.mark.parametrize(
    ("work", "devices", "expected"),
    [
        ([5, 4, 3, 3], 2, [0, 1, 1, 0]),
        ([1, 1, 1, 9], 2, [1, 1, 1, 0]),
        ([2, 2, 2], 1, [0, 0, 0]),
        ([1, 2], 4, [1, 0]),
    ],
)
def test_placement_is_greedy_by_cost(toy, work, devices, expected):
    problem = toy.ToyProblem(jnp.asarray(0.5))
    buckets = [Bucket(str(i), problem, 2, cost=c / 2) for i, c in enumerate(work)]
    assert _place(buckets, devices) == expected


def test_bad_arguments_are_refused(toy):
    problem = toy.ToyProblem(jnp.asarray(0.5))
    with pytest.raises(InputError, match="at least one task"):
        Bucket("a", problem, 0)
    for buckets in ([], [Bucket("a", problem, 1)] * 2):
        with pytest.raises(InputError, match="distinct names"):
            LocalExecutor(buckets, TruncatedBackprop(1))
    with pytest.raises(InputError, match="clip must be positive"):
        LocalExecutor([Bucket("a", problem, 1)], TruncatedBackprop(1), clip=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["buckets", "shards"])
def test_several_devices_give_the_numbers_of_one(way, ways_that_agree):
    assert way in ways_that_agree


def test_tasks_that_cannot_be_cut_evenly_are_refused(toy):
    devices = [jax.devices()[0]] * 2
    with pytest.raises(InputError, match="no multiple of it in slow; change n_tasks"):
        LocalExecutor(toy.make_buckets(), TruncatedBackprop(1), devices=devices, task_axis="shard")


def test_devices_cannot_change_once_jax_runs():
    n = jax.local_device_count("cpu")
    configure_cpu_devices(n)
    with pytest.raises(ConfigurationError, match=f"already running with {n} CPU"):
        configure_cpu_devices(n + 1)
    with pytest.raises(InputError, match="at least 1"):
        configure_cpu_devices(0)
