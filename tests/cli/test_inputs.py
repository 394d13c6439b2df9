"""DATA on the command line: options of reading, what is assumed, and that the commands agree."""

import json

import numpy as np
import pytest

import field_forms
from metaplastic.cli import main


@pytest.fixture
def run(capsys):
    def call(*words):
        status = main.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return status, out, err

    return call


SMALL = ["--hidden-sizes", "6", "--n-components", "3", "--n-steps", "4", "--batch-size", "16"]
EVALUATE = ["--learner", "raw", "--shots", 5, "--draws", 3, "--seeds", 1, "--json"]


@pytest.mark.parametrize("kind", ["numbers", "words", "signs"])
@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_check_evaluate_and_fit_agree_on_labels(run, tmp_path, kind, suffix):
    y = np.arange(80) % 2
    x = np.random.default_rng(0).normal(size=(80, 6)) + 20 * y[:, None]
    hidden = np.arange(80) % 4 < 2
    labels = {
        "numbers": np.where(hidden, -1, y),
        "words": np.where(hidden, "-1", np.array(["ant", "bee"])[y]),
        "signs": 2 * y - 1,
    }[kind]
    path = tmp_path / f"u{suffix}"
    if suffix == ".npz":
        np.savez(path, X=x, y=labels)
    else:
        rows = [
            ",".join([*map(repr, map(float, row)), str(label)])
            for row, label in zip(x, labels, strict=True)
        ]
        path.write_text("a,b,c,d,e,f,label\n" + "\n".join(rows))
    status, out, _ = run("data", "check", path, "--json")
    found = json.loads(out)
    assert status == 0
    assert (found["rows"], found["columns"], found["classes"]) == (80, 6, 2)
    assert found["unlabelled rows"] == (0 if kind == "signs" else 40)
    status, out, _ = run("evaluate", path, *EVALUATE)
    assert (status, json.loads(out)[0]["ridge"]) == (0, 100.0)
    encoder = tmp_path / "e.safetensors"
    status, out, _ = run("fit", path, "--rule", "oja", "--out", encoder, *SMALL, "--json")
    assert status == 0
    assert (json.loads(out)["rows"], json.loads(out)["columns"]) == (80, 6)


def test_what_is_assumed_is_said(run, tmp_path):
    path = field_forms.emnist(tmp_path)
    found = json.loads(run("data", "check", path, "--json")[1])
    assert any("--transpose" in remark for remark in found["remarks"])
    found = json.loads(run("data", "check", path, "--transpose", "--json")[1])
    assert not any("--transpose" in remark for remark in found["remarks"])
    err = run("evaluate", field_forms.ucr(tmp_path), *EVALUATE)[2]
    assert "labels: the first column, as files of the UCR archive have it" in err


def test_options_reach_the_reader(run, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("0;1\n1,5;2\n2,5;3\n")
    check = ["data", "check", table, "--json"]
    assert "--decimal" in run(*check)[2]
    found = json.loads(run(*check, "--decimal", ",", "--header")[1])
    assert (found["rows"], found["largest"]) == (2, 3.0)
    assert json.loads(run(*check, "--decimal", ",", "--no-header")[1])["rows"] == 3


@pytest.mark.parametrize(
    "words",
    [["iris", "--header"], ["iris", "--no-header"], ["hf:some/thing", "--transpose"]],
)
def test_options_of_files_do_not_go_with_names(run, words):
    status, _, err = run("data", "check", *words)
    assert status == 2
    assert "go with files, not" in err
