"""A meta-training run that takes milliseconds an update; also a program that tests can kill.

python toy_run.py DIRECTORY N_UPDATES [--resume] [--pause SECONDS] [--whole DIRECTORY]
python toy_run.py --devices N
"""

import argparse
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
    """Say which ways to use several devices give the numbers that one gives."""
    configure_cpu_devices(n)
    assert len(jax.devices()) == n
    if buckets_agree(jax.devices()[:2]):
        print("buckets")
    if shards_agree(jax.devices()):
        print("shards")


def buckets_agree(several):
    """Whether gradients and states are those of one device, bit for bit."""
    config, rule = make_config(3), make_rule()
    found = []
    for devices in (several[:1], several):
        executor = make_executor(devices)
        tasks, result = initial_state(rule, executor, config).tasks, None
        for step in range(3):
            result = executor.gradients(rule, tasks, key=jax.random.key(step))
            tasks = result[1]
            used = {leaf.device for leaf in jax.tree.leaves(tasks)}
            assert used == set(devices), used
        found.append(jax.tree.map(np.asarray, result))
    return eqx.tree_equal(*found)


def shards_agree(several):
    """The same for tasks that are cut over all devices, up to the order of sums."""
    n, rule = len(several), make_rule()
    buckets = [
        Bucket("slow", ToyProblem(jnp.asarray(0.9)), 2 * n),
        Bucket("fast", ToyProblem(jnp.asarray(0.5)), n),
    ]
    found = []
    for devices, axis in ((several[:1], None), (several, "shard")):
        executor = LocalExecutor(buckets, TruncatedBackprop(2), devices=devices, task_axis=axis)
        tasks, results = executor.init(rule, key=jax.random.key(0)), []
        for step in range(3):
            gradients, tasks, metrics = executor.gradients(rule, tasks, key=jax.random.key(step))
            results.append((gradients, metrics))
            for leaf in jax.tree.leaves(tasks):
                assert leaf.sharding.device_set == set(devices), leaf.sharding
        found.append(jax.tree.map(np.asarray, (results, tasks)))
    pairs = zip(*map(jax.tree.leaves, found), strict=True)
    return all(np.allclose(several, one, rtol=1e-5, atol=1e-6) for one, several in pairs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("n_updates", type=int, nargs="?")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--whole", type=Path, help="then an uninterrupted run in this directory")
    parser.add_argument("--devices", type=int)
    arguments = parser.parse_args()
    if arguments.devices:
        return compare_devices(arguments.devices)

    def pause(rule, step):
        time.sleep(arguments.pause)
        return {}

    executor = make_executor()
    for out, resume in ((arguments.out, arguments.resume), (arguments.whole, False)):
        if out is not None:
            options = RunOptions(resume=resume, checkpoint_updates=5, evaluate_every=1)
            facts = {"executor": executor, "options": options, "evaluate": pause}
            print(run(out, arguments.n_updates, **facts).status)


if __name__ == "__main__":
    main()
