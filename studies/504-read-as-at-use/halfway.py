"""The mean of two rules: `python studies/504-read-as-at-use/halfway.py START END OUT`.

START is a rule as recipes name it, such as `base` or `base:bounded`; END and OUT are rule files.
"""

import sys
from pathlib import Path

import equinox as eqx
import jax

from metaplastic.meta.problem import split_rule
from metaplastic.recipes.teaching import start_rule
from metaplastic.rules import AbstractUpdateRule, load_rule_file, save_rule


def mean_rule(start: AbstractUpdateRule, *ends: AbstractUpdateRule) -> AbstractUpdateRule:
    """The mean of rules of one shape, with the fixed fields of the last."""
    theta, free = split_rule(ends[-1])
    leaves = zip(*(jax.tree.leaves(split_rule(rule)[0]) for rule in (start, *ends)), strict=True)
    mean = [sum(parts) / len(parts) for parts in leaves]
    return eqx.combine(jax.tree.unflatten(jax.tree.structure(theta), mean), free)


def main(start: str, end: str, out: str) -> None:
    """Write the mean; its metadata are those of END, and say what it was averaged with."""
    rule, metadata = load_rule_file(Path(end))
    save_rule(Path(out), mean_rule(start_rule(start), rule), {**metadata, "mean_with": start})


if __name__ == "__main__":
    main(*sys.argv[1:])
