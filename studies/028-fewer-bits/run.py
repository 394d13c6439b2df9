"""Whether meta-training minds products of fewer bits, on a device that has them."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from laboratory import Call, Table
from laboratory.runs import WINDOW, loss_figure
from metaplastic.errors import InputError
from metaplastic.meta.run import RunOptions
from metaplastic.recipes.config import change_recipe, named_recipe
from metaplastic.recipes.training import run_recipe

SEEDS = (0,)
RECIPE, UPDATES = "images", 200
PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "bfloat16"}
"""JAX's names of the default precision of products, by what the table calls them."""


def measure(call: Call) -> dict[str, Any]:
    """Meta-train once with products of every kind.

    Raises
    ------
    InputError
        On a CPU, which makes all products in float32.
    """
    if jax.devices()[0].platform == "cpu" and not call.quick:
        raise InputError("a CPU makes all products in float32; run this study on an accelerator")
    before = jax.config.values["jax_default_matmul_precision"]
    try:
        kinds = {kind: _train(precision, call.quick) for kind, precision in PRECISIONS.items()}
    finally:
        jax.config.update("jax_default_matmul_precision", before)
    return {"recipe": RECIPE, "kinds": kinds}


def _train(precision: str, quick: bool) -> dict[str, list[float]]:
    """Losses of one meta-training."""
    jax.config.update("jax_default_matmul_precision", precision)
    updates = 4 if quick else UPDATES
    changes = [f"outer.n_updates={updates}", f"outer.warmup={2 if quick else 30}"]
    recipe = change_recipe(named_recipe("small" if quick else RECIPE), changes)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        run_recipe(recipe, out, RunOptions(evaluate_every=max(1, updates // 2)))
        metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return {
        "losses": [round(m["loss"], 4) for m in metrics if m["kind"] == "update"],
        "validation_losses": [
            round(m["validation_loss"], 4) for m in metrics if m["kind"] == "evaluation"
        ],
    }


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """The last losses by kind of product."""
    cells = tuple(
        (kind, f"{np.mean(found['losses'][-WINDOW:]):.4f}", f"{found['validation_losses'][-1]:.3f}")
        for kind, found in result["kinds"].items()
    )
    note = f"Recipe `{result['recipe']}`; meta-loss of the last {WINDOW} updates."
    return {"losses": Table(("products", "meta-loss", "validation loss"), cells, note)}


def draw(result: Mapping[str, Any]) -> Any:
    """Meta-loss by kind of product."""
    return loss_figure({kind: found["losses"] for kind, found in result["kinds"].items()})
