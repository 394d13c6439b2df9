"""A meta-training run that takes milliseconds an update; also a program that tests can kill.

python toy_run.py DIRECTORY N_UPDATES [--resume] [--pause SECONDS]
python toy_run.py --devices N [--shard]
"""

import argparse
import sys
import time
from pathlib import Path
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from metaplastic.gradients import AbstractInnerProblem, TruncatedBackprop
from metaplastic.meta.devices import configure_cpu_devices
from metaplastic.meta.executor import Bucket, LocalExecutor
from metaplastic.meta.run import RunFacts, RunOptions, run_meta_training
from metaplastic.meta.train import OuterConfig, initial_state
from metaplastic.rules import AbstractUpdateRule
from metaplastic.types import Locality


class ToyRule(AbstractUpdateRule):
    """Its theta is `drift`; as a rule it does nothing."""

    drift: Float[Array, " 3"]
    label: str = eqx.field(static=True, default="toy")
    locality: ClassVar[Locality] = "neuron"

    def init(self, model, *, key):
        return ()

    def update(self, model, trace, state, *, key):
        return jax.tree.map(jnp.zeros_like, model.layers), state


class ToyProblem(AbstractInnerProblem):
    """x <- decay x + drift + noise, loss mean (x - 1)^2; the carry has several dtypes."""

    decay: Float[Array, ""]
    size: int = eqx.field(static=True, default=3)

    def init(self, theta, *, key):
        task = jax.random.randint(key, (self.size,), 0, 255).astype(jnp.uint8)
        return jnp.zeros(self.size), task, jnp.zeros((), jnp.int32)

    def step(self, theta, carry, *, key):
        x, task, count = carry
        x = self.decay * x + theta.drift + 0.1 * jax.random.normal(key, (self.size,))
        target = 1.0 + task / 2550
        return (x, task, count + 1), jnp.mean(jnp.square(x - target)), jnp.zeros((), bool)

    def horizon(self, *, key):
        return jax.random.randint(key, (), 4, 20, jnp.int32)


def make_rule():
    return ToyRule(jnp.array([-0.5, 0.0, 0.5]))


def make_buckets():
    return [
        Bucket("slow", ToyProblem(jnp.asarray(0.9)), 3, cost=2.0),
        Bucket("fast", ToyProblem(jnp.asarray(0.5)), 2),
    ]


def make_executor(devices=None, clip=1.0):
    devices = jax.devices()[:1] if devices is None else devices
    return LocalExecutor(make_buckets(), TruncatedBackprop(2), clip=clip, devices=devices)


def make_config(n_updates):
    return OuterConfig(n_updates=n_updates, learning_rate=0.02, warmup=2, seed=3)


def run(out, n_updates, *, executor=None, fingerprint="toy", text="toy = 1\n", **kwargs):
    """`run_meta_training` on the toy; keyword arguments are facts or go on to it."""
    facts = {"write_rule": None} | {
        name: kwargs.pop(name) for name in ("write_rule", "provenance") if name in kwargs
    }
    arguments = {"options": RunOptions(checkpoint_updates=5), **kwargs}
    return run_meta_training(
        make_rule(),
        make_buckets(),
        make_config(n_updates),
        make_executor() if executor is None else executor,
        out,
        facts=RunFacts(fingerprint, text, **facts),
        **arguments,
    )


def compare_devices(n):
    """Gradients and states on one device and on `n`; exits with 1 if they differ."""
    configure_cpu_devices(n)
    assert len(jax.devices()) == n
    config, rule = make_config(3), make_rule()
    found = []
    for devices in (jax.devices()[:1], jax.devices()):
        executor = make_executor(devices)
        tasks, result = initial_state(rule, executor, config).tasks, None
        for step in range(3):
            result = executor.gradients(rule, tasks, key=jax.random.key(step))
            tasks = result[1]
            used = {leaf.device for leaf in jax.tree.leaves(tasks)}
            assert used == set(devices), used
        found.append(jax.tree.map(np.asarray, result))
    sys.exit(0 if eqx.tree_equal(*found) else 1)


def compare_shards(n):
    """The same for tasks cut over `n` devices, up to the order of sums."""
    configure_cpu_devices(n)
    assert len(jax.devices()) == n
    rule = make_rule()
    buckets = [
        Bucket("slow", ToyProblem(jnp.asarray(0.9)), 2 * n),
        Bucket("fast", ToyProblem(jnp.asarray(0.5)), n),
    ]
    found = []
    for devices, axis in ((jax.devices()[:1], None), (jax.devices(), "shard")):
        executor = LocalExecutor(buckets, TruncatedBackprop(2), devices=devices, task_axis=axis)
        tasks, results = executor.init(rule, key=jax.random.key(0)), []
        for step in range(3):
            gradients, tasks, metrics = executor.gradients(rule, tasks, key=jax.random.key(step))
            results.append((gradients, metrics))
            for leaf in jax.tree.leaves(tasks):
                assert leaf.sharding.device_set == set(devices), leaf.sharding
        found.append(jax.tree.map(np.asarray, (results, tasks)))
    for one, several in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(several, one, rtol=1e-5, atol=1e-6)
    sys.exit(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("n_updates", type=int, nargs="?")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--devices", type=int)
    parser.add_argument("--shard", action="store_true")
    arguments = parser.parse_args()
    if arguments.devices and arguments.shard:
        compare_shards(arguments.devices)
    if arguments.devices:
        compare_devices(arguments.devices)

    def pause(rule, step):
        time.sleep(arguments.pause)
        return {}

    result = run(
        arguments.out,
        arguments.n_updates,
        options=RunOptions(resume=arguments.resume, checkpoint_updates=5, evaluate_every=1),
        evaluate=pause,
    )
    print(result.status)


if __name__ == "__main__":
    main()
