"""What the benchmarks share: a problem without files, timing, the yardstick, output."""

import argparse
import dataclasses
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from metaplastic.data import ImageSource
from metaplastic.evaluation import provenance
from metaplastic.meta.problem import RuleProblem, split_rule
from metaplastic.objectives import FewShotRidge
from metaplastic.rules import LocalRule, apply_rule, init_model
from metaplastic.tasks import Augmentation, SourceTasks
from metaplastic.types import Theta

GIGA = 1e9


@dataclasses.dataclass(frozen=True)
class Case:
    """An architecture (units per layer, inputs first) and a batch size."""

    sizes: tuple[int, ...]
    batch_size: int

    @property
    def name(self) -> str:
        """As in `256-64-64-32 b32`."""
        return f"{'-'.join(map(str, self.sizes))} b{self.batch_size}"


CASES = (Case((256, 64, 64, 32), 32), Case((256, 128, 128, 32), 64))
ON_CPU = jax.devices()[0].platform == "cpu"
STEPS_PER_LOSS = 5
"""Inner steps to a meta-loss, in `problem_of`."""
TASKS = (1, 4, 16, 64) if ON_CPU else (16, 64, 256, 1024)
SIDE = 2048 if ON_CPU else 8192
"""Of the square matrices whose product is the yardstick."""


def parse(description: str | None, *, one_core: bool = True) -> argparse.Namespace:
    """The options of every benchmark.

    With `one_core`, the process keeps to one core where the system allows it: processor time is
    then work, and not threads that spin while they wait for one another.
    """
    if one_core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="first case, 1 and 4 tasks, one call")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the results to this file")
    parser.add_argument(
        "--tasks", type=int, nargs="+", help=f"numbers of tasks ({' '.join(map(str, TASKS))})"
    )
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="least time to measure each row for"
    )
    parser.add_argument(
        "--task-axis",
        choices=("map", "vmap"),
        default="map" if ON_CPU else "vmap",
        help="tasks one after another or together (as the executor chooses by the device)",
    )
    options = parser.parse_args()
    options.cases = CASES[:1] if options.quick else CASES if ON_CPU else CASES[1:]
    options.tasks = options.tasks or ((1, 4) if options.quick else TASKS)
    options.seconds = 0.0 if options.quick else options.seconds
    # What is measured includes compiling, so nothing may come from an earlier process.
    jax.config.update("jax_enable_compilation_cache", False)
    return options


def problem_of(case: Case) -> tuple[Theta, RuleProblem]:
    """The local rule on augmented, permuted images of noise: the work of glyphs, without fonts."""
    theta, rest = split_rule(LocalRule.create(key=jax.random.key(0)))
    side = round(case.sizes[0] ** 0.5)
    images = np.random.default_rng(0).integers(0, 256, (1000, side, side), np.uint8)
    source = ImageSource.create(images, np.repeat(np.arange(50), 20), 10)
    tasks = SourceTasks.create(source, augmentation=Augmentation(), side=side)
    problem = RuleProblem(
        tasks,
        FewShotRidge(),
        rest,
        case.sizes,
        activation="relu",
        batch_size=case.batch_size,
        shots=10,
        steps_per_loss=STEPS_PER_LOSS,
        horizons=(10, 400),
    )
    return theta, problem


def over_tasks(function: Callable[[Any], Any], items: Any, axis: str) -> Any:
    """Apply a function to all tasks, in turn or together."""
    return jax.vmap(function)(items) if axis == "vmap" else jax.lax.map(function, items)


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of one call, after the first: the best wall time, and the mean processor time."""

    wall: float
    cpu: float
    calls: int


def measure(call: Callable[[], Any], *, seconds: float) -> Timing:
    """Call once to warm up, then for at least `seconds` and at least once (thrice if `seconds`)."""
    return measure_in_turn({"call": call}, seconds=seconds)["call"]


def measure_in_turn(calls: Mapping[str, Callable[[], Any]], *, seconds: float) -> dict[str, Timing]:
    """As `measure`, `seconds` for all together: whatever else the machine does slows all alike."""
    for call in calls.values():
        jax.block_until_ready(call())
    walls: dict[str, list[float]] = {name: [] for name in calls}
    cpu = dict.fromkeys(calls, 0.0)
    least, rounds = 3 if seconds else 1, 0
    end = time.perf_counter() + seconds
    while rounds < least or time.perf_counter() < end:
        rounds += 1
        for name, call in calls.items():
            begin, cpu_begin = time.perf_counter(), time.process_time()
            jax.block_until_ready(call())
            walls[name].append(time.perf_counter() - begin)
            cpu[name] += time.process_time() - cpu_begin
    return {name: Timing(min(walls[name]), cpu[name] / rounds, rounds) for name in calls}


def speed(timing: Timing, task_steps: int) -> dict[str, float]:
    """Columns for calls of so many task-steps each."""
    return {
        "task_steps_per_s": task_steps / timing.wall,
        "wall_ms_per_task_step": 1e3 * timing.wall / task_steps,
        "cpu_ms_per_task_step": 1e3 * timing.cpu / task_steps,
    }


def compile_timed(function: Callable, *args: Any) -> tuple[Callable, dict[str, float]]:
    """The compiled function (of pytrees that may hold non-arrays) and the seconds it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    jitted: Any = eqx.filter_jit(function)
    compiled = jitted.lower(*args).compile()
    seconds = {
        "compile_s": time.perf_counter() - wall,
        "compile_cpu_s": time.process_time() - cpu,
    }
    return compiled, seconds


def gigaflop(function: Callable, *args: Any) -> float:
    """Operations of one call by XLA's cost analysis, before its optimisations, in 1e9.

    The body of a loop counts once, however often it runs.
    """
    arrays, rest = eqx.partition(args, eqx.is_array)
    lowered = jax.jit(lambda given: function(*eqx.combine(given, rest))).lower(arrays)
    cost = lowered.cost_analysis()
    return float(cost["flops"]) / GIGA if cost else float("nan")


def step_gigaflop(case: Case) -> float:
    """One inner step of the local rule on one batch, forward."""
    rule = LocalRule.create(key=jax.random.key(0))
    model = init_model(rule, case.sizes, key=jax.random.key(1))
    state = rule.init(model, key=jax.random.key(2))
    batch = jnp.zeros((case.batch_size, case.sizes[0]))

    def step(rule: Any, model: Any, state: Any, batch: Any) -> Any:
        model, state, _ = apply_rule(rule, model, state, batch, key=jax.random.key(3))
        return eqx.filter((model, state), eqx.is_array)

    return gigaflop(step, rule, model, state, batch)


def yardstick(*, seconds: float) -> dict[str, float]:
    """A float32 matrix product of `SIDE`^3 in this process, as precise as JAX makes it there."""
    return product_speed(measure(big_product(), seconds=seconds))


def big_product() -> Callable[[], Any]:
    """The product that is the yardstick."""
    a = jax.random.normal(jax.random.key(0), (SIDE, SIDE))
    product = jax.jit(jnp.matmul)
    return lambda: product(a, a)


def product_speed(timing: Timing) -> dict[str, float]:
    """Columns for calls of `big_product`."""
    work = 2 * SIDE**3 / GIGA
    return {
        "wall_seconds": timing.wall,
        "cpu_seconds": timing.cpu,
        "gflop_per_second": work / timing.wall,
        "gflop_per_cpu_second": work / timing.cpu,
    }


def peak_mib() -> float:
    """The most memory this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def report(
    name: str, rows: Sequence[dict[str, Any]], facts: dict[str, Any], out: Path | None
) -> None:
    """Print a table of the rows and the facts under it; write both as JSON if asked for."""
    cells = [[_shown(value) for value in row.values()] for row in rows]
    header = [key.replace("_", " ") for key in rows[0]]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    for line in (header, ["-" * width for width in widths], *cells):
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    for key, value in facts.items():
        shown = (
            value
            if not isinstance(value, dict)
            else ", ".join(f"{k.replace('_', ' ')} {_shown(v)}" for k, v in value.items())
        )
        print(f"{key.replace('_', ' ')}: {_shown(shown)}")
    if out is not None:
        platform = {"backend": jax.devices()[0].platform, "device": jax.devices()[0].device_kind}
        document = {
            "benchmark": name,
            "provenance": provenance(seeds=[0]) | platform,
            **facts,
            "rows": list(rows),
        }
        out.write_text(json.dumps(document, indent=1) + "\n")
        print(f"wrote {out}", file=sys.stderr)


def _shown(value: Any) -> str:
    return (
        f"{value:.3g}"
        if isinstance(value, float) and abs(value) < 1000
        else (f"{value:,.0f}" if isinstance(value, float) else str(value))
    )
