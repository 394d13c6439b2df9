"""Rule files of version 0.1, whose `LocalRule` held what is a preset's now.

Such a file may hold three rules, and it says how inputs were presented to them.
"""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from metaplastic.errors import InputError

SETTINGS = ("with_inputs", "whiten")
"""Settings that a rule file of version 0.1 may hold: whether features hold the inputs too, and the
power of the whitening."""

BROUGHT = ("sparse", "bounded")
"""Flags of such a file: whether it holds these rules too."""

Parts = dict[str, tuple[dict[str, NDArray], Any]]


def split_legacy(
    tensors: Mapping[str, NDArray], described: dict[str, Any]
) -> tuple[Parts, dict[str, Any]]:
    """The rules of a rule file, by role, and the settings that it holds beside them.

    Both are as in the file for one that is not of version 0.1. What is damaged stays, so that
    `unpack` refuses it.

    Raises
    ------
    InputError
        For settings or flags that are not allowed.
    """
    fields = described.get("fields")
    if not isinstance(fields, dict) or described.get("class") != "LocalRule":
        return {"main": (dict(tensors), described)}, {}
    if SETTINGS[0] not in fields:  # every such file has it
        return {"main": (dict(tensors), described)}, {}
    _check(fields)
    settings = {name: fields[name] for name in SETTINGS if name in fields}
    kept = {name: value for name, value in fields.items() if name not in (*SETTINGS, *BROUGHT)}
    main = dict(tensors)
    parts: Parts = {}
    for role in BROUGHT:
        if fields.get(role) is True:
            names = [name for name in main if name.startswith(f"{role}.")]
            own = {name.removeprefix(f"{role}."): main.pop(name) for name in names}
            also = {"with_outputs": True} if role == "bounded" else {}
            parts[role] = (own, {"class": "LocalRule", "fields": {**kept, **also}})
    parts["main"] = (main, {"class": "LocalRule", "fields": kept})
    return parts, settings


def _check(fields: Mapping[str, Any]) -> None:
    for name in ("with_inputs", *BROUGHT):
        if type(fields.get(name, False)) is not bool:
            raise InputError(f"{name} must be true or false, found {fields[name]!r:.80}")
    power = fields.get("whiten", 0.0)
    if type(power) is not float or not 0.0 <= power <= 0.5:
        raise InputError(f"whiten must be from 0 to 0.5, found {power!r:.80}")
