"""A rule that brings another for inputs that are mostly zeros: how `base` is put together.

    python benchmarks/pair.py docs/results/stage20/rule.safetensors \\
        docs/results/stage7/rule.safetensors --note "stage 20 of docs/experiments.md" \\
        --out src/metaplastic/rules/shipped/base.safetensors

Both must be `local` with the same fields. What is known of each stays in the metadata.
"""

import argparse
import dataclasses
from pathlib import Path

from metaplastic.errors import InputError
from metaplastic.rules import LocalRule, save_rule
from metaplastic.rules.catalog import rule_file
from metaplastic.rules.io import load_rule_file


def main() -> None:
    """Read both, write one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rule", help="name or file")
    parser.add_argument("sparse", help="name or file of the rule for inputs that are mostly zeros")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    parser.add_argument("--note", help="what else the metadata should say")
    args = parser.parse_args()
    files = (rule_file(r) or Path(r) for r in (args.rule, args.sparse))
    (rule, origin), (sparse, other) = (load_rule_file(file) for file in files)
    if not isinstance(rule, LocalRule) or not isinstance(sparse, LocalRule):
        raise InputError("only local rules bring another for sparse inputs")
    paired = dataclasses.replace(rule, sparse=dataclasses.replace(sparse, sparse=None))
    note = {"note": args.note} if args.note else {}
    save_rule(args.out, paired, {**origin, **note, "for_sparse": other})


if __name__ == "__main__":
    main()
