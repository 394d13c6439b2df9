"""Studies that tests make in an empty folder, and the scripts of those that are there."""

import textwrap

import pytest

from laboratory.study import find, load_study

README = """\
# Doubling

**Question.** What is twice
two?

**Answer.** It is four ([more](../000-base/README.md)).

## Settings

None.

## Result

<!-- twice: begin -->
<!-- twice: end -->

## What followed

Nothing.

## Command

    python studies 001
"""

SCRIPT = """\
import beside
from laboratory import Call, Table

SEEDS = (3,)


def arguments(parser):
    parser.add_argument("--of", type=int, default=2)


def measure(call):
    of = 1 if call.quick else call.options.of
    before = (call.earlier or {}).get("count", 0)
    call.save({"of": of, "partly": True})
    return {"of": of, "twice": beside.double(of), "count": before + 1, "pair": (1, 2)}


def tables(result):
    return {"twice": Table(("of", "twice"), ((str(result["of"]), str(result["twice"])),))}
"""


@pytest.fixture
def script():
    """The module of a study of the repository, by its number."""
    return lambda number: load_study(find(number)).script


@pytest.fixture
def make_study():
    """Write a folder of studies with one study that has a script."""

    def make(root, name="001-doubling", readme=README, script=SCRIPT):
        folder = root / "studies" / name
        folder.mkdir(parents=True)
        (root / "docs").mkdir(exist_ok=True)
        (folder / "README.md").write_text(readme)
        (folder / "beside.py").write_text("def double(x):\n    return 2 * x\n")
        if script:
            (folder / "run.py").write_text(textwrap.dedent(script))
        return folder

    return make
