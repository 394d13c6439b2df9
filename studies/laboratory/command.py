"""The command `python studies`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from laboratory import index
from laboratory.study import STUDIES, Study, find, folders, load_study
from metaplastic.errors import InputError, MetaplasticError, MissingDataError
from metaplastic.files import write_atomically

STALE, WRONG = 1, 2
"""Exit statuses: a document is not what the results say; the command cannot be done."""


def main(words: Sequence[str], root: Path = STUDIES) -> int:
    """Run the command with these words on the studies of a folder; returns its exit status."""
    try:
        return _run(words, root)
    except MetaplasticError as error:
        print(f"studies: {error}", file=sys.stderr)
        return WRONG


def _run(words: Sequence[str], root: Path) -> int:
    parser = _parser()
    options, rest = parser.parse_known_args(words)
    chosen = [load_study(find(number, root)) for number in options.numbers]
    if len(chosen) == 1 and not (options.render or options.check):
        chosen[0].add_arguments(parser)
        options, rest = parser.parse_known_args(words)
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    if options.check:
        return _check(chosen or _all(root), root)
    if options.render:
        return _render(chosen or _all(root), root)
    if not chosen and not options.quick:
        parser.error("name a study, or give --quick, --render or --check for all")
    for study in chosen:
        _measure(study, options)
    if not chosen:
        _measure_all(root, options)
    return 0 if options.quick else _render(chosen, root)


def _measure(study: Study, options: argparse.Namespace) -> None:
    print(f"== {study.folder.name}", file=sys.stderr, flush=True)
    result = study.measure(options)
    for table in study.tables(result).values():
        print(table.text())


def _measure_all(root: Path, options: argparse.Namespace) -> None:
    """Every study that can be measured; one whose data are not on this machine is left out."""
    for study in _all(root):
        if study.has("measure"):
            try:
                _measure(study, options)
            except MissingDataError as error:
                print(f"left out: {error}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "studies", description="Measure a study, or render studies from their results."
    )
    parser.add_argument("numbers", nargs="*", metavar="NNN", help="studies, by number (all)")
    parser.add_argument("--quick", action="store_true", help="measure little, write nothing")
    parser.add_argument("--render", action="store_true", help="measure nothing, write documents")
    parser.add_argument("--check", action="store_true", help="fail if a document is stale")
    return parser


def _all(root: Path) -> list[Study]:
    return [load_study(folder) for folder in folders(root)]


def _documents(studies: Sequence[Study], root: Path) -> dict[Path, str]:
    """Every text that follows from the results of these studies, and the index of all."""
    documents: dict[Path, str] = {}
    for study in studies:
        for path, text in study.documents().items():
            if path in documents:
                raise InputError(f"two studies write {path.name}")
            documents[path] = text
    return documents | {root.parent / index.PATH: index.index(_all(root))}


def _render(studies: Sequence[Study], root: Path) -> int:
    for study in studies:
        study.draw()
    for path, text in _documents(studies, root).items():
        write_atomically(path, text.encode())
    return 0


def _check(studies: Sequence[Study], root: Path) -> int:
    stale = [
        str(path.relative_to(root.parent))
        for path, text in _documents(studies, root).items()
        if not path.is_file() or path.read_text("utf-8") != text
    ]
    for path in stale:
        print(f"{path} is stale; `python studies --render` writes it anew", file=sys.stderr)
    return STALE if stale else 0
