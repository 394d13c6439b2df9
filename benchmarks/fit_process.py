"""One process of `benchmarks/fit.py`: what its phases cost, as JSON on one line.

    python benchmarks/fit_process.py WHAT ROWS CORES

It imports whatever `metaplastic` PYTHONPATH leads to, so that two builds run the same lines.
"""

import json
import os
import resource
import sys
import time
from typing import Any

WHAT, ROWS, CORES = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])

COLUMNS = 196
KIB = 1 if sys.platform == "darwin" else 1024
phases: dict[str, dict[str, float]] = {}


class phase:
    """Keeps seconds of processor and clock of what happens within."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        self.start = time.process_time(), time.perf_counter()

    def __exit__(self, *error: object) -> None:
        cpu, clock = time.process_time() - self.start[0], time.perf_counter() - self.start[1]
        phases[self.name] = {"cpu": cpu, "clock": clock}


def rows(count: int, columns: int = COLUMNS) -> Any:
    """Images of a sort: three blobs of grey on black."""
    import numpy as np

    generator = np.random.default_rng(0)
    centres = generator.random((10, columns)) * (generator.random((10, columns)) < 0.4)
    noise = 0.2 * generator.standard_normal((count, columns), np.float32)
    return np.clip(centres[generator.integers(10, size=count)] + noise, 0, 1).astype(np.float32)


def task_steps() -> None:
    """Steps of meta-training, each with its share of a meta-loss and of the meta-gradient."""
    import equinox as eqx
    import jax
    import numpy as np

    from metaplastic.data import ImageSource
    from metaplastic.gradients import TruncatedBackprop
    from metaplastic.meta.problem import RuleProblem, split_rule
    from metaplastic.objectives import FewShotRidge
    from metaplastic.rules import LocalRule
    from metaplastic.tasks import Augmentation, SourceTasks

    theta, rest = split_rule(LocalRule.create(key=jax.random.key(0)))
    images = np.random.default_rng(0).integers(0, 256, (1000, 16, 16), np.uint8)
    source = ImageSource.create(images, np.repeat(np.arange(50), 20), 10)
    tasks = SourceTasks.create(source, augmentation=Augmentation(), side=16)
    problem = RuleProblem(
        tasks,
        FewShotRidge(),
        rest,
        (256, 128, 128, 32),
        activation="relu",
        batch_size=64,
        shots=10,
        steps_per_loss=5,
        horizons=(10, 400),
    )
    estimator: Any = TruncatedBackprop(2, checkpoint=False)
    key = jax.random.key(0)
    state = eqx.filter_jit(lambda k: estimator.init(problem, theta, key=k))(key)
    step = eqx.filter_jit(lambda t, s, k: estimator.estimate(problem, t, s, key=k)[1])
    state = jax.block_until_ready(step(theta, state, key))
    with phase("task-steps"):
        for _ in range(max(1, ROWS // 50)):
            state = jax.block_until_ready(step(theta, state, key))


def run() -> None:
    """The phases of one kind of process."""
    if WHAT == "fits":
        with phase("import"):
            from metaplastic.sklearn import RuleTransformer
        x = rows(ROWS)
        for name, seed in (("first fit", 0), ("later fit", 1)):
            with phase(name):
                transformer = RuleTransformer(random_state=seed).fit(x)
        many = rows(20 * ROWS)
        with phase("transform"):
            transformer.transform(many)
    elif WHAT == "pass":
        from metaplastic.sklearn import RuleTransformer

        x = rows(40 * ROWS, 20)
        with phase("one pass"):
            RuleTransformer(n_steps=None, random_state=0).fit(x)
    elif WHAT == "meta":
        task_steps()
    elif WHAT == "kmeans":
        from sklearn.cluster import KMeans

        x = rows(ROWS)
        for name, seed in (("first fit", 0), ("later fit", 1)):
            with phase(name):
                KMeans(400, random_state=seed).fit(x)
    elif WHAT == "autoencoder":
        from metaplastic.learners import Autoencoder

        x = rows(ROWS)
        for name, seed in (("first fit", 0), ("later fit", 1)):
            with phase(name):
                Autoencoder().fit(x, seed=seed)
    elif WHAT == "umap":
        with phase("import"):
            import umap  # pyright: ignore[reportMissingImports]
        x = rows(ROWS)
        for name, seed in (("first fit", 0), ("later fit", 1)):
            with phase(name):
                umap.UMAP(n_components=10, min_dist=0.0, random_state=seed).fit(x)


run()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB / 2**20
print(json.dumps({"phases": phases, "peak_mib": peak}))
