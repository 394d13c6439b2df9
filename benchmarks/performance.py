"""Where a task-step's time goes: operations and bytes of its parts, the floors, what is reached.

A task-step of meta-training samples a batch, applies the rule once, and is differentiated; every
fifth has a share in a meta-loss. Each part is compiled alone, so that XLA's counts are those of one
pass and not of a loop's body, and timed on one core beside a matrix product and a copy of memory
in the same process. The floors are operations over the product's rate and bytes over the
copy's; bytes are what the compiled program reads and writes, fused as it is.

    python benchmarks/performance.py [--quick]

Writes `docs/results/performance.json` and the table in `docs/performance.md` (`--quick` does not).
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from common import (
    GIGA,
    big_product,
    measure,
    measure_in_turn,
    parse,
    peak_mib,
    problem_of,
    product_speed,
)

from metaplastic.evaluation import provenance
from metaplastic.files import write_atomically
from metaplastic.meta.problem import RuleProblem
from metaplastic.report import Table
from metaplastic.rules import apply_rule
from metaplastic.types import Theta

DOCS = Path(__file__).parents[1] / "docs"
MARKS = ("<!-- performance: begin -->", "<!-- performance: end -->")
COPY = 2**21
"""Numbers of the array that is copied: 8 MiB, as much as a step works on, which caches hold."""

Part = tuple[Callable[..., Any], tuple[Any, ...]]


def parts(theta: Theta, problem: RuleProblem) -> dict[str, Part]:
    """Every part of a task-step as a function of arrays, and its arguments."""
    key = jax.random.key(1)
    carry = eqx.filter_jit(problem.init)(theta, key=key)
    x = problem.tasks.unlabelled(carry.task, problem.batch_size, key=key)

    def sample(task: Any, key: Any) -> Any:
        return problem.tasks.unlabelled(task, problem.batch_size, key=key)

    def step(theta: Any, model: Any, state: Any, x: Any) -> Any:
        rule = eqx.combine(theta, problem.rule)
        return apply_rule(rule, model, state, x, key=key)[:2]

    def step_gradient(theta: Any, model: Any, state: Any, x: Any) -> Any:
        moving, fixed = eqx.partition(model, eqx.is_inexact_array)

        def loss(theta: Any, moving: Any) -> Any:
            after, _ = step(theta, eqx.combine(moving, fixed), state, x)
            return sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(after.layers))

        return jax.grad(loss, (0, 1))(theta, moving)

    def loss_gradient(model: Any, task: Any, key: Any) -> Any:
        moving, fixed = eqx.partition(model, eqx.is_inexact_array)

        def loss(moving: Any) -> Any:
            return problem.score(task, eqx.combine(moving, fixed), key=key)[0]

        return jax.value_and_grad(loss)(moving)

    given = (theta, carry.model, carry.state, x)
    return {
        "sample and augment a batch": (sample, (carry.task, key)),
        "inner step": (step, given),
        "inner step and its gradient": (step_gradient, given),
        "meta-loss and its gradient": (loss_gradient, (carry.model, carry.task, key)),
    }


def row(name: str, part: Part, limits: dict[str, float], seconds: float) -> dict[str, Any]:
    """Counts, floors and time of one part."""
    function, given = part
    arrays, rest = eqx.partition(given, eqx.is_array)

    def pure(arrays: Any) -> Any:
        return eqx.filter(function(*eqx.combine(arrays, rest)), eqx.is_array)

    lowered = jax.jit(pure).lower(arrays)
    compiled = lowered.compile()
    counted: Any = lowered.cost_analysis()
    fused: Any = compiled.cost_analysis()
    timing = measure(lambda: compiled(arrays), seconds=seconds)
    gflop, gbyte = counted["flops"] / GIGA, fused["bytes accessed"] / GIGA
    floors = {
        "floor_ms_operations": 1e3 * gflop / limits["gflop_per_second"],
        "floor_ms_bytes": 1e3 * gbyte / limits["gbyte_per_second"],
    }
    return {
        "part": name,
        "mflop": 1e3 * gflop,
        "mbyte": 1e3 * gbyte,
        **floors,
        "ms": 1e3 * timing.wall,
        "share_of_floor": max(floors.values()) / (1e3 * timing.wall),
    }


def limits_here(seconds: float) -> dict[str, float]:
    """Rates of a matrix product and of a copy, in turn."""
    ones = jnp.ones(COPY)
    copy = jax.jit(lambda x: x + 1.0)
    product = big_product()
    measured = measure_in_turn({"product": product, "copy": lambda: copy(ones)}, seconds=seconds)
    moved = 2 * ones.nbytes / GIGA
    return {
        "gflop_per_second": product_speed(measured["product"])["gflop_per_second"],
        "gbyte_per_second": moved / measured["copy"].wall,
    }


def table(case: str, rows: list[dict[str, Any]], limits: dict[str, float]) -> Table:
    """One case, as in the document."""
    header = ("part", "MFLOP", "MB", "floor ms, operations", "floor ms, bytes", "ms", "reached")
    cells = tuple(
        (
            r["part"],
            *(f"{r[key]:.1f}" for key in ("mflop", "mbyte")),
            *(f"{r[key]:.2f}" for key in ("floor_ms_operations", "floor_ms_bytes", "ms")),
            f"{100 * r['share_of_floor']:.0f} %",
        )
        for r in rows
    )
    note = (
        f"{case}. One core: product of 2048^3 at {limits['gflop_per_second']:.0f} GFLOP/s, copy "
        f"at {limits['gbyte_per_second']:.1f} GB/s. Reached: the larger floor over the time."
    )
    return Table(header, cells, note)


def main() -> None:
    """Measure, print, write."""
    options = parse(__doc__)
    document: dict[str, Any] = {"benchmark": "performance", "cases": {}}
    shown = []
    for case in options.cases:
        limits = limits_here(options.seconds)
        rows = [
            row(name, part, limits, options.seconds)
            for name, part in parts(*problem_of(case)).items()
        ]
        document["cases"][case.name] = {"limits": limits, "rows": rows, "peak_mib": peak_mib()}
        found = table(case.name, rows, limits)
        shown.append(found.markdown())
        print(found.text())
    if options.quick:
        return
    platform = {"backend": jax.devices()[0].platform, "device": jax.devices()[0].device_kind}
    document["provenance"] = provenance(seeds=[0]) | platform
    out = DOCS / "results" / "performance.json"
    write_atomically(out, (json.dumps(document, indent=1) + "\n").encode())
    page = DOCS / "performance.md"
    origin = f"Commit {document['provenance']['commit']}.\n"
    filled = "\n".join([MARKS[0], origin, *shown, MARKS[1]])
    pattern = re.compile(f"{re.escape(MARKS[0])}.*{re.escape(MARKS[1])}", re.DOTALL)
    text = pattern.sub(lambda _: filled, page.read_text("utf-8"))
    write_atomically(page, text.encode())


if __name__ == "__main__":
    main()
