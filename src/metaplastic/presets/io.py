"""Presets in files: one safetensors file with the arrays of the rules and all settings."""

import dataclasses
import difflib
import typing
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from metaplastic.errors import FileFormatError, InputError
from metaplastic.files import file_kind, write_tensors
from metaplastic.models import (
    DirectSettings,
    PictureSettings,
    PreparationSettings,
    PresentationSettings,
)
from metaplastic.presets.networks import NetworkSettings
from metaplastic.presets.preset import Preset
from metaplastic.readings import ReadingSettings
from metaplastic.rules import AbstractUpdateRule, RuleSet
from metaplastic.rules.catalog import is_path, load_rule, shipped_path, shipped_presets
from metaplastic.rules.io import PRESET, RuleFile, pack, read_rules

BASE = "base"
"""The default preset, and the rules that it brings."""

PARTS: Mapping[str, type] = {
    "preparation": PreparationSettings,
    "pictures": PictureSettings,
    "presentation": PresentationSettings,
    "sparse_presentation": PresentationSettings,
    "direct": DirectSettings,
    "dense_direct": DirectSettings,
    "networks": NetworkSettings,
    "reading": ReadingSettings,
}
"""Fields of a preset that are settings of their own, and their classes."""


def save_preset(path: str | Path, preset: Preset, metadata: Mapping[str, Any]) -> None:
    """Write a preset to one safetensors file, atomically; an existing file is replaced.

    Parameters
    ----------
    path : str or Path
        Usually `NAME.safetensors`.
    preset : Preset
        Rules and settings.
    metadata : mapping of str to object
        Provenance and licence, plain JSON values.

    Raises
    ------
    InputError
        For rules that a file cannot hold, metadata that JSON cannot hold, theta that is not finite,
        or a place that cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from metaplastic import load_preset, save_preset
    >>> preset = load_preset("base").with_networks(n_networks=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_preset(f"{folder}/two.safetensors", preset, {"licence": "Apache-2.0"})
    ...     load_preset(f"{folder}/two.safetensors").networks.n_networks
    2
    """
    if not isinstance(preset, Preset):
        raise InputError(f"preset must be a Preset, got {type(preset).__name__}")
    tensors, rules = {}, {}
    for role, rule in preset.rules.named().items():
        own, rules[role] = pack(rule)
        tensors |= {f"{role}.{name}": value for name, value in own.items()}
    fields = {"rules": rules, **settings_of(preset)}
    write_tensors(path, tensors, kind=PRESET, fields=fields, metadata=metadata)


def settings_of(preset: Preset) -> dict[str, Any]:
    """All of a preset but its rules, as plain JSON values."""
    named = {field.name: getattr(preset, field.name) for field in dataclasses.fields(preset)}
    del named["rules"]
    return {
        name: dataclasses.asdict(value) if name in PARTS else value for name, value in named.items()
    }


def load_preset(preset: str | Path | Preset) -> Preset:
    """A preset by name or from a file; a preset object is returned as it is.

    Parameters
    ----------
    preset : str, Path or Preset
        A shipped name, a path (anything with a folder or a suffix), or a preset. A rule file of
        version 0.1 that holds several rules is read as the preset that it was.

    Returns
    -------
    Preset
        The preset.

    Raises
    ------
    InputError
        For a name that is not known, naming the nearest one.
    FileFormatError
        For a file that cannot be read as a preset. The file is not trusted.

    Examples
    --------
    >>> from metaplastic import load_preset
    >>> sorted(load_preset("base").rules.named())
    ['bounded', 'labels', 'main', 'pictures', 'sparse']
    """
    if isinstance(preset, Preset):
        return preset
    loaded = stored_preset(preset)
    return dataclasses.replace(loaded, rules=loaded.rules.map(_to_jax))


def _to_jax(rule: AbstractUpdateRule) -> AbstractUpdateRule:
    return jax.tree.map(jnp.asarray, rule)


def stored_preset(preset: str | Path | Preset) -> Preset:
    """As `load_preset`, with rules in NumPy's arrays: estimators start no device for them."""
    if isinstance(preset, Preset):
        return preset
    if not isinstance(preset, (str, Path)):
        raise InputError(
            f"a preset is a name, a path or a preset object, got {type(preset).__name__}"
        )
    if is_path(preset):
        return _read(Path(preset))
    known = list_presets()
    if str(preset) in known:
        return _read(shipped_path(str(preset)))
    near = difflib.get_close_matches(str(preset), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(known)}"
    raise InputError(f"unknown preset {preset!r}; {hint} (a file needs its suffix or folder)")


def list_presets() -> list[str]:
    """Names of the shipped presets."""
    return shipped_presets()


def is_preset(name: str | Path) -> bool:
    """Whether a name or path stands for a preset, of which all is meant, and not for a rule."""
    if is_path(name):
        return Path(name).is_file() and file_kind(name) == PRESET
    return str(name) in list_presets()


def resolve(
    rule: str | Path | AbstractUpdateRule = BASE, preset: str | Path | Preset = BASE
) -> Preset:
    """The preset that the two parameters of an estimator mean together.

    `rule="base"` keeps the rules of the preset. Any other rule takes the place of all of them; a
    rule file of version 0.1 brings its own presentation too. A rule that trains one number of top
    units alone (`n_top`) makes all features: none is direct.

    Raises
    ------
    InputError
        For names that are not known, and for the name of another preset given as a rule.
    FileFormatError
        For files that cannot be read.
    """
    resolved = stored_preset(preset)
    if isinstance(rule, str) and rule == BASE:
        return resolved
    if isinstance(rule, str) and rule in list_presets():
        raise InputError(f"{rule!r} is no rule but a preset; give it as preset")
    if isinstance(rule, (str, Path)) and is_path(rule):
        resolved = _with_rules_of(resolved, read_rules(rule))
    else:
        resolved = dataclasses.replace(resolved, rules=RuleSet(load_rule(rule)))
    return resolved if resolved.rules.main.n_top is None else resolved.without_direct()


def _with_rules_of(preset: Preset, file: RuleFile) -> Preset:
    """The preset with the rules of a file, and with its settings if it is of version 0.1."""
    preset = dataclasses.replace(preset, rules=file.rules)
    if "with_inputs" not in file.fields:
        return preset
    if not file.fields["with_inputs"]:
        preset = preset.without_direct()
    # The first files of that version had no whitening.
    whitening = file.fields.get("whiten", 0.0)
    presentation = dataclasses.replace(preset.presentation, whitening=whitening)
    return dataclasses.replace(preset, presentation=presentation)


def _read(path: Path) -> Preset:
    file = read_rules(path)
    if file_kind(path) != PRESET:
        if not file.fields:
            raise FileFormatError(
                f"{path}: holds a rule and no preset; give it as a rule, to be used with a preset"
            )
        return dataclasses.replace(_with_rules_of(stored_preset(BASE), file), name=path.stem)
    try:
        parts = {
            name: _settings(name, kind, file.fields)
            for name, kind in PARTS.items()
            if name in file.fields or name not in Preset.later_fields
        }
        plain = _plain({k: v for k, v in file.fields.items() if k not in PARTS})
        return Preset(rules=file.rules, **parts, **plain)
    except InputError as error:
        raise FileFormatError(f"{path}: {error}") from error


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {
        field.name: field.type
        for field in dataclasses.fields(Preset)
        if field.name not in (*PARTS, "rules")
    }
    return _checked("preset", wanted, fields, Preset.later_fields)


def _settings(name: str, kind: type, fields: Mapping[str, Any]) -> Any:
    values = fields.get(name)
    if not isinstance(values, dict):
        raise InputError(f"damaged file ({name} is no table)")
    hints = typing.get_type_hints(kind)
    wanted = {field.name: hints[field.name] for field in dataclasses.fields(kind)}
    later = getattr(kind, "later_fields", frozenset())
    return kind(**_checked(name, wanted, values, later))


def _checked(
    name: str, wanted: Mapping[str, Any], values: Mapping[str, Any], later: Set[str]
) -> dict[str, Any]:
    """The values, if they are those wanted and of the right types; `later` ones may be missing."""
    if not wanted.keys() - later <= values.keys() <= wanted.keys():
        unknown, missing = values.keys() - wanted.keys(), wanted.keys() - later - values.keys()
        unknown, missing = sorted(unknown), sorted(missing)
        raise InputError(f"{name}: unknown fields {unknown}, missing fields {missing}")
    return {key: _value(f"{name}.{key}", wanted[key], value) for key, value in values.items()}


def _value(name: str, kind: Any, value: Any) -> Any:
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list) or len(value) > 100:
            raise InputError(f"{name} must be a list of at most 100 numbers, found {value!r:.80}")
        return tuple(_value(name, typing.get_args(kind)[0], item) for item in value)
    if type(value) is not kind or (kind is int and not -(2**31) <= value < 2**31):
        raise InputError(f"{name} must be of type {kind.__name__}, found {value!r:.80}")
    if kind is float and not abs(value) < float("inf"):
        raise InputError(f"{name} must be finite, found {value!r}")
    return value
