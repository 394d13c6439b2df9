"""`metaplastic distill`: a rule taught by another, in a run directory."""

import argparse
from typing import Any

from metaplastic.cli import running
from metaplastic.cli.options import Command
from metaplastic.errors import InputError


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "teacher", nargs="?", metavar="TEACHER", help="a preset, or a rule by name or file"
    )
    parser.add_argument(
        "student",
        nargs="?",
        metavar="STUDENT",
        help="the rule to teach, by name (context, local, metz2018, ...) or file",
    )
    running.add_run(parser, default="taught, or taught_metz2018 for metz2018 and its variant")


def _run(args: argparse.Namespace) -> int:
    if args.resume and args.teacher is None:
        if args.recipe:
            raise InputError("name TEACHER and STUDENT too, or leave --recipe to the run's own")
        return running.run(args, "distill", None)
    if args.student is None:
        raise InputError(
            "distill needs a TEACHER and a STUDENT, as in: metaplastic distill base context --out "
            "RUN; to go on with a run, give --out RUN --resume alone"
        )

    def said() -> Any:
        from metaplastic.recipes.training import Words, distilled

        name = args.recipe or (
            "taught_metz2018" if args.student.startswith("metz2018") else "taught"
        )
        recipe = Words(name, args.config, tuple(args.changes)).recipe()
        return distilled(recipe, args.teacher, args.student)

    return running.run(args, "distill", said)


COMMAND = Command(
    "distill",
    "teach a rule by another",
    "Teach a rule to do what another does. Along trajectories on tasks of a recipe, its changes\n"
    "of the weights are fitted to the teacher's. There is no unroll, so an update costs little\n"
    "more than a step of both rules; most of a short run is compiling, once for every shape.\n"
    "A preset teaches with all its rules, each where it is best.\n"
    "The run directory is that of meta-train.",
    (
        "metaplastic distill base context --out runs/small --set hidden=8",
        "metaplastic distill base metz2018_equivariant --out runs/metz --max-minutes 10",
        "metaplastic distill --out runs/small --resume",
    ),
    _arguments,
    _run,
)
