"""A rule that brings others, for sparse inputs or bounded nonlinearities: how `base` is made.

    python benchmarks/combine.py studies/015-drawn-things/stage20/rule.safetensors --whiten 0.25 \\
        --sparse studies/006-real-words/stage7/rule.safetensors \\
        --bounded studies/020-whitened-in-turn/stage31/rule.safetensors \\
        --note "stage 20 of docs/experiments.md, 7 for sparse inputs, 31 for bounded" \\
        --out src/metaplastic/rules/shipped/base.safetensors

All must be `local`, of the same width. What is known of each stays in the metadata.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from common import whitened

from metaplastic.errors import InputError
from metaplastic.rules import LocalRule, save_rule
from metaplastic.rules.catalog import rule_file
from metaplastic.rules.io import load_rule_file


def read(name: str) -> tuple[LocalRule, dict[str, Any]]:
    """A local rule by name or file, without others, and its metadata."""
    rule, metadata = load_rule_file(rule_file(name) or Path(name))
    if not isinstance(rule, LocalRule):
        raise InputError(f"only local rules can be combined, {name} is a {type(rule).__name__}")
    alone = {key: value for key, value in metadata.items() if not key.startswith("for_")}
    return dataclasses.replace(rule, sparse=None, bounded=None), alone


def main() -> None:
    """Read all, write one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rule", help="name or file")
    parser.add_argument(
        "--whiten", type=float, help="power by which inputs are whitened (as the rule asks for)"
    )
    parser.add_argument("--sparse", help="the rule for inputs that are mostly zeros")
    parser.add_argument("--bounded", help="the rule for tanh, sigmoid, sine and step")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    parser.add_argument("--note", help="what else the metadata should say")
    args = parser.parse_args()
    rule, metadata = read(args.rule)
    rule = whitened(rule, args.whiten)
    metadata |= {"note": args.note} if args.note else {}
    for place in ("sparse", "bounded"):
        if name := getattr(args, place):
            other, metadata[f"for_{place}"] = read(name)
            rule = dataclasses.replace(rule, **{place: other})
    save_rule(args.out, rule, metadata)


if __name__ == "__main__":
    main()
