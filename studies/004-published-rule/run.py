"""The published rule before and after meta-training, on font families kept out of it."""

import tempfile
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import Call, Table
from laboratory.curves import curve_figure, read_curves
from metaplastic.meta.problem import split_rule
from metaplastic.meta.run import RunOptions
from metaplastic.meta.validation import Validator
from metaplastic.recipes.config import change_recipe, named_recipe
from metaplastic.recipes.recipe import build_buckets, build_rule
from metaplastic.recipes.training import recipe_to_resume, run_recipe
from metaplastic.rules import load_rule

SEEDS = (1,)
SPLIT, TASKS, UPDATES = "heldout_families", 16, 450


def arguments(parser: ArgumentParser) -> None:
    """A run that is there already."""
    parser.add_argument("--run", type=Path, help="directory of a finished run (train anew)")


def measure(call: Call) -> dict[str, Any]:
    """Meta-train by the recipe, unless a run is given, and judge the rule before and after."""
    given = getattr(call.options, "run", None)
    with tempfile.TemporaryDirectory() as folder:
        run = given or _train(Path(folder) / "run", 2 if call.quick else UPDATES)
        return {"split": SPLIT, "tasks": TASKS, **_judge(run, 2 if call.quick else TASKS)}


def _train(run: Path, updates: int) -> Path:
    changes = [f"outer.n_updates={updates}", f"outer.warmup={min(updates - 1, 30)}"]
    recipe = change_recipe(named_recipe("metz2018_small"), changes)
    run_recipe(recipe, run, RunOptions(evaluate_every=max(1, updates // 5)))
    return run


def _judge(run: Path, n_tasks: int) -> dict[str, Any]:
    recipe = recipe_to_resume(run)
    rules = {"before": build_rule(recipe), "after": load_rule(run / "rule.safetensors")}
    buckets = build_buckets(recipe, split_rule(rules["before"])[1], split=SPLIT)
    validator = Validator(buckets, n_tasks=n_tasks)
    judged = {when: validator(rule, 0) for when, rule in rules.items()}
    return {**judged, "curves": read_curves([run], {})}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Accuracy of every shape, and the loss."""
    both = [result["before"], result["after"]]
    names = {"glyphs12-2": "12x12, two layers", "glyphs8-3": "8x8, three layers"}
    rows = [
        (names[key], *(f"{100 * found['validation_accuracies'][key]:.1f} %" for found in both))
        for key in names
    ]
    rows.append(("loss, mean of both", *(f"{found['validation_loss']:.3f}" for found in both)))
    note = f"{result['tasks']} tasks of each shape, 10 classes, 10 labels each, 200 inner steps."
    return {"held-out": Table(("", "before", "after"), tuple(rows), note)}


def draw(result: Mapping[str, Any]) -> Any:
    """Validation during meta-training."""
    return curve_figure(result["curves"])
