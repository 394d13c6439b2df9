"""Examples in the documents run as they stand.

Blocks fenced as `python` or `sh` are executed, those of one file and language together and in
order, in an empty folder. A second word `no-run` after the language leaves a block out.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *TUTORIALS.glob("*.md")])
MOST_WORDS = 700
SMALL = ("extending.md", "your_data.md")
"""Documents whose networks are so small that optimising programs would cost more than it saves."""
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    language: str
    words: tuple[str, ...]
    text: str
    line: int


def parse(content: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(content):
        language, *words = match["info"].split() or [""]
        line = content.count("\n", 0, match.start("body")) + 1
        found.append(Block(language, tuple(words), match["body"], line))
    return found


def runnable(path: Path, language: str) -> list[Block]:
    if not path.exists():
        return []
    found = [block for block in parse(path.read_text()) if block.language == language]
    return [block for block in found if "no-run" not in block.words]


def cases(language: str) -> list:
    paths = [path for path in DOCUMENTS if runnable(path, language)]
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def run(command: list[str], folder: Path, *, optimised: bool) -> subprocess.CompletedProcess[str]:
    """A command in a folder, its programs compiled for speed (long fits) or in little time."""
    # The commands of this environment come first, so that `metaplastic` is this checkout's.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # As for users, all compiled programs are kept: documents have many in common.
    kept = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    environment = {**os.environ, **kept, "PATH": path}
    if optimised:
        environment.pop("XLA_FLAGS", None)
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def cases_of_python() -> list:
    """Tutorials are run by their gallery, which compares what they print."""
    return [case for case in cases("python") if TUTORIALS not in case.values[0].parents]


@pytest.mark.slow
def test_tutorials_run_and_print_what_they_show(tmp_path: Path):
    done = run([sys.executable, str(TUTORIALS / "gallery.py"), "--check"], tmp_path, optimised=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("document", cases_of_python())
def test_python_blocks_run(document: Path, tmp_path: Path):
    # Empty lines keep the numbers of the lines those of the document.
    program = ""
    for block in runnable(document, "python"):
        program += "\n" * (block.line - 1 - program.count("\n")) + block.text
    script = tmp_path / document.with_suffix(".py").name
    script.write_text(program)
    optimised = document.name not in SMALL
    done = run([sys.executable, script.name], tmp_path, optimised=optimised)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("document", cases("sh"))
def test_shell_blocks_run(document: Path, tmp_path: Path):
    program = "".join(block.text for block in runnable(document, "sh"))
    done = run(["bash", "-euo", "pipefail", "-c", program], tmp_path, optimised=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_blocks_are_found_by_language_with_their_line():
    text = "a\n```python\nx = 1\n```\n\n```sh no-run\nls\n```\n```\nplain\n```\n"
    assert parse(text) == [
        Block("python", (), "x = 1\n", 3),
        Block("sh", ("no-run",), "ls\n", 7),
        Block("", (), "plain\n", 10),
    ]


def test_readme_is_short():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.split()) <= MOST_WORDS


def test_links_of_documents_outside_the_site_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / name).read_text("utf-8"))
        for link in links:
            path, _, anchor = link.partition("#")
            if path.startswith("https://"):
                continue
            target = ROOT / (path or name)
            assert target.exists(), f"{name}: {link}"
            if anchor:
                headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
                assert anchor in slugs, f"{name}: {link}"


def test_stations_of_the_design_exist():
    """Every `file.py:function` that docs/design.md names is defined in that file."""
    text = (ROOT / "docs" / "design.md").read_text("utf-8")
    stations = re.findall(r"`([\w/]+\.py):([\w.]+)`", text)
    assert len(stations) > 40
    for path, qualified in stations:
        tree = ast.parse((ROOT / "src" / "metaplastic" / path).read_text("utf-8"))
        assert qualified in _defined(tree), f"{path}:{qualified}"


def _defined(tree: ast.Module) -> set[str]:
    kinds = (ast.FunctionDef, ast.ClassDef)
    names = {node.name for node in tree.body if isinstance(node, kinds)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{sub.name}" for sub in node.body if isinstance(sub, kinds)}
    return names
