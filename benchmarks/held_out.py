"""A run's rule before and after meta-training, on tasks of its shapes with held-out glyphs.

    python benchmarks/held_out.py RUN --name NAME

Writes `docs/results/NAME.json`: loss and accuracy of every shape after 200 inner steps.
"""

import argparse
import json
from pathlib import Path

from metaplastic.evaluation import provenance
from metaplastic.files import write_atomically
from metaplastic.meta.problem import split_rule
from metaplastic.meta.validation import Validator
from metaplastic.recipes.recipe import build_buckets, build_rule
from metaplastic.recipes.training import recipe_to_resume
from metaplastic.rules.catalog import load_rule

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run directory of a recipe on glyphs")
    parser.add_argument("--name", required=True, help="of the file to write")
    parser.add_argument("--split", default="heldout_families", help="of the rendered glyphs")
    parser.add_argument("--tasks", type=int, default=16, help="tasks of each shape (16)")
    args = parser.parse_args()
    recipe = recipe_to_resume(args.run)
    rules = {"before": build_rule(recipe), "after": load_rule(args.run / "rule.safetensors")}
    buckets = build_buckets(recipe, split_rule(rules["before"])[1], split=args.split)
    validator = Validator(buckets, n_tasks=args.tasks)
    found = {"split": args.split, "tasks": args.tasks, "provenance": provenance(seeds=[1])}
    found |= {when: validator(rule, 0) for when, rule in rules.items()}
    for when in rules:
        print(f"{when}: {found[when]}")
    write_atomically(RESULTS / f"{args.name}.json", json.dumps(found, indent=1).encode())


if __name__ == "__main__":
    main()
