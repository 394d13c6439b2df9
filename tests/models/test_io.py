"""Encoders in files."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.datasets import load_wine

from fuzz import damaged
from metaplastic import files
from metaplastic.errors import FileFormatError, InputError
from metaplastic.models import (
    DirectSettings,
    FrozenMLP,
    PreparationSettings,
    fit_preparation,
    load_encoder,
    save_encoder,
    with_direct,
)
from metaplastic.models.preparation import CountWeights
from metaplastic.rules import load_rule


@pytest.fixture
def encoder() -> FrozenMLP:
    generator = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return generator.normal(size=shape).astype(np.float32)

    weights, biases = (draw(5, 4), draw(4, 3)), (draw(4), draw(3))
    clip, gain = np.float32(3), np.float32(0.5)
    return FrozenMLP(draw(5), draw(5), clip, gain, weights, biases, "gelu", "drive")


@pytest.fixture
def saved(tmp_path: Path, encoder: FrozenMLP) -> Path:
    path = tmp_path / "encoder.safetensors"
    save_encoder(path, encoder, {"rule": "oja"})
    return path


def rewrite(path: Path, tensors: dict, fields: dict, without: str = "") -> None:
    """Change the file, leave out one of its arrays, and make its checksum fit."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        text = dict(file.metadata())
    found = load(path.read_bytes()) | tensors
    found.pop(without, None)
    text["fields"] = json.dumps(json.loads(text["fields"]) | fields)
    text["sha256"] = files._checksum(found, text)
    path.write_bytes(save(found, metadata=text))


def test_loaded_encoder_computes_the_same_features(saved: Path, encoder: FrozenMLP):
    found, metadata = load_encoder(saved)
    x = np.random.default_rng(1).normal(size=(7, 5))
    np.testing.assert_array_equal(found(x), encoder(x))
    assert metadata == {"rule": "oja"}
    assert (found.activation, found.readout) == ("gelu", "drive")
    assert (found.n_features_in, found.n_features_out) == (5, 3)


@pytest.fixture
def prepared(encoder: FrozenMLP) -> FrozenMLP:
    x = np.exp(2 * np.random.default_rng(3).normal(size=(100, 5))).astype(np.float32)
    made = fit_preparation(x, PreparationSettings(tail=2.5, quantiles=4))
    return dataclasses.replace(encoder, preparation=made)


def test_preparations_come_back(tmp_path: Path, prepared: FrozenMLP):
    some = np.ones(3, np.float32), np.eye(3, 5, dtype=np.float32), np.full(5, 0.1, np.float32)
    counts = CountWeights(*some)
    for each, width in ((prepared, 5), (dataclasses.replace(prepared, preparation=counts), 3)):
        save_encoder(tmp_path / "prepared.safetensors", each, {})
        found, _ = load_encoder(tmp_path / "prepared.safetensors")
        x = np.random.default_rng(1).random(size=(7, width))
        assert found.n_features_in == width
        np.testing.assert_array_equal(found(x), each(x))


def test_damaged_preparations_are_refused(tmp_path: Path, prepared: FrozenMLP):
    path = tmp_path / "prepared.safetensors"
    knots = "preparation.knots"
    for fields, tensors, without, message in (
        ({"preparation": "guess"}, {}, "", "unknown preparation"),
        ({"preparation": "counts"}, {}, "", "missing"),
        ({"preparation": None}, {}, "", "unexpected"),
        ({}, {knots: np.ones((1, 1), np.float32)}, "", "do not fit"),
        ({}, {"preparation.width": np.asarray(9, np.float32)}, "", "does not fit its first"),
        ({}, {}, knots, "missing"),
    ):
        save_encoder(path, prepared, {})
        rewrite(path, tensors, fields, without)
        with pytest.raises(FileFormatError, match=message):
            load_encoder(path)


def test_direct_connections_come_back(tmp_path: Path, encoder: FrozenMLP):
    x = np.random.default_rng(1).normal(size=(7, 5))
    both = with_direct(encoder, 2, x, DirectSettings(), seed=0)
    save_encoder(tmp_path / "both", both, {})
    found, _ = load_encoder(tmp_path / "both")
    assert found.n_features_out == 5
    np.testing.assert_array_equal(found(x), both(x))
    np.testing.assert_array_equal(found(x)[:, 2:], encoder(x))


@pytest.mark.parametrize("n_direct", [-1, 2, 6, True, "all"])
def test_direct_connections_that_do_not_fit_are_refused(saved: Path, n_direct):
    rewrite(saved, {}, {"direct": n_direct})
    with pytest.raises(FileFormatError, match="direct"):
        load_encoder(saved)


@pytest.mark.parametrize("networks", [1, 2, 4])
def test_the_number_of_networks_comes_back(tmp_path: Path, encoder: FrozenMLP, networks: int):
    dense = np.zeros((4, 4), np.float32)
    for i in range(networks):
        block = slice(i * 4 // networks, (i + 1) * 4 // networks)
        dense[block, block] = np.random.default_rng(i).normal(size=(4 // networks,) * 2)
    wide = dataclasses.replace(
        encoder,
        weights=(encoder.weights[0], dense[:, :3].copy()),
        n_networks=networks,
    )
    save_encoder(tmp_path / "several", wide, {})
    found, _ = load_encoder(tmp_path / "several")
    assert found.n_networks == networks
    x = np.random.default_rng(1).normal(size=(7, 5))
    np.testing.assert_array_equal(found(x), wide(x))
    # Without the field, as in files of version 0.1, they count as one: another order of sums.
    rewrite(tmp_path / "several", {}, {"networks": 1})
    np.testing.assert_allclose(load_encoder(tmp_path / "several")[0](x), wide(x), rtol=1e-5)


def test_an_encoder_file_of_version_0_1_gives_its_features():
    folder = Path(__file__).parents[1] / "pins" / "files"
    found, _ = load_encoder(folder / "encoder-0.1.safetensors")
    assert found.n_networks == 1
    expected = np.load(folder / "encoder-0.1.npy")
    x = load_wine().data[:5]
    np.testing.assert_allclose(found(x), expected, atol=1e-5)


def test_an_encoder_keeps_the_clip_it_was_made_with(tmp_path: Path, encoder: FrozenMLP):
    unusual = dataclasses.replace(encoder, clip=np.float32(1.5))
    save_encoder(tmp_path / "unusual", unusual, {})
    found, _ = load_encoder(tmp_path / "unusual")
    assert found.clip == np.float32(1.5)
    x = 9 * np.random.default_rng(1).normal(size=(7, 5))
    np.testing.assert_array_equal(found(x), unusual(x))
    assert not np.allclose(found(x), encoder(x))
    presented = np.clip((np.float32(x) - found.shift) * found.scale, -1.5, 1.5) * found.gain
    np.testing.assert_allclose(found.layer_outputs(x, 0), presented, rtol=1e-6)


def test_a_file_without_clip_is_refused(saved: Path):
    rewrite(saved, {}, {}, without="clip")
    with pytest.raises(FileFormatError, match=r"tensors do not fit: missing \['clip'\]"):
        load_encoder(saved)


@pytest.mark.parametrize("clip", [0.0, -3.0])
def test_a_clip_that_is_not_positive_is_refused(saved: Path, clip: float):
    rewrite(saved, {"clip": np.array(clip, np.float32)}, {})
    with pytest.raises(FileFormatError, match=f"clip must be positive, found {clip}"):
        load_encoder(saved)


def test_an_encoder_is_no_rule(saved: Path):
    with pytest.raises(FileFormatError, match="expected a rule or a preset"):
        load_rule(saved)


def test_weights_that_are_not_finite_are_not_saved(saved: Path, encoder: FrozenMLP):
    encoder.biases[1][2] = np.inf
    with pytest.raises(InputError, match=r"biases\.1 holds NaN or infinity"):
        save_encoder(saved.with_name("other"), encoder, {})


@pytest.mark.parametrize(
    "fields",
    [
        {"sizes": [5, 4]},
        {"sizes": [5, 4, 3, 2]},
        {"sizes": [5, 4, 0]},
        {"sizes": [5, 4, True]},
        {"sizes": [5, 4, 10**18]},
        {"sizes": [5] * 5000},
        {"sizes": "5,4,3"},
        {"activation": "cosh"},
        {"activation": ["relu"]},
        {"activation": "gelu+gelu"},
        {"activation": "gelu+relu+tanh"},
        {"activation": "+"},
        {"readout": "pre"},
        {"networks": 0},
        {"networks": 3},
        {"networks": True},
        {"networks": "2"},
        {"networks": 1 << 40},
    ],
)
def test_wrong_descriptions_are_refused(saved: Path, fields: dict):
    rewrite(saved, {}, fields)
    with pytest.raises(FileFormatError, match=saved.name):
        load_encoder(saved)


@pytest.mark.parametrize(
    "tensors",
    [
        {"gain": np.zeros(1, np.float32)},
        {"weights.0": np.zeros((4, 5), np.float32)},
        {"weights.1": np.zeros((4, 3), np.float16)},
        {"biases.0": np.full(4, np.nan, np.float32)},
        {"weights.2": np.zeros((3, 3), np.float32)},
    ],
)
def test_wrong_arrays_are_refused(saved: Path, tensors: dict):
    rewrite(saved, tensors, {})
    with pytest.raises(FileFormatError, match=saved.name):
        load_encoder(saved)


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.99])
def test_truncated_files_are_refused(saved: Path, keep: float):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(keep if keep >= 1 else keep * len(content))])
    with pytest.raises(FileFormatError, match=saved.name):
        load_encoder(saved)


def test_damaged_files_are_refused_or_equal(saved: Path, encoder: FrozenMLP):
    x = np.random.default_rng(1).normal(size=(7, 5))
    expected, refused = encoder(x), 0
    for how in damaged(saved, 800, seed=1):
        try:
            found, _ = load_encoder(saved)
        except FileFormatError as error:
            refused += 1
            assert str(saved) in str(error)
            assert "\n" not in str(error)
        else:
            features = found(x)
            assert np.all(np.isfinite(features))
            if how == "mutate":
                np.testing.assert_array_equal(features, expected)
    assert refused > 650
