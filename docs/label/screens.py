"""Pictures of the page of `metaplastic label`: the tutorials' data, labelled with the truth.

    python docs/label/screens.py            # wide-light.png and texts.png beside this file
    python docs/label/screens.py FOLDER     # wide and narrow, light and dark, into a folder

Needs the extra `label`, playwright and Chromium.
"""

import importlib
import inspect
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits

HERE = Path(__file__).resolve().parent
WIDE, NARROW = {"width": 1200, "height": 860}, {"width": 390, "height": 860}
LABELS = {"images": 24, "texts.csv": 14}
PACKAGES = ("numpy", "scipy.stats", "sklearn.metrics")


def images(folder: Path) -> list[str]:
    """A thousand digits as files, and their classes: as in the tutorial on images."""
    digits: Any = load_digits()
    (folder / "images").mkdir()
    for i, image in enumerate(digits.images[:1000]):
        Image.fromarray((255 - 15.9375 * image).astype("uint8")).save(
            folder / "images" / f"{i:04}.png"
        )
    return [str(label) for label in digits.target[:1000]]


def texts(folder: Path) -> list[str]:
    """Docstrings in a table, and their packages: as in the tutorial on texts."""
    rows = []
    for name in PACKAGES:
        for _, member in sorted(vars(importlib.import_module(name)).items()):
            text = inspect.getdoc(member) or ""
            if callable(member) and len(text) > 300:
                rows.append((text, name.split(".")[0]))
    table = pd.DataFrame(rows, columns=["text", "package"])
    table[["text"]].to_csv(folder / "texts.csv", index=False)
    return table["package"].tolist()


@contextmanager
def served(folder: Path, words: Sequence[str]) -> Iterator[str]:
    """The address of the page while it is served."""
    command = [sys.executable, "-m", "metaplastic", "label", *words, "--out", "labels.csv"]
    process = subprocess.Popen(
        [*command, "--no-browser"], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"http://\S+", line):
                yield found[0]
                return
        raise RuntimeError("".join(said))
    finally:
        process.kill()
        process.wait()


def answer(page: Any, truth: Sequence[str], count: int) -> None:
    """Label rows with the truth by keyboard."""
    for done in range(1, count + 1):
        found = re.search(r"Row (\d+)", page.inner_text("#row-title"))
        assert found is not None
        word = truth[int(found[1])]
        names = page.locator("#classes button span:nth-child(2)").all_inner_texts()
        if word in names:
            page.keyboard.press("1234567890"[names.index(word)])
        else:
            page.keyboard.press("n")
            page.keyboard.type(word)
            page.keyboard.press("Enter")
        page.wait_for_selector(f'body[data-labelled="{done}"]')


def shown(browser: Any, words: Sequence[str], truth: Sequence[str], folder: Path) -> Iterator[Any]:
    """A labelled page, wide and light first, then in the other forms, with a name of each."""
    with served(folder, words) as address:
        page = browser.new_page(viewport=WIDE)
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        answer(page, truth, LABELS[words[0]])
        for size, form in ((WIDE, "wide"), (NARROW, "narrow")):
            for scheme in ("light", "dark"):
                page.set_viewport_size(size)
                page.emulate_media(color_scheme=scheme)
                page.wait_for_timeout(500)
                yield f"{form}-{scheme}", page
        page.close()


def main() -> None:
    """Draw the pictures."""
    api = importlib.import_module("playwright.sync_api")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    all_forms = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as name, api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for make, words, kept in (
            (images, ["images"], "wide-light.png"),
            (texts, ["texts.csv", "--text", "text"], "texts.png"),
        ):
            folder = Path(name, kept)
            folder.mkdir()
            for form, page in shown(browser, words, make(folder), folder):
                if all_forms is not None:
                    page.screenshot(
                        path=all_forms / f"{words[0]}-{form}.png", full_page=form.startswith("n")
                    )
                elif form == "wide-light":
                    page.screenshot(path=HERE / kept)
        browser.close()


if __name__ == "__main__":
    main()
