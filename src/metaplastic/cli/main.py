"""Entry point of `metaplastic`: the parser, and what becomes of errors.

Results go to standard output, everything else to standard error. Exit status: 0 success, 2 wrong
usage or bad input (one line), 130 interrupted. Commands import what they need (JAX above all)
when they run, so that `--help` is quick.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from metaplastic import __version__
from metaplastic.cli import (
    data,
    demo,
    distill,
    evaluate,
    export,
    fit,
    info,
    label,
    meta_train,
    reproduce,
    rules,
    suggest,
    transform,
)
from metaplastic.cli.options import Command
from metaplastic.errors import MetaplasticError

USAGE_STATUS = 2
INTERRUPTED_STATUS = 130

COMMANDS: tuple[Command, ...] = (
    demo.COMMAND,
    fit.COMMAND,
    transform.COMMAND,
    suggest.COMMAND,
    label.COMMAND,
    export.COMMAND,
    evaluate.COMMAND,
    meta_train.COMMAND,
    distill.COMMAND,
    reproduce.COMMAND,
    rules.COMMAND,
    data.COMMAND,
    info.COMMAND,
)


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_STATUS, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = _Parser(
        prog="metaplastic",
        description="Features from unlabelled data by meta-learned local update rules.",
        epilog="example: metaplastic demo",
    )
    parser.add_argument("--version", action="version", version=f"metaplastic {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            epilog="examples:\n" + "\n".join(f"  {line}" for line in command.examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.arguments(sub)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        sub.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Words after the program's name; those of the process when left out.
    """
    try:
        status = _run(argv)
        sys.stdout.flush()  # Here, because what fails at exit cannot be caught.
        return status
    except BrokenPipeError:
        # The reader of our output has gone; nothing more can be told it, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(argv: Sequence[str] | None) -> int:
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as stop:  # argparse leaves this way, after --help too
        return stop.code if isinstance(stop.code, int) else USAGE_STATUS
    # A caller in Python owns the process, and what a command may do to it is the caller's choice.
    args.owns_process = argv is None
    try:
        return args.run(args)
    except MetaplasticError as error:
        if args.debug:
            traceback.print_exc()
        print(f"metaplastic: {' '.join(str(error).split())}", file=sys.stderr)
        return USAGE_STATUS
    except KeyboardInterrupt:
        print("metaplastic: interrupted", file=sys.stderr)
        return INTERRUPTED_STATUS
