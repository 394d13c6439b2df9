"""Whether meta-training minds products of fewer bits: loss curves with rounded factors.

Accelerators multiply faster in tf32 (10 bits of mantissa; what JAX does on NVIDIA cards unless
told otherwise) and bfloat16 (7 bits), and add up in float32. Here the factors of every product of
a recipe's meta-training, forwards and backwards, are rounded so on a CPU, where that
saves nothing: it is the effect that is measured. Products that ask for the highest precision keep
it, as they do on an accelerator.

    python benchmarks/precision.py [--updates N] [--quick]

Writes `docs/results/precision.json` and `precision.png`.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np

from metaplastic.evaluation import provenance
from metaplastic.files import write_atomically
from metaplastic.meta.run import RunOptions
from metaplastic.recipes.config import change_recipe, named_recipe
from metaplastic.recipes.training import run_recipe
from metaplastic.report.style import BLUE, GREEN, ORANGE, drawing, new_figure, save_png

RESULTS = Path(__file__).parents[1] / "docs" / "results"
RECIPE = "images"
MANTISSA = {"float32": 23, "tf32": 10, "bfloat16": 7}
WINDOW = 25
"""Updates over which a curve is averaged."""


def rounded(product: Callable, bits: int) -> Callable:
    """`jax.lax.dot_general` of factors with so many bits of mantissa."""

    def of_rounded(lhs: Any, rhs: Any, *args: Any, **options: Any) -> Any:
        precision = options.get("precision")
        asked = precision if isinstance(precision, tuple) else (precision,)
        if jax.lax.Precision.HIGHEST not in asked:
            lhs, rhs = (jax.lax.reduce_precision(x, 8, bits) for x in (lhs, rhs))
        return product(lhs, rhs, *args, **options)

    return of_rounded


def train(kind: str, updates: int, quick: bool) -> list[dict[str, Any]]:
    """Metrics of one meta-training with products of a kind, in a process of its own."""
    from jax._src.lax import lax

    product = rounded(jax.lax.dot_general, MANTISSA[kind])
    changes = [f"outer.n_updates={updates}", "outer.warmup=2" if quick else "outer.warmup=30"]
    recipe = change_recipe(named_recipe("small" if quick else RECIPE), changes)
    with (
        tempfile.TemporaryDirectory() as folder,
        # Derivatives of products call the second.
        mock.patch.object(jax.lax, "dot_general", product),
        mock.patch.object(lax, "dot_general", product),
    ):
        out = Path(folder) / "run"
        run_recipe(recipe, out, RunOptions(evaluate_every=max(1, updates // 2)))
        lines = (out / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def curve(metrics: list[dict[str, Any]]) -> list[float]:
    """Meta-loss of every update."""
    return [round(m["loss"], 4) for m in metrics if m["kind"] == "update"]


def validation(metrics: list[dict[str, Any]]) -> list[float]:
    """Loss on validation tasks, at every evaluation."""
    return [round(m["validation_loss"], 4) for m in metrics if m["kind"] == "evaluation"]


def draw(losses: Mapping[str, list[float]]) -> Any:
    """The curves, averaged over `WINDOW` updates."""
    with drawing():
        figure = new_figure(3.6)
        axes = figure.subplots()
        for (kind, values), colour, dash in zip(
            losses.items(), (BLUE, ORANGE, GREEN), ("-", "--", ":"), strict=True
        ):
            smooth = np.convolve(values, np.full(WINDOW, 1 / WINDOW), "valid")
            updates = np.arange(WINDOW, len(values) + 1)
            axes.plot(updates, smooth, label=kind, color=colour, linestyle=dash)
        axes.set_xlabel("meta-updates")
        axes.set_ylabel(f"meta-loss, mean of {WINDOW} updates")
        axes.legend()
    return figure


def main() -> None:
    """Train thrice, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=250, help="of each meta-training (250)")
    parser.add_argument("--quick", action="store_true", help="a small recipe, writes nothing")
    args = parser.parse_args()
    updates = 4 if args.quick else args.updates
    found = {}
    for kind in MANTISSA:
        # A fresh process each: traced products are kept within one.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            metrics = pool.submit(train, kind, updates, args.quick).result()
        found[kind] = {"losses": curve(metrics), "validation_losses": validation(metrics)}
        print(kind, np.mean(found[kind]["losses"][-WINDOW:]), found[kind]["validation_losses"])
    if args.quick:
        return
    facts = {"provenance": provenance(seeds=(0,)), "recipe": RECIPE, "kinds": found}
    write_atomically(RESULTS / "precision.json", json.dumps(facts, indent=None).encode())
    save_png(
        draw({kind: each["losses"] for kind, each in found.items()}), RESULTS / "precision.png"
    )


if __name__ == "__main__":
    main()
