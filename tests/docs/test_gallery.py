"""The gallery of tutorials: what it writes below a block, and which pages it leaves out."""

import importlib.util
from pathlib import Path

PATH = Path(__file__).parents[2] / "docs" / "tutorials" / "gallery.py"


def load():
    spec = importlib.util.spec_from_file_location("gallery", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_output_stands_below_its_block():
    page = "a\n\n```python\nx = 2\nprint(x)\n```\n\nb\n\n```python no-run\nprint(1)\n```\n"
    once = load().rendered(page, "page")
    assert once == page.replace("print(x)\n```\n", "print(x)\n```\n\n```text\n2\n```\n")
    assert load().rendered(once, "page") == once


def test_a_page_whose_package_is_missing_is_named():
    missing = load().missing
    assert missing("<!-- needs numpy -->\n<!-- needs no_such_package -->") == ["no_such_package"]
    assert missing("text") == []


def test_numbers_may_differ_a_little():
    alike = load().alike
    assert alike("0.91 of 3", "0.93 of 3")
    assert not alike("0.91", "0.71")
    assert not alike("0.91 a", "0.91 b")
