"""DATA on the command line: the name of a public set, or a file of one's own."""

import argparse
import dataclasses
import difflib
from pathlib import Path
from typing import Any

from metaplastic.cli.options import note
from metaplastic.errors import InputError


@dataclasses.dataclass(frozen=True)
class Input:
    """Rows `x` `(n, d)`, and if there are any, labels `y` `(n,)` and names of the columns.

    `remarks` are sentences on what the reader assumed.
    """

    name: str
    x: Any
    y: Any = None
    names: tuple[str, ...] | None = None
    remarks: tuple[str, ...] = ()

    def about(self) -> dict[str, Any]:
        """What an encoder must know of its inputs, to be sure of those it gets later."""
        from metaplastic.data.texts import Words

        if isinstance(self.names, Words):
            return {"words": list(self.names)}
        return {} if self.names is None else {"column_names": list(self.names)}


def add_input(parser: argparse.ArgumentParser) -> None:
    """DATA, and how to read it."""
    parser.add_argument(
        "data",
        metavar="DATA",
        help="a file, a folder of images or texts, the name of a set (`data list`), hf:NAME or "
        "openml:NAME",
    )
    parser.add_argument("--label", metavar="COLUMN", help="column of a table that holds labels")
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE.csv",
        help="labels by row, of `suggest` or `label`, instead of the data's own",
    )
    parser.add_argument(
        "--text", metavar="COLUMN", help="column of a table that holds texts; words are counted"
    )
    parser.add_argument(
        "--image-size", type=image_size, metavar="HxW", help="resize images, e.g. 16x16"
    )
    parser.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first row of a text table holds names (found out)",
    )
    parser.add_argument(
        "--decimal", choices=(".", ","), help="decimal mark of the numbers in a text table (.)"
    )
    parser.add_argument(
        "--transpose", action="store_true", help="images are stored column by column, as in EMNIST"
    )
    parser.add_argument("--layer", metavar="NAME", help="layer of an .h5ad file; raw is adata.raw")
    parser.add_argument(
        "--levels",
        type=int,
        choices=(1, 2),
        help="folders that make a class: the outer one, or also the one within (as in Omniglot)",
    )


def image_size(word: str) -> tuple[int, int]:
    """A height and width such as `16x16`."""
    parts = word.split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{word!r} is no size such as 16x16")
    return int(parts[0]), int(parts[1])


def load(args: argparse.Namespace, words: list[str] | None = None) -> Input:
    """The set or file that was named, as `read`; says at the terminal what its reader assumed."""
    data = read(args, words)
    for remark in data.remarks:
        note(f"{data.name}: {remark}")
    return data


def read(args: argparse.Namespace, words: list[str] | None = None) -> Input:
    """The set or file that was named, with the labels of `--labels` if it is given.

    A file wins over a set of the same name.

    Parameters
    ----------
    args : Namespace
        Arguments of `add_input`.
    words : list of str, optional
        Words to count in texts, by default the most frequent of these texts.

    Raises
    ------
    InputError
        If it is neither, or of a kind that cannot be read.
    FileFormatError
        If the file is damaged.
    MissingDataError
        If the set, or the package that reads the file, is not installed.
    """
    data = _read_data(args, words)
    if args.labels is None:
        return data
    from metaplastic.data.row_labels import read_row_labels

    return dataclasses.replace(data, y=read_row_labels(args.labels, data.x.shape[0]))


def _read_data(args: argparse.Namespace, words: list[str] | None) -> Input:
    from metaplastic.data.files import read_table
    from metaplastic.data.named import NAMED, is_named, load_named
    from metaplastic.data.sets import list_sets, load_set

    word = args.data
    options = {"label": args.label, "text": args.text, "image_size": args.image_size}
    of_files = {"header": args.header, "decimal": args.decimal, "levels": args.levels}
    of_files |= {"transpose": args.transpose, "layer": args.layer}
    if Path(word).exists():
        table = read_table(word, words=words, **options, **of_files)
        return Input(Path(word).name, *table, table.remarks)
    if args.transpose or any(
        of_files[name] is not None for name in ("header", "decimal", "levels", "layer")
    ):
        raise InputError(
            f"--header, --decimal, --transpose, --levels and --layer go with files, not {word}"
        )
    if is_named(word):
        table = load_named(word, words=words, **options)
        return Input(word, *table, table.remarks)
    names = [info.name for info in list_sets()]
    if word not in names:
        near = difflib.get_close_matches(word, names, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(
            f"{word!r} is no file and no set; {hint}the sets are {', '.join(names)}, and others "
            f"are named as {' or '.join(NAMED.values())}"
        )
    if any(value is not None for value in options.values()):
        raise InputError(f"--label, --text and --image-size do not go with the set {word}")
    known = load_set(word)
    return Input(known.name, known.inputs, known.labels)


def load_labelled(args: argparse.Namespace) -> Input:
    """As `load`; raises `InputError` if there are no labels."""
    data = load(args)
    if data.y is None:
        raise InputError(
            f"{args.data} has no labels to evaluate with: name a set, an .npz file with `y`, a "
            "table and its label column (--label), or a folder with one folder of images a class"
        )
    return data
