"""`metaplastic data`: list, build and check data."""

import argparse
from collections.abc import Callable
from pathlib import Path

from metaplastic.cli.inputs import add_input, read
from metaplastic.cli.options import Command, add_json, note, positive, print_json, print_result


def _arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="public sets, and which of them are here")
    listing.set_defaults(action=_list)
    build = actions.add_parser("build", help="make a set that no package ships")
    sets = build.add_subparsers(title="sets", metavar="SET", required=True)
    glyphs = sets.add_parser("glyphs", help="render the installed fonts, for meta-training")
    glyphs.add_argument("--workers", type=positive, default=2, help="processes (2)")
    glyphs.add_argument("--per-class", type=positive, default=250, help="most a character (250)")
    glyphs.set_defaults(action=_build_glyphs)
    pictures = sets.add_parser("pictures", help="shrink the installed pictures, for meta-training")
    pictures.set_defaults(action=_build_pictures)
    writings = sets.add_parser("writings", help="read the installed sayings, for meta-training")
    writings.set_defaults(action=_build_writings)
    glosses = sets.add_parser("glosses", help="embed the glosses of WordNet, for meta-training")
    glosses.set_defaults(action=_build_glosses)
    snippets = sets.add_parser("movie_snippets", help="movie-review snippets, through pip")
    snippets.add_argument("archive", nargs="?", type=Path, help="source archive of vaderSentiment")
    snippets.set_defaults(action=_build_snippets)
    check = actions.add_parser("check", help="say what is in a file, and what is wrong with it")
    add_input(check)
    check.set_defaults(action=_check)
    for action in (listing, glyphs, pictures, writings, glosses, snippets, check):
        add_json(action)


def _run(args: argparse.Namespace) -> int:
    return args.action(args)


def _list(args: argparse.Namespace) -> int:
    import dataclasses

    from metaplastic.data.named import NAMED
    from metaplastic.data.sets import list_sets

    sets = list_sets()
    if args.json:
        print_json([dataclasses.asdict(info) for info in sets])
        return 0
    width = max(len(info.name) for info in sets)
    for info in sets:
        missing = "" if info.available else f" (not here: {info.how})"
        print(f"{info.name:{width}}  {info.description}{missing}")
    note("others by name: " + "; ".join(NAMED.values()))
    return 0


def _build_glyphs(args: argparse.Namespace) -> int:
    from metaplastic.data.glyphs import build_glyphs, glyph_path

    sets = build_glyphs(per_class=args.per_class, workers=args.workers)
    return _built(
        args,
        {s: {"images": len(m.images), "characters": len(m.characters)} for s, m in sets.items()},
        "{images} images of {characters} characters",
        glyph_path,
    )


def _build_pictures(args: argparse.Namespace) -> int:
    from metaplastic.data.pictures import build_pictures, picture_path

    kinds = {split: made.kinds for split, made in build_pictures().items()}
    return _built(
        args,
        {
            s: {"drawings": k.count("drawing"), "patches": k.count("photograph")}
            for s, k in kinds.items()
        },
        "{drawings} drawings, {patches} patches of photographs",
        picture_path,
    )


def _build_writings(args: argparse.Namespace) -> int:
    from metaplastic.data.writings import build_writings, writing_path

    return _built(
        args,
        {s: {"words": len(m.ranks), "texts": len(m.names)} for s, m in build_writings().items()},
        "{words} words of {texts} texts",
        writing_path,
    )


def _build_glosses(args: argparse.Namespace) -> int:
    from metaplastic.data.glosses import build_glosses, gloss_path

    return _built(
        args,
        {s: {"texts": len(m.rows), "classes": len(m.names)} for s, m in build_glosses().items()},
        "{texts} embedded texts of {classes} classes",
        gloss_path,
    )


def _built(
    args: argparse.Namespace,
    counts: dict[str, dict[str, int]],
    words: str,
    path: Callable[[str], Path],
) -> int:
    """Say what is in every split, and in which file."""
    written = {split: {**count, "file": str(path(split))} for split, count in counts.items()}
    if args.json:
        print_json(written)
        return 0
    for split, made in written.items():
        print(f"{split}: {words.format(**made)}")
        print(f"  {made['file']}")
    return 0


def _build_snippets(args: argparse.Namespace) -> int:
    from metaplastic.data.snippets import build_movie_snippets

    path = build_movie_snippets(args.archive)
    if args.json:
        print_json({"file": str(path)})
    else:
        print(path)
    return 0


def _check(args: argparse.Namespace) -> int:
    from metaplastic.data.checks import describe

    data = read(args)
    facts, remarks = describe(data.x, data.y, data.names, args.data)
    remarks = [*data.remarks, *remarks]
    if args.json:
        facts["remarks"] = remarks
    else:
        facts |= {f"remark {i}": remark for i, remark in enumerate(remarks, 1)}
    print_result(facts, as_json=args.json)
    return 0


COMMAND = Command(
    "data",
    "list, build and check data",
    "List the public sets, build those that no package ships, or check a file of your own.",
    (
        "metaplastic data list",
        "metaplastic data build glyphs",
        "metaplastic data check table.csv",
        "metaplastic data check reviews.csv --text review --label sentiment",
    ),
    _arguments,
    _run,
)
