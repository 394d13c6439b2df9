"""`metaplastic meta-train`: the outer loop, in a run directory."""

import argparse
from typing import Any

from metaplastic.cli import running
from metaplastic.cli.options import Command


def _arguments(parser: argparse.ArgumentParser) -> None:
    running.add_run(parser, default="base")


def _run(args: argparse.Namespace) -> int:
    def said() -> Any:
        from metaplastic.recipes.training import Words

        return Words(args.recipe or "base", args.config, tuple(args.changes)).recipe()

    return running.run(args, "meta-train", None if args.resume and args.recipe is None else said)


COMMAND = Command(
    "meta-train",
    "meta-train a rule",
    "Meta-train a rule by a recipe. The run directory holds config.toml, metrics.jsonl,\n"
    "checkpoints/ and rule.safetensors; an interrupted or killed run can be resumed.",
    (
        "metaplastic meta-train --recipe small --out runs/first",
        "metaplastic meta-train --out runs/base --workers 2 --set outer.n_updates=500",
        "metaplastic meta-train --out runs/base --resume",
        "metaplastic meta-train --out runs/ray --executor ray --workers 2 --asynchronous",
    ),
    _arguments,
    _run,
)
