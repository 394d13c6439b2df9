"""README.md of a study: every part in its place, tables between their markers."""

import pytest

from laboratory.text import Text, filled, filled_where_marked
from metaplastic.errors import InputError

GOOD = """\
# A title

**Question.** Does it
work?

**Answer.** Yes.

## Settings

a

## Result

b

## What followed

c

## Command

d
"""


def test_parts_are_found_and_lines_joined():
    text = Text.parse(GOOD, "here")
    assert (text.title, text.question, text.answer) == ("A title", "Does it work?", "Yes.")
    assert text.sections["Result"].strip() == "b"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("**Question.**", "Question.", "must begin with a title"),
        ("work?", "work.", "no question mark"),
        ("## Command", "## Commands", "Settings, Result, What followed, Command in this order"),
        ("## Settings\n\na\n\n## Result\n\nb", "## Result\n\nb\n\n## Settings\n\na", "order"),
    ],
)
def test_a_missing_or_misplaced_part_is_named(old, new, message):
    with pytest.raises(InputError, match=message) as caught:
        Text.parse(GOOD.replace(old, new), "042-x")
    assert "042-x" in str(caught.value)


MARKED = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n<!-- y: begin -->\n<!-- y: end -->\n"


def test_markers_are_filled_and_filling_again_changes_nothing():
    parts = {"x": "new\n", "y": "more"}
    once = filled(MARKED, parts, "here")
    assert "old" not in once and "new\n\n<!-- x: end -->" in once and "more" in once
    assert filled(once, parts, "here") == once
    assert filled_where_marked(MARKED, {"y": "more"}).startswith(MARKED[:40])


@pytest.mark.parametrize("parts", [{"x": "1"}, {"x": "1", "y": "2", "z": "3"}])
def test_tables_and_markers_must_go_together(parts):
    with pytest.raises(InputError, match="042-x has markers for x, y"):
        filled(MARKED, parts, "042-x")
