"""The published rule at its published sizes: one inner step, and its value and gradient.

16.1 GFLOP is the work of a step (196-128x4-32, batch 128), counted once for the step and
the gradient alike; the yardstick is a float32 2048^3 matrix product in the same process.
The original program reached 35 to 50 GFLOP/s on two cores.

The product, the step and its gradients are timed in turn, since other programs on the machine
slow them all. The bar for the gradient is about the value and gradient of one inner step. With a
checkpoint, as meta-training takes them, everything is computed once more; what that saves is seen
in the memory of longer unrolls.

    python benchmarks/published_rule.py [--quick] [--json OUT]
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from common import (
    Timing,
    big_product,
    compile_timed,
    measure,
    measure_in_turn,
    parse,
    peak_mib,
    product_speed,
    report,
)

from metaplastic.meta import keep_freed_memory
from metaplastic.rules import Metz2018, apply_rule, init_model
from metaplastic.rules.base import AbstractUpdateRule

SIZES, BATCH = (196, 128, 128, 128, 128, 32), 128
GFLOP = 16.1
"""Operations of one step."""

STEP, GRADIENT = "step", "gradient, no checkpoint"
UNROLLS = {f"gradient, {k} steps": k for k in (1, 4, 16)}
"""Inner steps per gradient, a checkpoint for each (the first two with `--quick`)."""


def step(rule: Any, model: Any, x: Any) -> Any:
    """One inner step: the arrays of the changed model."""
    after = apply_rule(rule, model, (), x, key=jax.random.key(0))[0]
    return eqx.filter(after, eqx.is_array)


def once(theta: Any, rest: AbstractUpdateRule, model: Any, x: Any) -> Any:
    """Mean square of the features after one inner step."""
    changed = step(eqx.combine(theta, rest), model, x)
    return jnp.mean(jnp.square(eqx.combine(changed, model).features(x)))


def unrolled(theta: Any, rest: AbstractUpdateRule, model: Any, batches: Any) -> Any:
    """The same after one inner step per batch, a checkpoint for each."""
    arrays, static = eqx.partition(model, eqx.is_array)

    @jax.checkpoint
    def body(arrays: Any, batch: Any) -> tuple[Any, None]:
        return step(eqx.combine(theta, rest), eqx.combine(arrays, static), batch), None

    arrays, _ = jax.lax.scan(body, arrays, batches)
    return jnp.mean(jnp.square(eqx.combine(arrays, static).features(batches[0])))


def prepare(name: str, function: Callable, *arguments: Any) -> tuple[Callable, dict[str, Any]]:
    """The compiled call, and a row of what it takes but for its time."""
    compiled, compiling = compile_timed(function, *arguments)
    jax.block_until_ready(compiled(*arguments))
    needs: Any = compiled
    buffers = needs.compiled.memory_analysis().temp_size_in_bytes / 2**20
    row = {"what": name, **compiling, "buffers_mib": buffers, "peak_mib": peak_mib()}
    return lambda: compiled(*arguments), row


def main() -> None:
    """Measure and report."""
    kept = keep_freed_memory()  # as `metaplastic meta-train` does
    options = parse(__doc__, one_core=False)
    rule = Metz2018.create(key=jax.random.key(0))
    theta, rest = eqx.partition(rule, eqx.is_inexact_array)
    model = init_model(rule, SIZES, key=jax.random.key(1))
    x = jax.random.uniform(jax.random.key(2), (BATCH, SIZES[0]))
    through_one = eqx.filter_value_and_grad(once)
    through_steps = eqx.filter_value_and_grad(unrolled)
    calls, rows = {}, {}
    calls[STEP], rows[STEP] = prepare(STEP, step, rule, model, x)
    # Shorter unrolls first, because the peak is that of the process so far.
    for name, k in list(UNROLLS.items())[: 2 if options.quick else None]:
        batches = jnp.tile(x, (k, 1, 1))
        calls[name], rows[name] = prepare(name, through_steps, theta, rest, model, batches)
    calls[GRADIENT], rows[GRADIENT] = prepare(GRADIENT, through_one, theta, rest, model, x)

    compared = [STEP, GRADIENT, next(iter(UNROLLS))]
    timings = measure_in_turn(
        {"product": big_product(), **{name: calls.pop(name) for name in compared}},
        seconds=10 * options.seconds,
    )
    product = product_speed(timings["product"])
    timings |= {name: measure(call, seconds=options.seconds) for name, call in calls.items()}
    report(
        "published_rule",
        [_row(rows[name], timings[name], product, UNROLLS.get(name, 1)) for name in rows],
        {
            "product_2048": product,
            "freed_memory_kept": kept,
            "wanted": {"share_of_product_forward": 0.65, "gradient_over_step": 4.0},
            "here": _compared(timings, product),
        },
        options.json,
    )


def _row(
    row: dict[str, Any], timing: Timing, product: dict[str, float], steps: int
) -> dict[str, Any]:
    speed = GFLOP * steps / timing.wall
    return {
        "what": row["what"],
        "seconds": timing.wall,
        "cpu_seconds": timing.cpu,
        "gflop_per_second": speed,
        "share_of_product": speed / product["gflop_per_second"],
        **row,
    }


def _compared(timings: dict[str, Timing], product: dict[str, float]) -> dict[str, float]:
    """By the least wall time, and by the mean time of the processor, which others use too."""
    first, one, checkpointed = timings[STEP], timings[GRADIENT], timings[next(iter(UNROLLS))]
    return {
        "share_of_product_forward": GFLOP / first.wall / product["gflop_per_second"],
        "gradient_over_step": one.wall / first.wall,
        "gradient_over_step_cpu": one.cpu / first.cpu,
        "checkpointed_gradient_over_step": checkpointed.wall / first.wall,
        "checkpointed_gradient_over_step_cpu": checkpointed.cpu / first.cpu,
    }


if __name__ == "__main__":
    main()
