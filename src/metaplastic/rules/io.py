"""Rules in files: safetensors, with class, fields, provenance and checksum in the header."""

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
from metaplastic.files import check_tensors, read_tensors, write_tensors
from metaplastic.rules.base import AbstractUpdateRule
from metaplastic.rules.kinds import KINDS, RuleKind

FORMAT = "metaplastic-rule"
"""What the header of a rule file says it is."""


def save_rule(
    path: str | Path,
    rule: AbstractUpdateRule,
    metadata: Mapping[str, Any],
    *,
    kinds: Mapping[str, RuleKind] = KINDS,
) -> None:
    """Write a rule to one safetensors file, atomically; an existing file is replaced.

    Args:
        path: usually `NAME.safetensors`.
        rule: its inexact arrays are stored as float32, named by their place in the rule.
        metadata: provenance and licence, plain JSON values, for example
            `{"licence": "Apache-2.0", "recipe": "base"}`.
        kinds: classes that can be stored, by name; the package's own when left out.

    Raises:
        InputError: for a class that is not among `kinds`, fields that a file cannot hold, metadata
            that JSON cannot hold, theta that is not finite, or a place that cannot be written.
    """
    name = type(rule).__name__
    if name not in kinds or type(rule) is not kinds[name].rule:
        raise InputError(f"rules of class {name} cannot be saved; known: {', '.join(kinds)}")
    tensors = {key: np.asarray(leaf, np.float32) for key, leaf in _leaves(rule).items()}
    described = kinds[name].describe(rule)
    kinds[name].check(described)  # What is saved can be loaded.
    fields = {"class": name, "fields": described}
    write_tensors(path, tensors, kind=FORMAT, fields=fields, metadata=metadata)


def load_rule_file(
    path: str | Path, *, kinds: Mapping[str, RuleKind] = KINDS
) -> tuple[AbstractUpdateRule, dict[str, Any]]:
    """The rule in a file, and the metadata saved with it. The file is not trusted.

    Raises:
        FileFormatError: if the file is missing, truncated, changed, of another format or a newer
            version, or holds a rule of an unknown class, of fields that are not allowed, or with
            arrays of other names, shapes, types or with values that are not finite.
    """
    tensors, described, metadata = read_tensors(path, kind=FORMAT)
    name, fields = described.get("class"), described.get("fields")
    if not isinstance(name, str) or name not in kinds:
        raise FileFormatError(
            f"{path}: unknown class of rules {name!r}; this version knows {', '.join(kinds)}"
        )
    if not isinstance(fields, dict):
        raise FileFormatError(f"{path}: damaged file (the rule's fields are no table)")
    try:
        kinds[name].check(fields)
        # Shapes alone: nothing is computed, whatever the file asks for.
        template = eqx.filter_eval_shape(functools.partial(kinds[name].make, **fields))
    except InputError as error:
        raise FileFormatError(f"{path}: {error}") from error
    expected = {key: tuple(leaf.shape) for key, leaf in _leaves(template).items()}
    check_tensors(path, tensors, expected)
    return _fill(template, tensors), metadata


def _is_leaf_of_theta(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _leaves(rule: AbstractUpdateRule) -> dict[str, Any]:
    """Theta's leaves (arrays or their shapes) by path, for example `element_in`."""
    found, _ = jax.tree_util.tree_flatten_with_path(rule)
    named = {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in found}
    return {name: leaf for name, leaf in named.items() if _is_leaf_of_theta(leaf)}


def _fill(template: AbstractUpdateRule, tensors: Mapping[str, NDArray]) -> AbstractUpdateRule:
    def value(path: Any, leaf: Any) -> Any:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        return jnp.asarray(tensors[name]) if _is_leaf_of_theta(leaf) else leaf

    return jax.tree_util.tree_map_with_path(value, template)
