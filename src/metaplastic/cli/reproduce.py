"""`metaplastic reproduce`: the experiments of the paper, on one page."""

import argparse
from pathlib import Path

from metaplastic.cli.options import Command, add_json, add_seed, print_json

EXPERIMENTS = (
    "few-shot",
    "permutation",
    "architecture",
    "text",
    "mismatch",
    "meta-curves",
    "features",
    "terms",
)
"""Names, known without importing the experiments (a test compares), so that help is quick."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names", nargs="+", metavar="NAME", help=f"{', '.join(EXPERIMENTS)}; or all"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where to write; results are kept"
    )
    parser.add_argument("--quick", action="store_true", help="small sweeps, one seed, few draws")
    parser.add_argument("--rule", default="base", help="a name, or a rule file (base)")
    parser.add_argument("--wide", action="store_true", help="layers of 10,000 units too (slow)")
    parser.add_argument(
        "--imdb", type=Path, metavar="FOLDER", help="the IMDB reviews, in place of snippets"
    )
    parser.add_argument(
        "--run", type=Path, metavar="RUN", dest="meta_run", help="a meta-training to look at"
    )
    add_seed(parser)
    add_json(parser)


def _run(args: argparse.Namespace) -> int:
    from metaplastic.studies.paper.experiment import Options
    from metaplastic.studies.paper.run import reproduce

    options = Options(args.quick, args.seed, args.wide, args.imdb, args.meta_run)
    results = reproduce(args.names, args.out, rule=args.rule, options=options, show=not args.json)
    if args.json:
        print_json(results)
    return 0


COMMAND = Command(
    "reproduce",
    "run the experiments of the paper, and make a page of what came out",
    "Run experiments of Metz et al. 2018 and some beyond them; write what each measured as JSON,\n"
    "its table and figures, and one page with a verdict on every claim. What stands in the folder\n"
    "already, with the same settings, is not measured again: an interrupted run can be repeated.",
    (
        "metaplastic reproduce all --out page --quick",
        "metaplastic reproduce few-shot architecture --out page",
    ),
    _arguments,
    _run,
)
