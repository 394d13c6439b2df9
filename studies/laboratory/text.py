"""README.md of a study: its parts, and the tables between its markers."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Self

from metaplastic.errors import InputError

SECTIONS = ("Settings", "Result", "What followed", "Command")
_HEAD = re.compile(
    r"# (?P<title>[^\n]+)\n\n\*\*Question\.\*\* (?P<question>.+?)\n\n"
    r"\*\*Answer\.\*\* (?P<answer>.+?)\n\n(?=## )",
    re.DOTALL,
)
_MARKED = re.compile(
    r"<!-- (?P<name>[\w-]+): begin -->\n(?P<content>.*?)<!-- (?P=name): end -->", re.DOTALL
)


@dataclasses.dataclass(frozen=True)
class Text:
    """Title, question and answer of a study, and its sections by their heading."""

    title: str
    question: str
    answer: str
    sections: Mapping[str, str]

    @classmethod
    def parse(cls, content: str, where: object) -> Self:
        """The parts of a README.md.

        Raises
        ------
        InputError
            If a part is missing or out of order; the message names `where`.
        """
        head = _HEAD.match(content)
        if head is None:
            raise InputError(
                f"{where} must begin with a title, a paragraph **Question.** and a paragraph "
                "**Answer.**"
            )
        if "?" not in head["question"]:
            raise InputError(f"{where}: the question has no question mark")
        parts = re.split(r"^## (.+)\n", content[head.end() :], flags=re.MULTILINE)[1:]
        sections = dict(zip(parts[::2], parts[1::2], strict=True))
        if tuple(sections) != SECTIONS:
            raise InputError(
                f"{where} must have the sections {', '.join(SECTIONS)} in this order, "
                f"it has {', '.join(sections) or 'none'}"
            )
        one_line = {key: " ".join(value.split()) for key, value in head.groupdict().items()}
        return cls(**one_line, sections=sections)


def marked(content: str) -> list[str]:
    """Names of the markers of a document, in their order."""
    return [match["name"] for match in _MARKED.finditer(content)]


def filled(content: str, parts: Mapping[str, str], where: object) -> str:
    """The document with what stands between markers replaced by the parts of their names.

    Raises
    ------
    InputError
        If a part has no marker, or a marker no part; the message names `where`.
    """
    names = marked(content)
    if set(names) != set(parts):
        raise InputError(
            f"{where} has markers for {', '.join(names) or 'nothing'}; there are tables for "
            f"{', '.join(parts) or 'nothing'}"
        )
    return filled_where_marked(content, parts)


def filled_where_marked(content: str, parts: Mapping[str, str]) -> str:
    """As `filled`, for a document that need not have markers for all parts, or has others too."""

    def replaced(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in parts:
            return match[0]
        return f"<!-- {name}: begin -->\n{parts[name].strip()}\n\n<!-- {name}: end -->"

    return _MARKED.sub(replaced, content)
