"""Validation during meta-training, from the run directories of its stages in order.

If a run has no evaluations (`--no-evaluation`), the rules that it kept are evaluated now.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metaplastic.meta.problem import split_rule
from metaplastic.meta.validation import Validator
from metaplastic.recipes.config import read_recipe
from metaplastic.recipes.named import RECIPES
from metaplastic.recipes.recipe import build_buckets
from metaplastic.report.style import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    drawing,
    new_figure,
)
from metaplastic.rules.io import load_rule_file

COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)
LINES = ("-", "--", "-.", ":")


def read_curves(runs: list[Path], earlier: dict[str, Any]) -> dict[str, Any]:
    """Evaluations of all stages on one axis of updates; a stage begins where the last one ended.

    `earlier` is what an earlier call returned for the stages before, or empty.
    """
    points, ends = list(earlier.get("evaluations", [])), list(earlier.get("stages", []))
    before, seconds = earlier.get("updates", 0), earlier.get("seconds", 0.0)
    for run in runs:
        lines = (run / "metrics.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        evaluations = [r for r in records if r["kind"] == "evaluation"] or evaluate_kept(run)
        points += [{**record, "step": record["step"] + before} for record in evaluations]
        last = [r for r in records if r["kind"] == "update"][-1]
        before += last["step"]
        seconds += last["seconds"]
        ends.append({"updates": last["step"], "seconds": last["seconds"]})
    return {"stages": ends, "updates": before, "seconds": seconds, "evaluations": points}


def evaluate_kept(run: Path) -> list[dict[str, Any]]:
    """Evaluations of the rules that a run kept, as it would have made them itself."""
    recipe, evaluations, validate = read_recipe(run / "config.toml", RECIPES["base"]), [], None
    for path in sorted((run / "rules").glob("updates-*.safetensors")):
        step, rule = int(path.stem.removeprefix("updates-")), load_rule_file(path)[0]
        if validate is None:
            validate = Validator(build_buckets(recipe, split_rule(rule)[1], split="validation"))
        evaluations.append({"kind": "evaluation", "step": step, **validate(rule, step)})
        print(f"{path}: loss {evaluations[-1]['validation_loss']:.3f}", flush=True)
    return evaluations


def curve_figure(curves: dict[str, Any]) -> Any:
    """Loss of every bucket over updates, the mean in black."""
    points = curves["evaluations"]
    with drawing():
        figure = new_figure(4.6)
        axes = figure.subplots()
        stages = list(_by_stage(curves))
        names, several = _names(points), len(COLOURS)
        for i, name in enumerate([*names, "mean"]):
            look = {"color": COLOURS[i % several], "linestyle": LINES[i // several % 4]}
            style: dict[str, Any] = {"color": "black", "linewidth": 2.6} if name == "mean" else look
            for stage in stages:
                measured = [p for p in stage if name == "mean" or name in p["validation_losses"]]
                axes.plot(
                    [p["step"] for p in measured], [_loss(p, name) for p in measured], **style
                )
            axes.plot([], [], label=name, **style)
        end = 0
        for stage in curves["stages"][:-1]:
            end += stage["updates"]
            axes.axvline(end, color="grey", linewidth=0.8, linestyle=":")
        axes.set_xlabel("meta-updates (dotted: next stage, which may have other tasks)")
        axes.set_ylabel("validation loss after 200 inner steps")
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside upper center", ncols=3)
    return figure


def _names(points: list[dict[str, Any]]) -> list[str]:
    """Of all buckets, in order of appearance: stages may differ in them."""
    return list(dict.fromkeys(name for point in points for name in point["validation_losses"]))


def _loss(point: dict[str, Any], name: str) -> float:
    return point["validation_loss"] if name == "mean" else point["validation_losses"][name]


def _by_stage(curves: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Evaluations of every stage: stages may differ in their tasks, so lines stop between them."""
    begin = 0
    for stage in curves["stages"]:
        end = begin + stage["updates"]
        yield [p for p in curves["evaluations"] if begin < p["step"] <= end]
        begin = end
