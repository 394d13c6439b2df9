"""Meta-training of the toy on Ray, one case a call, what came of it as JSON on the last line.

python ray_cases.py CASE FOLDER

A process of its own for each case: Ray and JAX are both started in it, and some cases are killed.
"""

import contextlib
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
from metaplastic.scale.reducer import Reducer
from metaplastic.scale.tree import ReducerPool
from metaplastic.scale.worker import TaskWorker

THETA = split_rule(toy_run.make_rule())[0]
HERE = ClusterSettings(cpus_per_worker=0.5)
WEIGHTS = [float(bucket.n_tasks) for bucket in toy_run.make_buckets()]


class Faulty(TaskWorker):
    """Does something bad at its sixth call, once: `FLAG` names a file that says it was done.

    By then it has compiled for all of its tasks, and the shorter deadline holds.
    """

    calls = 0

    def work(self, theta, call):
        self.calls += 1
        flag = Path(os.environ["FLAG"])
        time.sleep(0.1)
        if self.calls == 6 and not flag.exists():
            flag.write_text("done")
            self.fail()
        return super().work(theta, call)

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

    def one(self, theta, call, index):
        result = super().one(theta, call, index)
        if not self.bad:
            return result
        return dataclasses.replace(result, gradient=np.full_like(result.gradient, np.nan))


class SlowBucket(TaskWorker):
    def one(self, theta, call, index):
        if call.chunks[index].bucket == 0:
            time.sleep(0.1)
        return super().one(theta, call, index)


class OtherVersion(TaskWorker):
    def hello(self):
        return super().hello() | {"jax": "0.0.1"}


class FaultyReducer(Reducer):
    """Two of them go wrong once each, one at its eighth call, the other at its sixteenth."""

    calls = 0

    async def take(self, news, wanted):
        self.calls += 1
        folder = Path(os.environ["FAULTS"])
        if self.calls == 8 and first_time(folder / "killed reducer"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.calls == 16 and first_time(folder / "hanging reducer"):
            time.sleep(1000)
        return await super().take(news, wanted)


class FaultyUnderReducer(TaskWorker):
    """One is killed, and one sends what is not finite until it is replaced.

    Once would not do: the report is lost with a reducer that ends before its summary.
    """

    calls, bad = 0, False

    def work(self, theta, call):
        self.calls += 1
        time.sleep(0.01)
        folder = Path(os.environ["FAULTS"])
        if self.calls == 12 and first_time(folder / "killed worker"):
            os.kill(os.getpid(), signal.SIGKILL)
        means = super().work(theta, call)
        if self.calls == 20:
            self.bad = first_time(folder / "bad worker")
        if self.bad:
            nan = np.full_like(means[0].gradient, np.nan)
            means = [dataclasses.replace(mean, gradient=nan) for mean in means]
        return means


def first_time(flag):
    try:
        flag.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class FaultyPool(ReducerPool):
    reducer = FaultyReducer


def executor(worker=TaskWorker, flag=None, pool=None, **settings):
    if flag is not None:
        settings["environment"] = (f"FLAG={flag}",)
    made = ClusterSettings(**{"workers": 2, "cpus_per_worker": 0.5, "deadline": 60.0, **settings})
    return RayExecutor(
        toy_run.make_buckets(),
        TruncatedBackprop(2),
        THETA,
        made,
        clip=1.0,
        worker=worker,
        pool=pool,
    )


def train(made, n_updates, config=None):
    """All metrics and the last state; the executor is closed."""
    config = toy_run.make_config(n_updates) if config is None else config
    with made:
        updates = list(meta_train(toy_run.make_rule(), made, config, weights=WEIGHTS))
    return [metrics for _, metrics in updates], updates[-1][0]


def family():
    """This process and all that it started, which Ray's are, too."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = {os.getpid()}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def listening():
    """Addresses (hexadecimal, with ports) on which this process and its children listen."""
    sockets = set()
    for process in family():
        for path in Path(f"/proc/{process}/fd").glob("*"):
            with contextlib.suppress(OSError):
                sockets.add(os.readlink(path).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for name in ("tcp", "tcp6"):
        path = Path("/proc/net") / name
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
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
    many = {"workers": 5, "cpus_per_worker": 0.1, "max_staleness": 1, "stale": "weight"}
    one = {"mode": "asynchronous", "batch": 1}
    with connect(HERE):
        metrics, state = train(executor(mode="asynchronous"), 80)
        dropped, _ = train(executor(SlowBucket, max_staleness=0, **one), 150)
        # Many, because workers come one after another.
        slow, _ = train(executor(SlowBucket, **many, **one), 400)
    return {
        "losses": [m["loss"] for m in metrics],
        "bytes": metrics[-1]["cluster"],
        "drift": np.asarray(state.theta.drift).tolist(),
        "slow_seconds": sum(m["cluster"]["update_seconds"] for m in slow[10:]),
        "slow_arrivals": [m["bucket_losses"][0] is not None for m in slow],
        "staleness": max(m["cluster"]["staleness"] for m in slow),
        "dropped": sum(m["cluster"]["dropped"] for m in dropped),
        "weighted": sum(m["cluster"]["dropped"] for m in slow),
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


def case_tree(folder):
    """Workers, reducers and a node are lost while a run with reducers is under way."""
    from ray.cluster_utils import Cluster

    os.environ["FAULTS"] = str(folder)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    cluster.add_node(num_cpus=2)
    second = cluster.add_node(num_cpus=2)
    metrics = []
    with connect(ClusterSettings(address=cluster.address)):
        cluster.wait_for_nodes()
        tree = {"mode": "asynchronous", "workers": 4, "reducers": 2, "truncations": 2}
        made = executor(
            FaultyUnderReducer, pool=FaultyPool, batch=8, retries=20, deadline=3.0, **tree
        )
        config = toy_run.make_config(90)
        with made:
            for state, found in meta_train(toy_run.make_rule(), made, config, weights=WEIGHTS):
                metrics.append(dict(found))
                theta = state.theta
                if len(metrics) == 50:
                    cluster.remove_node(second)
                    cluster.add_node(num_cpus=2)
            members = [sorted(post.members) for post in made._pool.posts]
    cluster.shutdown()
    return {
        "steps": [m["step"] for m in metrics],
        "losses": [m["loss"] for m in metrics],
        "finite": bool(np.all(np.isfinite(theta.drift))),
        "happened": sorted(path.name for path in folder.iterdir()),
        "gradients": [m["cluster"]["gradients"] for m in metrics],
        "members": members,
        **{
            k: sum(m["cluster"][k] for m in metrics)
            for k in ("lost_workers", "lost_reducers", "not_finite")
        },
    }


class KillingEncoder:
    """An encoder that kills its process once, in the middle of a file."""

    def __init__(self, encoder):
        self.encoder, self.calls = encoder, 0
        self.n_features_in, self.n_features_out = encoder.n_features_in, encoder.n_features_out

    def __call__(self, x):
        self.calls += 1
        if self.calls == 2 and first_time(Path(os.environ["FAULTS"]) / "killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        return self.encoder(x)


def case_rows(folder):
    """Features of six files, one of them damaged, while a worker is killed; then the rest."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    from metaplastic.models import freeze, init_mlp
    from metaplastic.scale import parts, rows

    os.environ["FAULTS"] = str(folder)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(120_000, 4)).astype(np.float32)
    encoder = freeze(init_mlp((4, 3, 2), key=jax.random.key(0)), x[:100])
    (folder / "data").mkdir()
    for i in range(6):
        at = slice(20_000 * i, 20_000 * (i + 1))
        columns = {f"c{j}": x[at, j] for j in range(4)}
        parquet.write_table(pa.table({"id": np.arange(120_000)[at], **columns}), source(folder, i))
    whole = source(folder, 3).read_bytes()
    source(folder, 3).write_bytes(whole[:-50])
    job = parts.Job(keep=("id",), digest="mine")
    found, out = {}, folder / "out"
    with connect(HERE):
        for name in ("first", "second"):
            todo = parts.still_to_do(out, parts.find_parts(folder / "data", out), job, resume=True)
            parts.make_folders(todo)
            outcomes = list(rows.do_on_ray(KillingEncoder(encoder), todo, job, HERE))
            reasons = [o.reason for o in outcomes if o.reason]
            found[name] = [sum(o.rows for o in outcomes), len(outcomes), reasons]
            source(folder, 3).write_bytes(whole)
        rows.environment = lambda: {"metaplastic": "0", "numpy": "0", "Python": "0"}
        try:
            list(rows.do_on_ray(encoder, todo, job, HERE))
        except MetaplasticError as error:
            found["versions"] = str(error)
    table = parquet.read_table(out)
    order = np.argsort(table.column("id").to_numpy())
    features = np.stack(table.column("features").to_numpy())[order]
    found["rows"] = [table.num_rows, len(set(table.column("id").to_pylist()))]
    found["equal"] = bool(np.array_equal(features, encoder(x)))
    found["files"] = sorted(path.name for path in out.iterdir())
    found["killed"] = (folder / "killed").exists()
    return found


def source(folder, i):
    return folder / "data" / f"part-{i}.parquet"


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


def case_no_start(folder):
    """A temporary folder whose path is too long for a socket."""
    os.environ["RAY_TMPDIR"] = str(folder / ("long" * 40))
    try:
        with connect(HERE):
            return {"said": "nothing was raised"}
    except MetaplasticError as error:
        return {"said": str(error)}


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
    def work(self, theta, call):
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
