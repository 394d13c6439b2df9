"""Files of the published rule: saved rules, recorded steps, and what is refused in them."""

import json
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest
from safetensors.numpy import load, save

from metaplastic import files
from metaplastic.errors import FileFormatError
from metaplastic.rules import Metz2018, load_rule_file, save_rule
from metaplastic.rules.metz2018.recording import read_recording

RECORDING = Path(__file__).parent / "data" / "metz2018_step.npz"
FIELDS = {"n_top": 4, "learning_rate": 0.5, "equivariant": False}


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a saved rule."""
    path = tmp_path_factory.mktemp("rule") / "r.safetensors"
    save_rule(path, Metz2018.create(key=jax.random.key(0), n_top=4), {"licence": "Apache-2.0"})
    return path.read_bytes()


@pytest.fixture
def rewritten(content, tmp_path):
    """Writes the rule with other arrays (`None` leaves one out) or fields, its checksum right."""

    def write(arrays, fields=FIELDS):
        path = tmp_path / "rule.safetensors"
        tensors = load(content) | arrays
        tensors = {name: array for name, array in tensors.items() if array is not None}
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        text = header["__metadata__"]
        text["fields"] = json.dumps({"class": "Metz2018", "fields": fields})
        text["sha256"] = files._checksum(tensors, text)
        path.write_bytes(save(tensors, metadata=text))
        return path

    return write


@pytest.mark.slow
@pytest.mark.parametrize("equivariant", [False, True], ids=["published", "equivariant"])
def test_saved_and_loaded(equivariant, tmp_path):
    rule = Metz2018.create(key=jax.random.key(1), n_top=4, equivariant=equivariant)
    save_rule(tmp_path / "r.safetensors", rule, {"licence": "Apache-2.0"})
    found, metadata = load_rule_file(tmp_path / "r.safetensors")
    assert eqx.tree_equal(found, rule)
    assert metadata == {"licence": "Apache-2.0"}


def test_a_file_written_again_unchanged_is_a_rule(rewritten):
    rule, _ = load_rule_file(rewritten({}))
    assert isinstance(rule, Metz2018)
    assert (rule.n_top, rule.learning_rate) == (4, 0.5)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"terms.merge_weight": None}, "terms.merge_weight"),
        ({"terms.merge_weight": np.zeros(11, np.float32)}, "terms.merge_weight"),
        ({"terms.merge_weight": np.zeros(12, np.float64)}, "terms.merge_weight"),
        ({"terms.merge_weight": np.full(12, np.nan, np.float32)}, "terms.merge_weight"),
        ({"top.mixing.0.offset": None}, "top.mixing.0.offset"),
        ({"hidden.input_offset": np.zeros(35, np.float32)}, "hidden.input_offset"),
        ({"more": np.zeros(2, np.float32)}, "more"),
    ],
)
def test_wrong_or_missing_arrays_are_refused(rewritten, arrays, message):
    with pytest.raises(FileFormatError, match=message):
        load_rule_file(rewritten(arrays))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_top": 5}, "top.mixing"),
        ({"n_top": 0}, "n_top must be a positive integer"),
        ({"n_top": 10**9}, "n_top"),
        ({"learning_rate": 0.0}, "learning_rate must be in"),
        ({"learning_rate": float("nan")}, "learning_rate must be in"),
        ({"learning_rate": 1}, "learning_rate"),
        ({"equivariant": True}, "top"),
    ],
)
def test_wrong_fields_are_refused(rewritten, change, message):
    with pytest.raises(FileFormatError, match=message):
        load_rule_file(rewritten({}, FIELDS | change))


def damaged(change, tmp_path):
    with np.load(RECORDING) as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    np.savez(tmp_path / "step.npz", **arrays)
    return tmp_path / "step.npz"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("theta/h/conv0/weight"), "missing theta/h/conv0/weight"),
        (lambda a: a.pop("next/forward/bias2"), "missing next/forward/bias2"),
        (lambda a: a.pop("x0"), "needs x0"),
        (lambda a: a.update(extra=np.zeros(3)), "unknown arrays extra"),
        (lambda a: a.update(x0=a["x0"] * np.nan), "x0 holds values that are not finite"),
        (lambda a: a.update({"forward/bias1": np.zeros(3, np.float32)}), r"forward/bias1 must be"),
        (lambda a: a.update(x0=a["x0"].astype(np.float64)), "x0 must be float32"),
        (lambda a: a.update(inner_learning_rate=np.float32(7)), "inner_learning_rate"),
    ],
)
def test_damaged_recordings_are_refused(change, message, tmp_path):
    with pytest.raises(FileFormatError, match=message):
        read_recording(damaged(change, tmp_path))


def test_files_that_are_no_recordings_are_refused(tmp_path):
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_recording(tmp_path / "missing.npz")
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_recording(tmp_path / "text.npz")


@pytest.mark.slow
def test_another_top_layer_than_theta_is_refused(tmp_path):
    def change(arrays):
        for prefix in ("", "next/"):
            for part in ("forward", "backward"):
                key = f"{prefix}{part}/weight4"
                arrays[key] = arrays[key][:, :16]
            arrays[f"{prefix}forward/bias4"] = arrays[f"{prefix}forward/bias4"][:16]

    with pytest.raises(FileFormatError, match="32 units in the top layer of every network, got 16"):
        read_recording(damaged(change, tmp_path))
