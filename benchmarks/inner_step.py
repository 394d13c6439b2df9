"""Inner steps without gradient: task-steps per second, compile time, memory, operations.

A task-step is one application of the local rule to one freshly sampled batch of one task.

    python benchmarks/inner_step.py [--quick] [--json OUT]
"""

import argparse
from typing import Any

import jax
from common import (
    Case,
    compile_timed,
    measure,
    over_tasks,
    parse,
    peak_mib,
    problem_of,
    report,
    speed,
    step_gigaflop,
    yardstick,
)

STEPS = 10
"""Inner steps per call."""

PUBLISHED_GFLOP = 16.1
"""One inner step of the published rule (Metz et al. 2018) on `LARGE`."""

LARGE = Case((196, 128, 128, 128, 128, 32), 128)


def row(case: Case, n: int, options: argparse.Namespace, product: dict[str, float]) -> Any:
    """One line of the table: `n` tasks of one case."""
    theta, problem = problem_of(case)
    keys = jax.random.split(jax.random.key(0), n)

    def start(theta, problem, keys):
        return over_tasks(lambda key: problem.init(theta, key=key), keys, options.task_axis)

    def run(theta, problem, carries, keys):
        return over_tasks(
            lambda item: problem.advance(theta, item[0], STEPS, key=item[1]),
            (carries, keys),
            options.task_axis,
        )

    carries = compile_timed(start, theta, problem, keys)[0](theta, problem, keys)
    compiled, compiling = compile_timed(run, theta, problem, carries, keys)
    timing = measure(lambda: compiled(theta, problem, carries, keys), seconds=options.seconds)
    work = step_gigaflop(case)
    share = work * n * STEPS / timing.wall / product["gflop_per_second"]
    return {
        "case": case.name,
        "tasks": n,
        **speed(timing, n * STEPS),
        "gflop_per_step": work,
        "share_of_product": share,
        **compiling,
        "peak_mib": peak_mib(),
    }


def main() -> None:
    """Measure and report."""
    options = parse(__doc__)
    product = yardstick(seconds=options.seconds)
    rows = [row(case, n, options, product) for case in options.cases for n in options.tasks]
    facts = {
        "product_2048": product,
        "gflop_of_published_shape": {
            "shape": LARGE.name,
            "local": step_gigaflop(LARGE),
            "published": PUBLISHED_GFLOP,
            "allowed": PUBLISHED_GFLOP / 20,
        },
        "task_axis": options.task_axis,
    }
    report("inner_step", rows, facts, options.json)


if __name__ == "__main__":
    main()
