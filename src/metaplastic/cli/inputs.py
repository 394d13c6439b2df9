"""DATA on the command line: the name of a public set, or a file of one's own."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from metaplastic.errors import InputError


@dataclasses.dataclass(frozen=True)
class Input:
    """Rows `x` `(n, d)` and, if there are any, labels `y` `(n,)`."""

    name: str
    x: Any
    y: Any = None


def add_input(parser: argparse.ArgumentParser) -> None:
    """DATA, and how to read it."""
    parser.add_argument("data", metavar="DATA", help="a file, a folder of images, or a set's name")
    parser.add_argument("--label", metavar="COLUMN", help="column of a table that holds labels")
    parser.add_argument(
        "--image-size", type=image_size, metavar="HxW", help="resize a folder's images, e.g. 16x16"
    )


def image_size(word: str) -> tuple[int, int]:
    """A height and width such as `16x16`."""
    parts = word.split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{word!r} is no size such as 16x16")
    return int(parts[0]), int(parts[1])


def load(args: argparse.Namespace) -> Input:
    """The set or file that was named; a file wins over a set of the same name.

    Raises:
        InputError: if it is neither, or of a kind that cannot be read.
        FileFormatError: if the file is damaged.
        MissingDataError: if the set, or the package that reads the file, is not installed.
    """
    from metaplastic.data.sets import list_sets, load_set

    word = args.data
    if Path(word).exists():
        from metaplastic.data.files import read_table

        found = read_table(word, label=args.label, image_size=args.image_size)
        return Input(Path(word).name, found.x, found.y)
    names = [info.name for info in list_sets()]
    if word not in names:
        raise InputError(f"{word!r} is no file and no set; the sets are {', '.join(names)}")
    known = load_set(word)
    return Input(known.name, known.inputs, known.labels)


def load_labelled(args: argparse.Namespace) -> Input:
    """As `load`; raises `InputError` if there are no labels."""
    found = load(args)
    if found.y is None:
        raise InputError(
            f"{args.data} has no labels to evaluate with: name a set, an .npz file with `y`, a "
            "table and its label column (--label), or a folder with one folder of images a class"
        )
    return found


def check_matrix(found: Input) -> Any:
    """The rows, made sure to be a matrix of finite real numbers; else raises `InputError`."""
    import numpy as np

    x = found.x
    values = x.data if hasattr(x, "tocsr") else x
    if len(x.shape) != 2 or x.shape[0] < 1:
        raise InputError(f"{found.name}: one row or more of numbers needed, got shape {x.shape}")
    if x.dtype.kind not in "buif" or not np.all(np.isfinite(values)):
        raise InputError(f"{found.name}: holds what is no finite number; impute or encode it first")
    return x


def describe(found: Input) -> dict[str, Any]:
    """What `data check` prints: sizes, types, ranges, labels."""
    import numpy as np

    x = check_matrix(found)
    described: dict[str, Any] = {"rows": x.shape[0], "columns": x.shape[1], "type": str(x.dtype)}
    described |= {"least": float(x.min()), "largest": float(x.max())}
    described["constant columns"] = _constant_columns(x)
    if found.y is not None:
        classes, counts = np.unique(found.y, return_counts=True)
        described["classes"] = len(classes)
        described["rows a class"] = f"{counts.min()} to {counts.max()}"
    return described


def _constant_columns(x: Any) -> int:
    least, most = x.min(axis=0), x.max(axis=0)
    if hasattr(least, "toarray"):
        least, most = least.toarray(), most.toarray()
    return int((least == most).sum())
