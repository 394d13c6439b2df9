"""A study: a folder `NNN-question` with a README.md, often a `run.py` and its results."""

import argparse
import contextlib
import dataclasses
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from laboratory.text import Text, filled
from metaplastic.errors import InputError
from metaplastic.evaluation import provenance
from metaplastic.files import write_atomically
from metaplastic.report import save_png

STUDIES = Path(__file__).resolve().parents[1]
ROOT = STUDIES.parent
RESULT, README, SCRIPT, FIGURE = "result.json", "README.md", "run.py", "figure.png"
_NAME = re.compile(r"\d{3}-[a-z0-9]+(-[a-z0-9]+)*")

Result = dict[str, Any]
"""What a study measured, as plain JSON."""


@dataclasses.dataclass(frozen=True)
class Call:
    """What `measure` of a study is given.

    Attributes
    ----------
    quick : bool
        Whether to measure little, in seconds instead of minutes.
    folder : Path
        Of the study.
    options : Namespace
        What `arguments` of the study added to the command line.
    earlier : Result or None
        What result.json holds now, if there is one.
    save : callable
        Writes an intermediate state to result.json; does nothing if `quick`.
    """

    quick: bool
    folder: Path
    options: argparse.Namespace
    earlier: Result | None
    save: Callable[[Mapping[str, Any]], None]


@dataclasses.dataclass(frozen=True)
class Study:
    """One folder, and what its `run.py` defines (nothing if it has none)."""

    folder: Path
    script: ModuleType | None

    @property
    def number(self) -> str:
        """Three digits."""
        return self.folder.name[:3]

    @property
    def text(self) -> Text:
        """The parts of README.md; raises `InputError` if one is missing."""
        return Text.parse(self._readme(), self.folder.name)

    @property
    def result(self) -> Result | None:
        """The content of result.json, if there is one; raises `InputError` if it is damaged."""
        path = self.folder / RESULT
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise InputError(f"{path} is no JSON file: {error}") from error

    def has(self, name: str) -> bool:
        """Whether `run.py` defines a function of this name."""
        return hasattr(self.script, name)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The study's own options."""
        if self.has("arguments"):
            self._call("arguments", parser)

    def measure(self, options: argparse.Namespace) -> Result:
        """Measure, and write result.json unless `options.quick`.

        Raises
        ------
        InputError
            If the study measures nothing.
        """
        if not self.has("measure"):
            raise InputError(
                f"study {self.number} has nothing to measure; README.md says how its numbers "
                "were found"
            )
        origin = provenance(seeds=getattr(self.script, "SEEDS", ()))

        def save(numbers: Mapping[str, Any]) -> None:
            if not options.quick:
                content = {"provenance": origin, **numbers}
                text = json.dumps(content, indent=1) + "\n"
                write_atomically(self.folder / RESULT, text.encode())

        call = Call(options.quick, self.folder, options, self.result, save)
        numbers = self._call("measure", call)
        save(numbers)
        return json.loads(json.dumps({"provenance": origin, **numbers}))

    def tables(self, result: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Tables by the name of their marker, of a result or of what the folder holds."""
        if not self.has("tables"):
            return {}
        return self._call("tables", self.result or {} if result is None else result)

    def documents(self) -> dict[Path, str]:
        """Every text that follows from the results: README.md, and the documents of `run.py`.

        Raises
        ------
        InputError
            If markers of README.md and tables do not go together.
        """
        parts = {name: table.markdown() for name, table in self.tables().items()}
        documents = {self.folder / README: filled(self._readme(), parts, self.folder.name)}
        if self.has("documents"):
            documents |= self._call("documents", self.result or {})
        return documents

    def draw(self) -> None:
        """Write figure.png if the study has one to draw."""
        if self.has("draw"):
            save_png(self._call("draw", self.result or {}), self.folder / FIGURE)

    def _call(self, name: str, given: Any) -> Any:
        with _importing(self.folder):
            return getattr(self.script, name)(given)

    def _readme(self) -> str:
        try:
            return (self.folder / README).read_text("utf-8")
        except FileNotFoundError as error:
            raise InputError(f"study {self.folder.name} has no {README}") from error


def load_study(folder: Path) -> Study:
    """The study in a folder; its `run.py` is imported."""
    path = folder / SCRIPT
    if not path.is_file():
        return Study(folder, None)
    spec = importlib.util.spec_from_file_location(f"study_{folder.name[:3]}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} cannot be imported")
    script = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = script  # dataclasses look their module up
    with _importing(folder):
        spec.loader.exec_module(script)
    return Study(folder, script)


def folders(root: Path = STUDIES) -> list[Path]:
    """The folders of all studies, in the order of their numbers.

    Raises
    ------
    InputError
        If two have one number.
    """
    folders = sorted(
        path for path in root.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()
    )
    numbers = [path.name[:3] for path in folders]
    for number in numbers:
        if numbers.count(number) > 1:
            raise InputError(f"two studies have the number {number}")
    return folders


def find(number: str, root: Path = STUDIES) -> Path:
    """The folder of a number; raises `InputError` if there is none."""
    for folder in folders(root):
        if folder.name[:3] == number.zfill(3):
            return folder
    known = ", ".join(folder.name[:3] for folder in folders(root))
    raise InputError(f"there is no study {number}; there are {known}")


@contextlib.contextmanager
def _importing(folder: Path) -> Iterator[None]:
    """Modules beside `run.py` can be imported by their name meanwhile."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
