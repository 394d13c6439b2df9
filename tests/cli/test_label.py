"""`metaplastic label` before its page: how rows look, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from metaplastic.cli import label
from metaplastic.cli.inputs import load
from metaplastic.cli.main import build_parser, main
from metaplastic.labelling import Cells, Pictures, Texts
from metaplastic.labelling.server import open_address


def looks_of(*words):
    args = build_parser().parse_args(["label", *map(str, words), "--out", "labels.csv"])
    return label._looks(args, load(args), args.image_size)


def test_rows_look_as_what_they_are(tmp_path):
    (tmp_path / "images").mkdir()
    for i in range(3):
        Image.new("L", (8, 8), 50 * i).save(tmp_path / "images" / f"{i}.png")
    found, names = looks_of(tmp_path / "images")
    assert isinstance(found, Pictures) and names == ["0.png", "1.png", "2.png"]
    (tmp_path / "texts").mkdir()
    for i in range(3):
        (tmp_path / "texts" / f"{i}.txt").write_text(f"text number {i}")
    found, names = looks_of(tmp_path / "texts")
    assert found.describe(1)["text"] == "text number 1" and names[1] == "1.txt"
    table = tmp_path / "t.csv"
    pd.DataFrame({"text": ["good one", "bad, one"], "n": [1, 2]}).to_csv(table, index=False)
    found, names = looks_of(table, "--text", "text")
    assert isinstance(found, Texts) and names is None
    assert found.describe(1)["text"] == "bad, one"
    pd.DataFrame(np.arange(8.0).reshape(2, 4), columns=list("abcd")).to_csv(table, index=False)
    found, _ = looks_of(table)
    assert isinstance(found, Cells) and found.describe(0)["cells"][3]["name"] == "d"
    assert isinstance(looks_of(table, "--images")[0], Pictures)


@pytest.fixture
def table(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 6)), columns=list("abcdef"))
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "labels.npz"], "ending in .csv"),
        (["--out", "no/labels.csv"], "does not exist"),
        (["--labels", "t.csv"], "goes on with the file of --out"),
        (["--classes", "a,nan"], "cannot be called 'nan'"),
        (["--images"], "rows of 6 numbers are no images"),
        (["--out", "t.csv"], "is read by this command"),
    ],
)
def test_bad_input_is_one_line(table, capsys, monkeypatch, words, said):
    monkeypatch.chdir(table.parent)
    out = [] if "--out" in words else ["--out", "labels.csv"]
    assert main(["label", "t.csv", "--no-browser", *out, *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.startswith("metaplastic:") and err.count("\n") == 1


def test_a_port_in_use_and_rows_that_all_have_labels(table, capsys):
    out = table.with_name("labels.csv")
    with open_address().listening as other:
        other.listen(1)
        port = str(other.getsockname()[1])
        assert main(["label", str(table), "--out", str(out), "--port", port]) == 2
    assert f"port {port} cannot be used" in capsys.readouterr().err
    assert not out.exists()
    out.write_text("row,label\n" + "".join(f"{row},a\n" for row in range(20)))
    small = ["--rule", "oja", "--hidden-sizes", "6", "--n-components", "3", "--n-steps", "4"]
    small += ["--batch-size", "16", "--n-networks", "1"]
    assert main(["label", str(table), "--out", str(out), *small]) == 2
    assert "all 20 rows have a label" in capsys.readouterr().err
