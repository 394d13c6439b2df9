"""Inner steps with meta-gradient: task-steps per second, compile time, memory, operations.

One call is what an update of `base` does per task: two truncations of five inner steps of the
local rule and one meta-loss each, forward and backward, on freshly sampled batches. A task-step
is one of the inner steps, its share of the losses included.

    python benchmarks/meta_gradient.py [--quick] [--json OUT]
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
from common import (
    CASES,
    ON_CPU,
    SIDE,
    STEPS_PER_LOSS,
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


def prepared(case: Case, n: int, options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The call for `n` tasks of one case, and what to report of it besides its speed."""
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
    # Loops count once, so this is one step and one loss, of which a call has five and one. It takes
    # tracing anew, too dear where accelerators are lent by the minute.
    counts = {
        "gflop_step_and_loss": gigaflop(run, theta, problem, states, keys) if ON_CPU else None,
        "gflop_step_forward": step_gigaflop(case) if ON_CPU else None,
    }
    facts = {"case": case.name, "tasks": n, **counts, **compiling}
    return lambda: compiled(theta, problem, states, keys), facts


def row(call: Any, facts: dict[str, Any], seconds: float) -> dict[str, Any]:
    """One line of the table."""
    task_steps = facts["tasks"] * TRUNCATION * STEPS_PER_LOSS
    timed = speed(measure(call, seconds=seconds), task_steps)
    return {
        "case": facts["case"],
        "tasks": facts["tasks"],
        **timed,
        **facts,
        "peak_mib": peak_mib(),
    }


def main() -> None:
    """Measure and report."""
    options = parse(__doc__, one_core=ON_CPU)
    product = yardstick(seconds=options.seconds)
    wanted = [(case, n, options) for case in options.cases for n in options.tasks]
    # The cores of a machine with a graphics processor have nothing else to do than to compile.
    with ThreadPoolExecutor(1 if ON_CPU else len(wanted)) as pool:
        calls = list(pool.map(prepared, *zip(*wanted, strict=True)))
    rows = [row(call, found, options.seconds) for call, found in calls]
    facts: dict[str, Any] = {f"product_{SIDE}": product, "task_axis": options.task_axis}
    if ON_CPU:
        first = [each for each in rows if each["case"] == CASES[0].name]
        facts["cpu_ms_per_task_step"] = {
            "case": CASES[0].name,
            "prototype": PROTOTYPE_CPU_MS,
            "allowed": PROTOTYPE_CPU_MS / 2,
            "here": min(each["cpu_ms_per_task_step"] for each in first),
        }
    report("meta_gradient", rows, facts, options.json)


if __name__ == "__main__":
    main()
