"""`metaplastic suggest`, and labels of a file of their own."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from metaplastic.cli import main
from metaplastic.data.row_labels import read_row_labels, write_row_labels
from metaplastic.errors import FileFormatError

SMALL = ["--rule", "oja", "--hidden-sizes", "6", "--n-components", "3", "--n-steps", "4"]
SMALL += ["--batch-size", "16", "--n-networks", "1"]


@pytest.fixture
def run(capsys):
    def call(*words):
        status = main.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return status, out, err

    return call


def table(path, labels=""):
    y = np.arange(80) % 2
    x = np.random.default_rng(0).normal(size=(80, 6)) + 20 * y[:, None]
    frame = pd.DataFrame(x, columns=list("abcdef"))
    if labels:
        frame["label"] = labels
    frame.to_csv(path, index=False)
    return path


def test_rows_are_written_labelled_and_read_again(run, tmp_path):
    data, rows = table(tmp_path / "t.csv"), tmp_path / "rows.csv"
    status, out, _ = run("suggest", data, "-n", 6, "--out", rows, *SMALL, "--json")
    assert (status, json.loads(out)["suggested"]) == (0, 6)
    frame = pd.read_csv(rows)
    assert list(frame.columns) == ["row", "label"]
    assert {*(frame.row[:2] % 2)} == {0, 1}
    frame["label"] = np.array(["even", "odd"])[frame.row % 2]
    frame.to_csv(rows, index=False)
    status, out, _ = run("data", "check", data, "--labels", rows, "--json")
    assert json.loads(out)["unlabelled rows"] == 74
    more = tmp_path / "more.csv"
    status, out, _ = run(
        "suggest", data, "--labels", rows, "-n", 5, "--out", more, *SMALL, "--json"
    )
    assert (status, json.loads(out)["labelled"]) == (0, 6)
    assert not {*pd.read_csv(more).row} & {*frame.row}
    evaluate = ["--learner", "raw", "--shots", 1, "--draws", 2, "--seeds", 1, "--json"]
    status, out, _ = run("evaluate", data, "--labels", rows, *evaluate)
    assert (status, json.loads(out)[0]["ridge"]) == (0, 100.0)


def test_all_rows_labelled_is_said_before_any_work(run, tmp_path):
    data = table(tmp_path / "t.csv", labels="yes")
    status, _, err = run("suggest", data, "--out", tmp_path / "rows.csv", *SMALL)
    assert status == 2 and "all 80 rows" in err and "--ignore-labels" in err
    assert err.count("\n") == 1
    words = ["--out", tmp_path / "rows.csv", "--ignore-labels", *SMALL]
    assert run("suggest", data, *words)[0] == 0
    assert run("suggest", data, *words)[0] == 2  # the file exists now


def test_images_are_named(run, tmp_path):
    for i in range(20):
        grey = np.full((8, 8), 10 * i, np.uint8)
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(grey).save(tmp_path / "images" / f"{i:02}.png")
    assert run("suggest", tmp_path / "images", "-n", 3, "--out", tmp_path / "r.csv", *SMALL)[0] == 0
    frame = pd.read_csv(tmp_path / "r.csv")
    assert list(frame.file) == [f"{row:02}.png" for row in frame.row]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "found nothing"),
        ("row,kind\n1,a\n", "found row, kind"),
        ("row,label\n9,a\n", "rows are 0 to 4"),
        ("row,label\n-1,a\n", "rows are 0 to 4"),
        ("row,label\n1,a\n1,b\n", "row 1 a second time"),
        ("row,label\n1,a,b\n", "3 cells, the header 2"),
        ('row,label\n0,"x\n1,y\n2,x\n', "the row that begins in line 2 is no row"),
        ('row,label\n0,a\n2,"b"x\n', "the row that begins in line 3 is no row"),
    ],
)
def test_files_that_are_no_labels(tmp_path, content, said):
    path = tmp_path / "labels.csv"
    path.write_text(content)
    with pytest.raises(FileFormatError, match=said):
        read_row_labels(path, 5)


def test_numbers_beside_the_mark_of_no_label_stay_numbers(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("row,label\n0,1\n1,2\n2,-1\n")
    assert read_row_labels(path, 4).tolist() == [1, 2, -1, -1]


@pytest.mark.parametrize(
    ("labels", "kind"), [(["3", "7"], "i"), (["a,b", 'x"y'], "O"), (["1", "a"], "O")]
)
def test_labels_come_back_as_they_were(tmp_path, labels, kind):
    path = tmp_path / "labels.csv"
    path.write_bytes(write_row_labels([4, 0, 2], [*labels, ""]))
    found = read_row_labels(path, 5)
    assert found.dtype.kind == kind
    assert [str(found[4]), str(found[0])] == labels
    assert list(found[[1, 2, 3]]) == [-1, -1, -1]


def test_what_is_read_is_not_overwritten(run, tmp_path):
    data, mine = table(tmp_path / "t.csv"), tmp_path / "mine.csv"
    mine.write_text("row,label\n0,a\n1,b\n")
    before = mine.read_bytes(), data.read_bytes()
    for out in (mine, data):
        words = "suggest", data, "--labels", mine, "-n", 2, "--out", out, "--force", *SMALL
        status, _, err = run(*words)
        assert (status, err.count("\n")) == (2, 1)
        assert "is read by this command" in err
    assert (mine.read_bytes(), data.read_bytes()) == before


def test_a_missing_label_is_told_by_the_row_that_the_file_names(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("row,label\n0,nan\n9,b\n")
    with pytest.raises(FileFormatError, match=r"row 0 \(counted from 0\) has no label"):
        read_row_labels(path, 10)


def test_a_seed_beyond_those_of_numpy_is_refused(run, tmp_path):
    words = "suggest", table(tmp_path / "t.csv"), "--out", tmp_path / "rows.csv", *SMALL
    status, _, err = run(*words, "--seed", 2**32)
    assert status == 2 and "is not below 2**32" in err
