"""export on a tiny encoder."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file

from metaplastic.cli import main
from metaplastic.models import FrozenMLP, save_encoder


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main.main([str(word) for word in words])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with an encoder and what is none."""
    monkeypatch.chdir(tmp_path)
    ones = np.ones((4, 3), np.float32)
    column, one = ones[:, 0], np.float32(1)
    encoder = FrozenMLP(column, column, one, one, (ones,), (ones[0],), "tanh", "drive")
    save_encoder("encoder.safetensors", encoder, {"rule": "oja", "seed": 0})
    Path("table.csv").write_text("a,b\n1,2\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        (["--out", "new.onnx"], "onnx"),
        (["--out", "new.safetensors"], "numpy"),
        (["--out", "new.bin", "--format", "onnx"], "onnx"),
        (["--out", "new", "--format", "numpy"], "numpy"),
    ],
)
def test_the_ending_or_the_option_says_what_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], chosen: str
):
    status, text, err = run(capsys, "export", "encoder.safetensors", *words, "--json")
    assert (status, err) == (0, "")
    found = {"format": chosen, "columns": 4, "features": 3, "activation": "tanh", "out": words[1]}
    assert json.loads(text) == found
    if chosen == "onnx":
        properties = {each.key: each.value for each in onnx.load(words[1]).metadata_props}
        assert json.loads(properties["provenance"]) == {"rule": "oja", "seed": 0}
    else:
        assert load_file(words[1])["weight_0"].shape == (4, 3)
    status, text, _ = run(capsys, "export", "encoder.safetensors", *words, "--force")
    assert (status, text.splitlines()[0]) == (0, f"format: {chosen}")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["encoder.safetensors", "--out", "new.pt"], "end it in .onnx or .safetensors"),
        (["encoder.safetensors", "--out", "new.onnx", "--format", "torch"], "invalid choice"),
        (["encoder.safetensors", "--out", "nowhere/new.onnx"], "does not exist"),
        (["encoder.safetensors", "--out", "encoder.safetensors"], "is read by this command"),
        (["encoder.safetensors", "--out", "encoder.safetensors", "--force"], "is read by this"),
        (["encoder.safetensors"], "--out"),
        (["missing.safetensors", "--out", "new.onnx"], "cannot read missing.safetensors"),
        (["table.csv", "--out", "new.onnx"], "not a safetensors file"),
    ],
)
def test_bad_input_is_status_2_in_one_line_and_writes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    status, out, err = run(capsys, "export", *words)
    assert (status, out) == (2, "")
    assert err.startswith("metaplastic") and err.count("\n") == 1
    assert says in err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_without_onnx_the_error_names_the_extra_and_arrays_still_work(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "onnx", None)
    status, out, err = run(capsys, "export", "encoder.safetensors", "--out", "new.onnx")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "pip install 'metaplastic[onnx]'" in err
    assert not (folder / "new.onnx").exists()
    assert run(capsys, "export", "encoder.safetensors", "--out", "new.safetensors")[0] == 0
