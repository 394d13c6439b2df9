"""Recipes as TOML: read strictly, changed by `key=value`, written so that they are read again."""

import dataclasses
import difflib
import hashlib
import json
import math
import tomllib
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from metaplastic.errors import ConfigurationError, InputError
from metaplastic.recipes.named import RECIPES
from metaplastic.recipes.recipe import Recipe


def named_recipe(name: str) -> Recipe:
    """A recipe of `RECIPES`; raises `ConfigurationError` for another name."""
    if name not in RECIPES:
        raise ConfigurationError(f"unknown recipe {name!r}; choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


def read_recipe(path: Path, start: Recipe) -> Recipe:
    """The recipe in a TOML file; what the file leaves out is taken from `start`.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, or holds a key that is unknown or a value of another type.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    try:
        return _made(Recipe, _merged(dataclasses.asdict(start), table), "")
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def change_recipe(recipe: Recipe, changes: Iterable[str]) -> Recipe:
    """Apply changes such as `outer.n_updates=100`, `estimator=pes` or `shapes.0.n_tasks=1`.

    Values are TOML; what is not TOML is taken as a string.

    Raises
    ------
    ConfigurationError
        For a change of another form, an unknown key or a wrong value.
    """
    table = _plain(dataclasses.asdict(recipe))
    for change in changes:
        key, sign, word = change.partition("=")
        if not sign or not key.strip():
            raise ConfigurationError(f"a change is key=value, got {change!r}")
        _change(table, key.strip(), _value(word.strip()))
    return _made(Recipe, table, "")


def recipe_text(recipe: Recipe) -> str:
    """The complete recipe as TOML."""
    tables = dataclasses.asdict(recipe)
    plain = {k: v for k, v in tables.items() if not _is_table(v)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for key, value in tables.items():
        several = isinstance(value, tuple)
        for table in (value if several else [value]) if _is_table(value) else []:
            lines += ["", f"[[{key}]]" if several else f"[{key}]"]
            lines += [f"{name} = {json.dumps(item)}" for name, item in table.items()]
    return "\n".join(lines) + "\n"


def fingerprint(recipe: Recipe) -> str:
    """Differs between recipes that differ in anything but where they run (`cluster`)."""
    text, mark, _ = recipe_text(recipe).partition("\n[cluster]\n")
    assert mark, "the cluster is the last table"
    return hashlib.sha256(text.encode()).hexdigest()


def _is_table(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and isinstance(value[0], dict)
    return isinstance(value, dict)


def _value(word: str) -> Any:
    try:
        return tomllib.loads(f"value = {word}")["value"]
    except tomllib.TOMLDecodeError:
        return word


def _plain(value: Any) -> Any:
    """Tuples as lists, so that entries can be changed."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _merged(start: dict[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """`start` with the values of `table`, which need not be complete, in place of its own."""
    merged = dict(start)
    for key, value in table.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _merged(old, value)
        merged[key] = value
    return merged


def _change(table: Any, key: str, value: Any) -> None:
    """Set what `key` (names and indices between dots) leads to; the last name may be unknown."""
    *path, last = key.split(".")
    for part in path:
        table = _entry(table, part, key)
    if isinstance(table, list):
        _entry(table, last, key)
        table[int(last)] = value
    elif isinstance(table, dict):
        table[last] = value
    else:
        raise ConfigurationError(f"{key}: there is nothing below a plain value")


def _entry(table: Any, part: str, key: str) -> Any:
    if isinstance(table, list):
        if not part.isdecimal() or int(part) >= len(table):
            raise ConfigurationError(f"{key}: the entries are 0 to {len(table) - 1}, got {part!r}")
        return table[int(part)]
    if not isinstance(table, dict) or part not in table:
        raise ConfigurationError(f"{key}: there is no {part!r}")
    return table[part]


def _made(kind: Any, table: Mapping[str, Any], place: str) -> Any:
    """A dataclass from a table that holds all its required keys, and no others than its keys."""
    hints = typing.get_type_hints(kind)
    for key in table.keys() - hints.keys():
        near = difflib.get_close_matches(str(key), hints, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(hints)}"
        raise ConfigurationError(f"unknown key {place}{key}; {hint}")
    required = {f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING}
    if missing := sorted(required - table.keys()):
        raise ConfigurationError(f"{place or 'recipe '}: missing {', '.join(missing)}")
    values = {k: _as_kind(hints[k], v, f"{place}{k}") for k, v in table.items()}
    try:
        return kind(**values)
    except InputError as error:
        raise ConfigurationError(f"{place}{error}") from error


def _as_kind(kind: Any, value: Any, place: str) -> Any:
    """`value` as the annotated type, which it must have but for whole numbers as floats."""
    arguments = typing.get_args(kind)
    if arguments and isinstance(value, (list, tuple)):  # tuple[T, ...] or tuple[T, T]
        if arguments[-1] is not Ellipsis and len(value) != len(arguments):
            raise ConfigurationError(f"{place} takes {len(arguments)} values, got {len(value)}")
        entries = enumerate(value)
        return tuple(_as_kind(arguments[0], entry, f"{place}.{i}") for i, entry in entries)
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _made(kind, value, f"{place}.")
    if kind is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if type(value) is kind and kind is not float:
        return value
    wanted = (
        "a list" if arguments else "a table" if dataclasses.is_dataclass(kind) else kind.__name__
    )
    raise ConfigurationError(f"{place} must be {wanted}, got {value!r}")
