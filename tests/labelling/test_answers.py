"""Answers outlive the process, and nothing else writes them."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from metaplastic.data.row_labels import read_row_labels
from metaplastic.errors import FileFormatError, InputError
from metaplastic.labelling import Answers


@pytest.fixture
def out(tmp_path):
    return tmp_path / "labels.csv"


def journal(out):
    return out.with_name("labels.csv.answers")


def test_every_answer_is_on_disk_at_once(out):
    with Answers(out, 9, "p", ("a",)) as answers:
        answers.label(3, " b, c ")
        assert pd.read_csv(out).to_dict("list") == {"row": [3], "label": ["b, c"]}
        answers.label(0, "a")
        answers.skip(5)
        assert len(journal(out).read_bytes().splitlines()) == 4
        assert answers.classes == ["a", "b, c"]
        assert read_row_labels(out, 9).tolist() == ["a", -1, -1, "b, c", *[-1] * 5]


def test_opening_again_goes_on(out):
    with Answers(out, 9, "p") as answers:
        answers.label(3, "x", read="y")
        answers.label(4, "x", read="x")
        answers.skip(5)
        answers.name_class("z")
        answers.name_class("z")
        answers.label(6, "w")
        assert answers.undo() == 6
    with Answers(out, 9, "p") as answers:
        assert answers.labels == {3: "x", 4: "x"}
        assert list(answers.skipped) == [5]
        assert answers.checks == {3: False, 4: True}
        assert answers.classes == ["x", "z", "w"]
        assert [answers.undo() for _ in range(4)] == [5, 4, 3, None]
        assert (answers.labels, answers.checks, answers.skipped) == ({}, {}, {})


KILLED = """
import os, pathlib, signal, sys
from metaplastic.labelling import Answers
answers = Answers(pathlib.Path(sys.argv[1]), 9, "p")
for row in range(5):
    answers.label(row, "x")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_process_that_is_killed_loses_nothing(out):
    done = subprocess.run([sys.executable, "-c", KILLED, out], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    with Answers(out, 9, "p") as answers:
        assert sorted(answers.labels) == [0, 1, 2, 3, 4]


def test_a_line_cut_off_is_no_answer(out):
    with Answers(out, 9, "p") as answers:
        answers.label(3, "x")
        answers.label(4, "x")
    content = journal(out).read_bytes()
    journal(out).write_bytes(content[:-4])
    out.unlink()  # It was not written yet either.
    with Answers(out, 9, "p") as answers:
        assert answers.labels == {3: "x"}
        answers.label(5, "y")
    with Answers(out, 9, "p") as answers:
        assert answers.labels == {3: "x", 5: "y"}


def test_labels_of_a_table_are_taken_over(out):
    out.write_text("row,label\n2,7\n4,\n8,1\n")
    with Answers(out, 9, "p", ("1", "7")) as answers:
        assert answers.labels == {2: "7", 8: "1"}
        answers.label(0, "7")
    assert read_row_labels(out, 9).tolist() == [7, -1, 7, -1, -1, -1, -1, -1, 1]


def test_files_are_named_beside_their_labels(out):
    with Answers(out, 2, "p", names=["a/0.png", "b/1.png"]) as answers:
        answers.label(1, "x")
    assert pd.read_csv(out).to_dict("list") == {"row": [1], "label": ["x"], "file": ["b/1.png"]}


def test_a_second_page_is_refused(out):
    with Answers(out, 9, "p"), pytest.raises(InputError, match="open in another page"):
        Answers(out, 9, "p")
    Answers(out, 9, "p").close()


def test_what_something_else_wrote_is_told(out):
    with Answers(out, 9, "p") as answers:
        answers.label(3, "x")
        out.write_text("row,label\n3,y\n")
        with pytest.raises(InputError, match="something else wrote"):
            answers.label(4, "x")
    with pytest.raises(InputError, match=r"is not what labels\.csv\.answers says"):
        Answers(out, 9, "p")
    journal(out).unlink()
    with Answers(out, 9, "p") as answers:
        assert answers.labels == {3: "y"}


@pytest.mark.parametrize(("n_rows", "pool"), [(8, "p"), (9, "q")])
def test_answers_of_other_data_are_refused(out, n_rows, pool):
    Answers(out, 9, "p").close()
    with pytest.raises(InputError, match="belongs to other data"):
        Answers(out, n_rows, pool)


def test_classes_that_do_not_match(out):
    with Answers(out, 9, "p") as answers:
        answers.label(3, "x")
    with pytest.raises(InputError, match="the class 'x', which --classes does not name"):
        Answers(out, 9, "p", ("a", "b"))


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 81, "-1", "nan", None, 3])
def test_names_that_are_none(out, name):
    with Answers(out, 9, "p") as answers, pytest.raises(InputError, match="class"):
        answers.label(0, name)


def test_damage_and_places_that_cannot_be_written(out, tmp_path):
    journal(out).write_text("{\n")
    with pytest.raises(FileFormatError, match="damaged"):
        Answers(out, 9, "p")
    with pytest.raises(InputError, match="cannot write"):
        Answers(tmp_path / "no" / "labels.csv", 9, "p")


def test_lines_are_json(out):
    with Answers(out, 9, "p") as answers:
        answers.label(1, 'é " <b>')
    lines = [json.loads(line) for line in journal(out).read_text("utf-8").splitlines()]
    assert lines == [{"pool": "p", "rows": 9}, {"row": 1, "label": 'é " <b>'}]
