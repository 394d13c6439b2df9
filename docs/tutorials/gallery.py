"""Run the tutorials and write what they print below each block.

    python docs/tutorials/gallery.py            # run all, write the output
    python docs/tutorials/gallery.py --check    # run all, fail if an output is another
    python docs/tutorials/gallery.py cells.md   # run one page

Blocks of Python of one page are run together and in order, in an empty folder. A block fenced as
`python no-run` is left alone. Output stands in a block fenced as `text` right below its code. In a
check, numbers may differ a little: they depend on the machine. A PNG that a page saves is kept
beside it. A page that names a package as `<!-- needs NAME -->` is left out where it is missing.
"""

import argparse
import contextlib
import importlib.util
import io
import math
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
_BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NEEDS = re.compile(r"<!-- needs (\w+) -->")


def rendered(content: str, name: str) -> str:
    """The page with the output of its blocks; raises whatever a block raises."""
    names: dict[str, object] = {"__name__": "__main__"}

    def run(match: re.Match[str]) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(match["code"], name, "exec"), names)
        lines = [line.rstrip() for line in printed.getvalue().splitlines()]
        shown = "\n".join(lines) + "\n" if lines else ""
        code = f"```python\n{match['code']}```\n"
        return f"{code}\n```text\n{shown}```\n" if shown else code

    return _BLOCK.sub(run, content)


def missing(content: str) -> list[str]:
    """Packages that a page needs and that are not installed."""
    return [name for name in _NEEDS.findall(content) if importlib.util.find_spec(name) is None]


def alike(one: str, other: str) -> bool:
    """Whether two texts are the same, but for small differences of numbers."""
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=0.1, abs_tol=0.05) for a, b in pairs)


def main() -> int:
    """Run every page; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    parser.add_argument("pages", nargs="*", metavar="NAME.md", help="these pages (all)")
    options = parser.parse_args()
    check, stale = options.check, []
    for page in [FOLDER / name for name in options.pages] or sorted(FOLDER.glob("*.md")):
        before = page.read_text("utf-8")
        if absent := missing(before):
            print(f"{page.name} is left out: no {', '.join(absent)}", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            after = rendered(before, page.name)
            for picture in () if check else Path(folder).glob("*.png"):
                shutil.copy(picture, FOLDER)
        if not alike(before, after):
            stale.append(page.name)
        if not check and before != after:
            page.write_text(after, "utf-8")
    if check and stale:
        print(f"stale: {', '.join(stale)}; run python docs/tutorials/gallery.py", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
