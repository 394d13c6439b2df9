"""Inner steps with meta-gradient: task-steps per second, compile time, memory, operations.

One call is what an update of `base` does per task: two truncations of five inner steps of the
local rule and one meta-loss each, forward and backward, on freshly sampled batches. A task-step
is one of the inner steps, its share of the losses included.

    python benchmarks/meta_gradient.py [--quick] [--json OUT]
"""

import argparse
from typing import Any

import jax
from common import (
    CASES,
    Case,
    compile_timed,
    gigaflop,
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

from metaplastic.gradients import TruncatedBackprop

TRUNCATION = 2
"""Problem steps per call, as in the recipe of `base`."""

PROTOTYPE_CPU_MS = 4.9
"""Processor time of the prototype per task-step with gradient, first case."""


def row(case: Case, n: int, options: argparse.Namespace) -> Any:
    """One line of the table: `n` tasks of one case."""
    theta, problem = problem_of(case)
    estimator = TruncatedBackprop(TRUNCATION, checkpoint=False)
    keys = jax.random.split(jax.random.key(0), n)

    def start(theta, problem, keys):
        return over_tasks(
            lambda key: estimator.init(problem, theta, key=key), keys, options.task_axis
        )

    def run(theta, problem, states, keys):
        gradients, states, metrics = over_tasks(
            lambda item: estimator.estimate(problem, theta, item[0], key=item[1]),
            (states, keys),
            options.task_axis,
        )
        return jax.tree.map(lambda g: g.mean(0), gradients), states, metrics

    states = compile_timed(start, theta, problem, keys)[0](theta, problem, keys)
    compiled, compiling = compile_timed(run, theta, problem, states, keys)
    timing = measure(lambda: compiled(theta, problem, states, keys), seconds=options.seconds)
    return {
        "case": case.name,
        "tasks": n,
        **speed(timing, n * TRUNCATION * problem.steps_per_loss),
        # Loops count once, so this is one step and one loss, of which a call has five and one.
        "gflop_step_and_loss": gigaflop(run, theta, problem, states, keys),
        "gflop_step_forward": step_gigaflop(case),
        **compiling,
        "peak_mib": peak_mib(),
    }


def main() -> None:
    """Measure and report."""
    options = parse(__doc__)
    product = yardstick(seconds=options.seconds)
    rows = [row(case, n, options) for case in options.cases for n in options.tasks]
    first = [each for each in rows if each["case"] == CASES[0].name]
    facts = {
        "product_2048": product,
        "cpu_ms_per_task_step": {
            "case": CASES[0].name,
            "prototype": PROTOTYPE_CPU_MS,
            "allowed": PROTOTYPE_CPU_MS / 2,
            "here": min(each["cpu_ms_per_task_step"] for each in first),
        },
        "task_axis": options.task_axis,
    }
    report("meta_gradient", rows, facts, options.json)


if __name__ == "__main__":
    main()
