"""`metaplastic suggest`: which rows of one's own data to label."""

import argparse
from pathlib import Path
from typing import Any

from metaplastic.cli.inputs import add_input, load
from metaplastic.cli.options import (
    Command,
    add_json,
    add_network,
    add_seed,
    check_output,
    network,
    note,
    positive,
    print_result,
)
from metaplastic.errors import InputError


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_input(parser)
    parser.add_argument("-n", type=positive, default=20, metavar="N", help="rows to suggest (20)")
    parser.add_argument("--out", type=Path, required=True, metavar="ROWS.csv", help="file to write")
    parser.add_argument(
        "--ignore-labels", action="store_true", help="suggest as if no row had a label"
    )
    parser.add_argument("--rule", default="base", help="a name, or a rule file (base)")
    parser.add_argument("--preset", default="base", help="a name, or a preset file (base)")
    add_network(parser)
    add_seed(parser)
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    add_json(parser)


def _run(args: argparse.Namespace) -> int:
    check_output(args.out, args.data, args.labels, args.rule, args.preset, force=args.force)
    from metaplastic.data.checks import check_matrix
    from metaplastic.data.row_labels import write_row_labels
    from metaplastic.files import write_atomically
    from metaplastic.sklearn import RuleTransformer, suggest

    transformer = RuleTransformer(
        args.rule, preset=args.preset, random_state=args.seed, **network(args)
    )
    data = load(args)
    x = check_matrix(data.x, args.data)
    y = None if args.ignore_labels else data.y
    labelled = _count(y, args.data)
    note(f"{args.data}: {x.shape[0]} rows, {labelled} of them with a label")
    rows = suggest(transformer, x, args.n, y, random_state=args.seed).tolist()
    names = file_names(args.data)
    chosen = None if names is None else [names[row] for row in rows]
    write_atomically(args.out, write_row_labels(rows, [""] * len(rows), chosen))
    facts = {"rows": x.shape[0], "labelled": labelled, "suggested": len(rows)}
    print_result(facts | {"out": str(args.out)}, as_json=args.json)
    return 0


def _count(y: Any, name: str) -> int:
    """How many rows have a label; `InputError`, before any work, if all do."""
    if y is None:
        return 0
    from metaplastic.data.labels import labelled_rows

    count = int(labelled_rows(y).sum())
    if count == len(y):
        raise InputError(
            f"all {count} rows of {name} have a label; give --ignore-labels to suggest rows as if "
            "none had"
        )
    return count


def file_names(word: str) -> list[str] | None:
    """Of every row its file, relative to the folder that was named; `None` for other data."""
    from metaplastic.data.folders import row_files
    from metaplastic.data.formats import FOLDER, find_format

    folder = Path(word)
    if not folder.is_dir() or find_format(folder) is not FOLDER:
        return None
    return [file.relative_to(folder).as_posix() for file in row_files(folder)]


COMMAND = Command(
    "suggest",
    "which rows of your data to label",
    "Write the numbers of the rows to label, in the order in which to label them: typical rows\n"
    "that differ, then, with labels there, rows of clusters that are still unsure. Fill in the\n"
    "column `label` of the file, and give it to other commands by --labels.",
    (
        "metaplastic suggest table.csv -n 20 --out rows.csv",
        "metaplastic suggest images --labels rows.csv -n 20 --out more.csv",
    ),
    _arguments,
    _run,
)
