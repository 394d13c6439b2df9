"""Docstrings have one form, numpydoc, and those of public objects name what they take."""

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from structure.test_public_api import public_names

SOURCE = Path(__file__).parents[2] / "src" / "metaplastic"
GOOGLE = re.compile(r"^\s*(Args|Arguments|Returns|Raises|Yields|Examples?|Attributes):\s*$", re.M)
SECTION = re.compile(r"^(?P<name>[A-Z][A-Za-z ]+)\n(?P<line>-+)\n", re.M)
NAMES = re.compile(r"^\*{0,2}(?P<names>\w+(?:, \w+)*)(?: : .+)?$", re.M)
ORDER = ["Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "Examples"]


def sections(text: str) -> dict[str, str]:
    """The sections of a docstring by name, in their order."""
    found = list(SECTION.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return {m["name"]: text[m.end() : end] for m, end in zip(found, ends, strict=False)}


def documented(text: str) -> list[str]:
    """The names that the sections on parameters and attributes describe."""
    parts = sections(text)
    both = parts.get("Parameters", "") + "\n" + parts.get("Attributes", "")
    return [name for match in NAMES.finditer(both) for name in match["names"].split(", ")]


def docstrings() -> list[tuple[str, str]]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return [
        (f"{path.relative_to(SOURCE)}:{getattr(node, 'name', '')}", ast.get_docstring(node) or "")
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, kinds)
    ]


def public_objects() -> list[tuple[str, Any]]:
    """Functions and classes of the package that have a public name, each once."""
    found = {}
    for full in public_names():
        package, _, name = full.rpartition(".")
        value = getattr(importlib.import_module(package), name)
        own = getattr(value, "__module__", "").startswith("metaplastic")
        if own and (inspect.isfunction(value) or inspect.isclass(value)):
            found.setdefault(value, full)
    return [(name, value) for value, name in found.items()]


def test_sections_are_those_of_numpydoc_in_their_order():
    for name, text in docstrings():
        assert not GOOGLE.search(text), f"{name} has a section of another style"
        headings = [m["name"] for m in SECTION.finditer(text)]
        assert headings == [each for each in ORDER if each in headings], f"{name}: {headings}"
        for match in SECTION.finditer(text):
            assert len(match["name"]) == len(match["line"]), f"{name}: {match['name']}"


def test_sections_and_names_are_found():
    text = "Do.\n\nParameters\n----------\na, b : int\n    Numbers.\n\nRaises\n------\nE\n    If."
    assert list(sections(text)) == ["Parameters", "Raises"]
    assert documented(text) == ["a", "b"]


def taken(value: Any) -> list[str]:
    """What a caller gives: parameters of a function, of a class or of its `create`."""
    if inspect.isclass(value):
        protocol = getattr(value, "_is_protocol", False)
        if inspect.isabstract(value) or protocol or issubclass(value, Exception):
            return []
        value = vars(value).get("create", value)
        value = getattr(value, "__func__", value)
    names = inspect.signature(value).parameters
    return [name for name in names if not name.startswith("_") and name != "cls"]


def text_of(value: Any) -> list[str]:
    """Docstrings of a function, or of a class, its bases and its `create`."""
    if not inspect.isclass(value):
        return [inspect.getdoc(value) or ""]
    texts = [inspect.cleandoc(vars(each).get("__doc__") or "") for each in value.__mro__]
    return [*texts, inspect.getdoc(getattr(value, "create", None)) or ""]


@pytest.mark.parametrize(("name", "value"), public_objects())
def test_public_objects_say_what_they_take(name: str, value: Any):
    names = [each for text in text_of(value) for each in documented(text)]
    missing = [each for each in taken(value) if each not in names]
    assert not missing, f"{name} does not describe {', '.join(missing)}"


@pytest.mark.parametrize(("name", "value"), public_objects())
def test_public_functions_say_what_they_return(name: str, value: Any):
    if inspect.isfunction(value) and inspect.signature(value).return_annotation is not None:
        assert {"Returns", "Yields"} & sections(inspect.getdoc(value) or "").keys(), name
