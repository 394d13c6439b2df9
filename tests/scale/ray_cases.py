"""Meta-training of the toy on Ray, one case a call, what came of it as JSON on the last line.

python ray_cases.py CASE FOLDER

A process of its own for each case: Ray and JAX are both started in it, and some cases are killed.
"""

import dataclasses
import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "meta"))

import jax
import numpy as np
import toy_run

from metaplastic.errors import MetaplasticError
from metaplastic.gradients import TruncatedBackprop
from metaplastic.meta.checkpoint import load_checkpoint
from metaplastic.meta.problem import split_rule
from metaplastic.meta.run import RunOptions
from metaplastic.meta.train import meta_train, state_shapes
from metaplastic.scale import ClusterSettings, RayExecutor, connect
from metaplastic.scale.worker import TaskWorker

THETA = split_rule(toy_run.make_rule())[0]
HERE = ClusterSettings(cpus_per_worker=0.5)
WEIGHTS = [float(bucket.n_tasks) for bucket in toy_run.make_buckets()]


class Faulty(TaskWorker):
    """Does something bad at its sixth call, once: `FLAG` names a file that says it was done.

    By then it has compiled for all of its tasks, and the shorter deadline holds.
    """

    calls = 0

    def work(self, theta, items):
        self.calls += 1
        flag = Path(os.environ["FLAG"])
        time.sleep(0.1)
        if self.calls == 6 and not flag.exists():
            flag.write_text("done")
            self.fail()
        return super().work(theta, items)

    def fail(self):
        """What goes wrong."""


class Killed(Faulty):
    def fail(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Hanging(Faulty):
    def fail(self):
        time.sleep(1000)


class Broken(Faulty):
    def fail(self):
        raise ValueError("broken on purpose")


class NotFinite(Faulty):
    bad = False

    def fail(self):
        self.bad = True

    def one(self, theta, item):
        result = super().one(theta, item)
        if not self.bad:
            return result
        return dataclasses.replace(result, gradient=np.full_like(result.gradient, np.nan))


class SlowBucket(TaskWorker):
    def one(self, theta, item):
        if item.chunk.bucket == 0:
            time.sleep(0.1)
        return super().one(theta, item)


class OtherVersion(TaskWorker):
    def hello(self):
        return super().hello() | {"jax": "0.0.1"}


def executor(worker=TaskWorker, flag=None, **settings):
    if flag is not None:
        settings["environment"] = (f"FLAG={flag}",)
    made = ClusterSettings(**{"workers": 2, "cpus_per_worker": 0.5, "deadline": 60.0, **settings})
    return RayExecutor(
        toy_run.make_buckets(), TruncatedBackprop(2), THETA, made, clip=1.0, worker=worker
    )


def train(made, n_updates, config=None):
    """All metrics and the last state; the executor is closed."""
    config = toy_run.make_config(n_updates) if config is None else config
    with made:
        updates = list(meta_train(toy_run.make_rule(), made, config, weights=WEIGHTS))
    return [metrics for _, metrics in updates], updates[-1][0]


def listening():
    """Addresses (hexadecimal, with ports) on which anything listens."""
    found = set()
    for name in ("tcp", "tcp6"):
        path = Path("/proc/net") / name
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            fields = line.split()
            if fields[3] == "0A":
                found.add(fields[1])
    return found


def is_loopback(address):
    host = address.partition(":")[0]
    return host in {
        "0100007F",
        "00000000000000000000000001000000",
        "0000000000000000FFFF00000100007F",
    }


def case_synchronous(folder):
    local = toy_run.make_executor(clip=1.0)
    before = listening()
    with connect(HERE):
        config = toy_run.make_config(5)
        _, state = train(executor(), 5)
        opened = sorted(listening() - before)
    expected = list(meta_train(toy_run.make_rule(), local, config, weights=WEIGHTS))[-1][0]
    return {
        "ray": np.asarray(state.theta.drift).tolist(),
        "local": np.asarray(expected.theta.drift).tolist(),
        "opened": len(opened),
        "beyond_loopback": [a for a in opened if not is_loopback(a)],
    }


def case_faults(folder):
    found = {}
    with connect(HERE):
        for name, worker in (
            ("killed", Killed),
            ("hanging", Hanging),
            ("not_finite", NotFinite),
            ("broken", Broken),
        ):
            for mode in ("synchronous", "asynchronous"):
                flag = folder / f"{name}-{mode}"
                made = executor(worker, flag, mode=mode, deadline=2.0)
                metrics, state = train(made, 10)
                found[f"{name} {mode}"] = {
                    "done": flag.exists(),
                    "steps": [m["step"] for m in metrics],
                    "finite": bool(np.all(np.isfinite(state.theta.drift))),
                    "skipped": int(state.skipped),
                    **{
                        k: sum(m["cluster"][k] for m in metrics)
                        for k in ("lost_workers", "late_workers", "not_finite")
                    },
                }
    return found


def case_asynchronous(folder):
    each = {"mode": "asynchronous", "workers": 5, "cpus_per_worker": 0.1, "batch": 1}
    with connect(HERE):
        metrics, state = train(executor(mode="asynchronous"), 80)
        slow, _ = train(executor(SlowBucket, **each), 150)
        dropped, _ = train(executor(SlowBucket, max_staleness=0, **each), 150)
        kept, _ = train(executor(SlowBucket, max_staleness=1, stale="weight", **each), 150)
    return {
        "losses": [m["loss"] for m in metrics],
        "bytes": metrics[-1]["cluster"],
        "drift": np.asarray(state.theta.drift).tolist(),
        "slow_seconds": sum(m["cluster"]["update_seconds"] for m in slow[10:]),
        "slow_arrivals": [m["bucket_losses"][0] is not None for m in slow],
        "staleness": max(m["cluster"]["staleness"] for m in kept),
        "dropped": sum(m["cluster"]["dropped"] for m in dropped),
        "weighted": sum(m["cluster"]["dropped"] for m in kept),
    }


def case_nodes(folder):
    """A node goes and another comes while an asynchronous run is under way."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    cluster.add_node(num_cpus=1)
    second = cluster.add_node(num_cpus=1)
    settings = ClusterSettings(address=cluster.address)
    metrics = []
    with connect(settings):
        cluster.wait_for_nodes()
        made = executor(cpus_per_worker=1.0, mode="asynchronous", batch=2, retries=20)
        config = toy_run.make_config(60)
        with made:
            updates = meta_train(toy_run.make_rule(), made, config, weights=WEIGHTS)
            for state, found in updates:
                metrics.append(found)
                theta = state.theta
                if len(metrics) == 10:
                    cluster.remove_node(second)
                if len(metrics) == 30:
                    cluster.add_node(num_cpus=1)
                if len(metrics) > 30:
                    time.sleep(0.1)
        finite = bool(np.all(np.isfinite(theta.drift)))
    cluster.shutdown()
    return {
        "steps": [m["step"] for m in metrics],
        "finite": finite,
        "lost": sum(m["cluster"]["lost_workers"] for m in metrics),
    }


def case_learner(folder):
    """A run in a directory; resumed if there is one. Says what it started from."""
    resume = (folder / "run" / "config.toml").exists()
    pause = 0.0 if resume else 0.05
    with connect(HERE):
        made = executor()
        start = None
        if resume:
            shapes = state_shapes(THETA, made, toy_run.make_config(40))
            found = load_checkpoint(folder / "run" / "checkpoints", shapes, fingerprint="toy")
            start = int(found.tree.step)
            assert int(found.tree.optimiser[0].count) == start
        with made:
            result = toy_run.run(
                folder / "run",
                40,
                executor=made,
                options=RunOptions(resume=resume, checkpoint_updates=5, evaluate_every=1),
                evaluate=lambda rule, step: time.sleep(pause) or {},
            )
    return {
        "status": result.status,
        "start": start,
        "step": int(result.state.step),
        "schedule": int(result.state.optimiser[0].count),
    }


def case_errors(folder):
    found = {}

    def message(name, work):
        begin = time.monotonic()
        try:
            work()
            found[name] = "nothing was raised"
        except MetaplasticError as error:
            found[name] = str(error)
        found[name + " seconds"] = time.monotonic() - begin

    def joined(**settings):
        with connect(ClusterSettings(**settings)):
            pass

    import socket

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    message("resources", lambda: joined(workers=5000))
    with connect(HERE):
        message("versions", lambda: train(executor(OtherVersion), 3))
        message("tasks", lambda: executor(workers=50, cpus_per_worker=0.0))
        message("retries", lambda: train(executor(AlwaysBroken, retries=2), 3))
    # Last, because a process that has joined a cluster starts none of its own.
    message("closed", lambda: joined(address=f"127.0.0.1:{port}"))
    message("form", lambda: joined(address="ray://somewhere:10001"))
    return found


class AlwaysBroken(TaskWorker):
    def work(self, theta, items):
        raise ValueError("broken on purpose")


def case_silent(folder):
    """Something listens at the address, and is no Ray."""
    import socket

    begin = time.monotonic()
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        try:
            with connect(ClusterSettings(address=f"127.0.0.1:{server.getsockname()[1]}")):
                said = "nothing was raised"
        except MetaplasticError as error:
            said = str(error)
    print(json.dumps({"said": said, "seconds": time.monotonic() - begin}), flush=True)
    os._exit(0)  # Ray's attempt to connect goes on in its thread.


if __name__ == "__main__":
    jax.config.update("jax_platforms", "cpu")
    outcome = globals()["case_" + sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps(outcome))
