"""`metaplastic demo`: the main job on real data."""

import argparse
from pathlib import Path

from metaplastic.cli.options import Command, add_json, add_seed, print_json


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="FOLDER", help="where to write (demo)"
    )
    parser.add_argument("--rule", default="base", help="a name, or a rule file (base)")
    parser.add_argument("--quick", action="store_true", help="one seed and few draws")
    add_seed(parser)
    add_json(parser)


def _run(args: argparse.Namespace) -> int:
    from metaplastic.studies.demo import run_demo

    result = run_demo(
        args.out, rule=args.rule, seed=args.seed, quick=args.quick, show=not args.json
    )
    if args.json:
        print_json(result)
    return 0


COMMAND = Command(
    "demo",
    "learn features of real digits without labels, and compare",
    "Learn features of 5,000 real digits without labels, print a comparison with other ways to\n"
    "make features, and write a page with pictures.",
    ("metaplastic demo", "metaplastic demo --quick --out look --rule oja"),
    _arguments,
    _run,
)
