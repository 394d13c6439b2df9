"""The published rule at its published sizes: one inner step, and its value and gradient.

16.1 GFLOP is the work of a step (196-128x4-32, batch 128), counted once for the step and
the gradient alike; the yardstick is a float32 2048^3 matrix product in the same process.
The original program reached 35 to 50 GFLOP/s on two cores.

    python benchmarks/published_rule.py [--quick] [--json OUT]
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from common import compile_timed, measure, parse, peak_mib, report, yardstick

from metaplastic.rules import Metz2018, apply_rule, init_model
from metaplastic.rules.base import AbstractUpdateRule

SIZES, BATCH = (196, 128, 128, 128, 128, 32), 128
GFLOP = 16.1
"""Operations of one step."""

UNROLLS = (1, 4, 16)
"""Inner steps per gradient whose memory is shown (the first two with `--quick`)."""


def unrolled(theta: Any, rest: AbstractUpdateRule, model: Any, batches: Any) -> Any:
    """Mean square of the features after one inner step per batch, a checkpoint for each."""

    def step(model: Any, batch: Any) -> tuple[Any, None]:
        rule = eqx.combine(theta, rest)
        return apply_rule(rule, model, (), batch, key=jax.random.key(0))[0], None

    arrays, static = eqx.partition(model, eqx.is_array)

    def body(arrays: Any, batch: Any) -> tuple[Any, None]:
        return eqx.partition(step(eqx.combine(arrays, static), batch)[0], eqx.is_array)[0], None

    arrays, _ = jax.lax.scan(jax.checkpoint(body), arrays, batches)
    return jnp.mean(jnp.square(eqx.combine(arrays, static).features(batches[0])))


def main() -> None:
    """Measure and report."""
    options = parse(__doc__, one_core=False)
    product = yardstick(seconds=options.seconds)
    rule = Metz2018.create(key=jax.random.key(0))
    theta, rest = eqx.partition(rule, eqx.is_inexact_array)
    model = init_model(rule, SIZES, key=jax.random.key(1))
    x = jax.random.uniform(jax.random.key(2), (BATCH, SIZES[0]))
    rows = []

    def add(name: str, function: Any, *arguments: Any, steps: int = 1) -> float:
        compiled, compiling = compile_timed(function, *arguments)
        timing = measure(lambda: compiled(*arguments), seconds=options.seconds)
        speed = GFLOP * steps / timing.wall
        rows.append(
            {
                "what": name,
                "seconds": timing.wall,
                "cpu_seconds": timing.cpu,
                "gflop_per_second": speed,
                "share_of_product": speed / product["gflop_per_second"],
                **compiling,
                "peak_mib": peak_mib(),
            }
        )
        return timing.wall

    def step(rule: Any, model: Any, x: Any) -> Any:
        found = apply_rule(rule, model, (), x, key=jax.random.key(0))[0]
        return eqx.filter(found, eqx.is_array)

    forward = add("step", step, rule, model, x)
    gradient = eqx.filter_value_and_grad(unrolled)
    seconds = {}
    for k in UNROLLS[:2] if options.quick else UNROLLS:
        batches = jnp.tile(x, (k, 1, 1))
        seconds[k] = add(f"gradient, {k} steps", gradient, theta, rest, model, batches, steps=k)
    facts = {
        "product_2048": product,
        "wanted": {"share_of_product_forward": 0.65, "gradient_over_step": 4.0},
        "here": {
            "share_of_product_forward": rows[0]["share_of_product"],
            "gradient_over_step": seconds[1] / forward,
        },
    }
    report("published_rule", rows, facts, options.json)


if __name__ == "__main__":
    main()
