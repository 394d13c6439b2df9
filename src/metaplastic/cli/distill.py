"""`metaplastic distill`: a rule taught by another, in a run directory."""

import argparse
from typing import Any

from metaplastic.cli import running
from metaplastic.cli.options import Command
from metaplastic.errors import InputError

OWN_RECIPES = {"metz2018": "taught_metz2018", "metz2018_equivariant": "taught_equivariant"}
"""Recipes of students that need one of their own."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "teacher", nargs="?", metavar="TEACHER", help="a preset, or a rule by name or file"
    )
    parser.add_argument(
        "student",
        nargs="?",
        metavar="STUDENT",
        help="the rule to teach, by name (local, metz2018, ...; narrowed is the teacher with fewer "
        "hidden units) or file",
    )
    running.add_run(parser, default="taught, or that of the student if it has one")


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

        name = args.recipe or OWN_RECIPES.get(args.student, "taught")
        recipe = Words(name, args.config, tuple(args.changes)).recipe()
        return distilled(recipe, args.teacher, args.student)

    return running.run(args, "distill", said)


COMMAND = Command(
    "distill",
    "teach a rule by another",
    "Teach a rule to do what another does. Along trajectories on tasks of a recipe, its changes\n"
    "of the weights are fitted to the teacher's. There is no unroll, so an update costs little\n"
    "more than a step of both rules; most of a short run is compiling, once for every shape.\n"
    "A preset teaches with all its rules, each where it is best, or with that of one role.\n"
    "The run directory is that of meta-train.",
    (
        "metaplastic distill base narrowed --out runs/8 --set hidden=8 --set teaching.role=main",
        "metaplastic distill base metz2018_equivariant --out runs/metz --max-minutes 10",
        "metaplastic distill --out runs/small --resume",
    ),
    _arguments,
    _run,
)
