"""A rule whose numbers are the mean of several rules' numbers.

    python benchmarks/average.py studies/015-drawn-things/stage20/rule.safetensors \\
        studies/019-whitened-in-part/stage27/rule.safetensors --whiten 0.25 --out RULE.safetensors

The rules must be of one class with the same fields, but for the power of whitening if one is given.
What is known of each stays in the metadata.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import equinox as eqx
import jax
from common import whitened

from metaplastic.errors import InputError
from metaplastic.rules import AbstractUpdateRule, save_rule
from metaplastic.rules.catalog import rule_file
from metaplastic.rules.io import load_rule_file


def average(rules: Sequence[AbstractUpdateRule]) -> AbstractUpdateRule:
    """The first rule with the mean of all rules' numbers; `InputError` if their fields differ."""
    parts = [eqx.partition(rule, eqx.is_inexact_array) for rule in rules]
    thetas, fields = zip(*parts, strict=True)
    if not all(eqx.tree_equal(fields[0], other) for other in fields):
        raise InputError("only rules of one class with the same fields have a mean")
    mean = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *thetas)
    return eqx.combine(mean, fields[0])


def main() -> None:
    """Read, average, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rules", nargs="+", help="names or files")
    parser.add_argument(
        "--whiten", type=float, help="power by which inputs are whitened (as the rules ask for)"
    )
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    args = parser.parse_args()
    rules, origins = zip(*(load_rule_file(rule_file(r) or r) for r in args.rules), strict=True)
    mean = average([whitened(rule, args.whiten) for rule in rules])
    save_rule(args.out, mean, {"licence": "Apache-2.0", "mean_of": list(origins)})


if __name__ == "__main__":
    main()
