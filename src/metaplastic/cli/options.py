"""What the commands share: how one is described, and small readers and writers of words."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from metaplastic.errors import InputError


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of the command line; `run` returns the exit status."""

    name: str
    summary: str
    description: str
    examples: tuple[str, ...]
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`: the result for machines."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_seed(parser: argparse.ArgumentParser) -> None:
    """`--seed`."""
    parser.add_argument("--seed", type=_seed, default=0, help="seed of all random draws (0)")


def _seed(word: str) -> int:
    number = natural(word)
    if number >= 2**32:
        raise argparse.ArgumentTypeError(f"{word!r} is not below 2**32")
    return number


def natural(word: str) -> int:
    """A whole number of at least 0."""
    number = int(word)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{word!r} is below 0")
    return number


def positive(word: str) -> int:
    """A whole number of at least 1."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is below 1")
    return number


def sizes(word: str) -> tuple[int, ...]:
    """Layer sizes such as `128,128`; the empty word is no layer."""
    try:
        return tuple(positive(part) for part in word.split(",")) if word else ()
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise argparse.ArgumentTypeError(
            f"{word!r} is no list of positive whole numbers such as 128,128"
        ) from error


def add_network(parser: argparse.ArgumentParser) -> None:
    """Options of the base model and its training; left out, they are `RuleTransformer`'s."""
    parser.add_argument(
        "--hidden-sizes",
        type=sizes,
        metavar="N,N,...",
        help="units of the hidden layers (128,128)",
    )
    parser.add_argument("--n-components", type=positive, metavar="N", help="features (512)")
    parser.add_argument(
        "--activation", metavar="NAME", help="nonlinearity, or several: relu+tanh (auto)"
    )
    parser.add_argument("--n-steps", type=natural, metavar="N", help="training steps (100)")
    parser.add_argument("--batch-size", type=positive, metavar="N", help="rows per step (128)")
    parser.add_argument(
        "--n-networks", type=positive, metavar="N", help="networks that share the features (4)"
    )


def network(args: argparse.Namespace) -> dict[str, Any]:
    """Those options of `add_network` that were given, as keywords."""
    names = ("hidden_sizes", "n_components", "activation", "n_steps", "batch_size", "n_networks")
    return {name: value for name in names if (value := getattr(args, name)) is not None}


def check_output(path: Path, *inputs: str | Path | None, force: bool) -> None:
    """Raise `InputError`, before any work, if `path` cannot be written or would be overwritten.

    One of the `inputs` is never overwritten, whatever `force` says.
    """
    for word in inputs:
        if word is not None and path.exists() and _holds(Path(word), path):
            raise InputError(f"{path} is read by this command; name another file to write")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file to write")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist; make it first")
    if path.exists() and not force:
        raise InputError(f"{path} exists; give --force to replace it, or another name")


def _holds(read: Path, path: Path) -> bool:
    """Whether the file `path` is what is read, or lies in the folder that is read."""
    if not read.exists():
        return False
    return read.samefile(path) or (read.is_dir() and read.resolve() in path.resolve().parents)


def note(text: str) -> None:
    """Tell the person at the terminal, not the result."""
    print(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a result for machines."""
    print(json.dumps(value, indent=1))


def print_result(facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Print named values, one a line and those of a table within it indented, or all as JSON."""
    if as_json:
        print_json(facts)
    else:
        print("\n".join(_lines(facts)))


def _lines(facts: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for key, value in facts.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _lines(value, f"{indent}  ")
        else:
            yield f"{indent}{key}: {value}"
