"""Rules in files: safetensors, with class, fields, provenance and checksum in the header."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import FileFormatError, InputError
from metaplastic.files import check_tensors, file_kind, read_tensors, write_tensors
from metaplastic.rules.base import AbstractUpdateRule
from metaplastic.rules.classes import RULE_CLASSES
from metaplastic.rules.legacy import split_legacy
from metaplastic.rules.rule_set import ROLES, RuleSet

RULE, PRESET = "metaplastic-rule", "metaplastic-preset"
"""What the header of a file with one rule, and of one with the rules of a preset, says it is."""

MAX_FIELD = 4096
"""Largest integer field of a rule, so that a file cannot ask for a huge one."""

Classes = Mapping[str, type[AbstractUpdateRule]]
Tensors = Mapping[str, NDArray]


@dataclasses.dataclass(frozen=True)
class RuleFile:
    """What a file holds: its rules, the fields beside them, and the metadata saved with it.

    `fields` are those of a preset, or the settings that rule files held before presets
    (`legacy.SETTINGS`); empty for other rule files.
    """

    rules: RuleSet
    fields: dict[str, Any]
    metadata: dict[str, Any]


def save_rule(path: str | Path, rule: AbstractUpdateRule, metadata: Mapping[str, Any]) -> None:
    """Write a rule to one safetensors file, atomically; an existing file is replaced.

    Parameters
    ----------
    path : str or Path
        The file, usually `NAME.safetensors`.
    rule : AbstractUpdateRule
        The rule. Its inexact arrays are stored as float32, named by their place in the rule.
    metadata : mapping of str to object
        Provenance and licence, plain JSON values, for example `{"licence": "Apache-2.0", "recipe":
        "base"}`.

    Raises
    ------
    InputError
        For fields that a file cannot hold, metadata that JSON cannot hold, theta that is not
        finite, or a place that cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from metaplastic import load_rule, save_rule
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_rule(f"{folder}/mine.safetensors", load_rule("hebb"), {"licence": "MIT"})
    ...     type(load_rule(f"{folder}/mine.safetensors")).__name__
    'Hebb'
    """
    tensors, described = pack(rule)
    write_tensors(path, tensors, kind=RULE, fields=described, metadata=metadata)


def load_rule_file(
    path: str | Path, *, classes: Classes = RULE_CLASSES
) -> tuple[AbstractUpdateRule, dict[str, Any]]:
    """The rule in a file (of a preset, its main rule), and the metadata saved with it.

    Parameters
    ----------
    path : str or Path
        A rule file or a preset file. The file is not trusted.
    classes : Classes, default=RULE_CLASSES
        Classes that may be loaded, by name; add your own to `RULE_CLASSES`.

    Returns
    -------
    (AbstractUpdateRule, dict of str to object)
        The rule and its metadata.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, changed, of another format or a newer version, or holds a
        rule of an unknown class, of fields that are not allowed, or with arrays of other names,
        shapes, types or with values that are not finite.
    """
    file = read_rules(path, classes=classes)
    return jax.tree.map(jnp.asarray, file.rules.main), file.metadata


def read_rules(path: str | Path, *, classes: Classes = RULE_CLASSES) -> RuleFile:
    """All that a rule file or a preset file holds, as NumPy arrays; raises as `load_rule_file`."""
    kind = file_kind(path)
    if kind not in (RULE, PRESET):
        raise FileFormatError(
            f"{path}: expected a rule or a preset, a file of format {RULE!r} or {PRESET!r}, found "
            f"{kind!r}"
        )
    if kind == PRESET:
        tensors, fields, metadata = read_tensors(path, kind=PRESET)
        described = fields.pop("rules", None)
        if not isinstance(described, dict) or not {"main"} <= described.keys() <= set(ROLES):
            raise FileFormatError(f"{path}: damaged file (a preset has a main rule)")
        parts = {role: (_of(role, tensors), part) for role, part in described.items()}
        _check_all_used(path, tensors, described)
    else:
        tensors, fields, metadata = read_tensors(path, kind=RULE)
        try:
            parts, fields = split_legacy(tensors, fields)
        except InputError as error:
            raise FileFormatError(f"{path}: {error}") from error
    rules = {role: unpack(path, *part, classes=classes) for role, part in parts.items()}
    return RuleFile(RuleSet(**rules), fields, metadata)


def pack(rule: AbstractUpdateRule) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Theta by name, and the description from which `unpack` makes the rule again.

    Raises
    ------
    InputError
        For a rule whose fields a file cannot hold.
    """
    tensors = {name: np.asarray(leaf, np.float32) for name, leaf in _leaves(rule).items()}
    values = rule.file_values()
    check_fields(type(rule), values)  # What is saved can be loaded.
    return tensors, {"class": type(rule).__name__, "fields": values}


def unpack(
    path: str | Path, tensors: Tensors, described: Any, *, classes: Classes = RULE_CLASSES
) -> AbstractUpdateRule:
    """The rule of a description and its tensors; `path` is for messages alone.

    Raises
    ------
    FileFormatError
        As `load_rule_file`.
    """
    if not isinstance(described, dict) or not isinstance(described.get("fields"), dict):
        raise FileFormatError(f"{path}: damaged file (the rule's fields are no table)")
    name, fields = described.get("class"), described["fields"]
    if not isinstance(name, str) or name not in classes:
        raise FileFormatError(
            f"{path}: unknown class of rules {name!r}; this version knows {', '.join(classes)}"
        )
    try:
        check_fields(classes[name], fields)
        template = _template(classes[name], tuple(sorted(fields.items())))
    except InputError as error:
        raise FileFormatError(f"{path}: {error}") from error
    expected = {key: tuple(leaf.shape) for key, leaf in _leaves(template).items()}
    check_tensors(path, tensors, expected)
    return _fill(template, tensors)


@functools.lru_cache(maxsize=64)
def _template(
    rule: type[AbstractUpdateRule], fields: tuple[tuple[str, Any], ...]
) -> AbstractUpdateRule:
    """Shapes alone: nothing is computed, whatever a file asks for."""
    return eqx.filter_eval_shape(lambda: rule.create(key=jax.random.key(0), **dict(fields)))


def check_fields(rule: type[AbstractUpdateRule], fields: Mapping[str, Any]) -> None:
    """Raise `InputError` unless `fields` are exactly those of the class, with allowed values."""
    if fields.keys() | rule.later_fields != rule.file_fields.keys():
        raise InputError(
            f"{rule.__name__} has the fields {sorted(rule.file_fields)}, got {sorted(fields)}"
        )
    for name, value in fields.items():
        allowed = type(value) is rule.file_fields[name]
        if not allowed or (isinstance(value, int) and not 0 <= value <= MAX_FIELD):
            raise InputError(
                f"field {name!r} of {rule.__name__} must be {rule.file_fields[name].__name__} "
                f"(0 to {MAX_FIELD}), got {value!r}"
            )


def _of(role: str, tensors: Tensors) -> dict[str, NDArray]:
    prefix = f"{role}."
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _check_all_used(path: str | Path, tensors: Tensors, roles: Mapping[str, Any]) -> None:
    unknown = sorted(name for name in tensors if name.partition(".")[0] not in roles)
    if unknown:
        raise FileFormatError(f"{path}: tensors of no rule: {unknown}")


def _is_leaf_of_theta(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _leaves(rule: AbstractUpdateRule) -> dict[str, Any]:
    """Theta's leaves (arrays or their shapes) by path, for example `element_in`."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(rule)
    named = {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}
    return {name: leaf for name, leaf in named.items() if _is_leaf_of_theta(leaf)}


def _fill(template: AbstractUpdateRule, tensors: Tensors) -> AbstractUpdateRule:
    def value(path: Any, leaf: Any) -> Any:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        return tensors[name] if _is_leaf_of_theta(leaf) else leaf

    return jax.tree_util.tree_map_with_path(value, template)
