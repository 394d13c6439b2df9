"""Plain arrays, and the lines of docs/export.md that apply them."""

import ast
import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from metaplastic.errors import FileFormatError, InputError
from metaplastic.export import export_arrays, export_onnx
from metaplastic.models import ACTIVATIONS, DirectSettings, load_encoder, with_direct

DOCUMENT = Path(__file__).parents[2] / "docs" / "export.md"


def code(info: str) -> str:
    """The lines of the document's blocks that are fenced as `info`."""
    fence = rf"^```{re.escape(info)}\n(.*?)^```"
    return "".join(re.findall(fence, DOCUMENT.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def features() -> Any:
    names: dict[str, Any] = {}
    exec(code("python"), names)
    return names["features"]


def test_the_documents_lines_import_nothing_of_this_package():
    nodes = list(ast.walk(ast.parse(code("python"))))
    modules = {each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}
    modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert modules == {"json", "numpy", "safetensors"}


@pytest.mark.slow
@pytest.mark.parametrize("readout", ["drive", "post"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_documents_lines_compute_the_encoders_features(
    features, make_encoder, digits, assert_same, tmp_path: Path, activation, readout
):
    encoder = make_encoder(activation, readout)
    path = tmp_path / "arrays.safetensors"
    export_arrays(path, encoder, {})
    for x in (digits, digits.astype(np.float32), 100 - 9 * digits):
        assert_same(features(x, path), encoder(x), activation)


def test_nonlinearities_out_of_order_are_refused(make_several):
    for names in (("relu", "tanh", "relu"), ("relu", "relu", "tanh")):
        with pytest.raises(InputError, match="in a row"):
            make_several(*names)


def test_several_nonlinearities_share_the_units(
    features, make_several, digits, assert_same, tmp_path: Path
):
    encoder = make_several("relu", "tanh", "sine")
    export_arrays(tmp_path / "arrays.safetensors", encoder, {})
    found = features(digits, tmp_path / "arrays.safetensors")
    assert_same(found, encoder(digits), encoder.activation)


@pytest.mark.parametrize("n_direct", [9, 64])
def test_direct_features_come_first(
    features, make_encoder, digits, assert_same, tmp_path: Path, n_direct
):
    encoder = with_direct(make_encoder(), n_direct, digits, DirectSettings(), seed=0)
    path = tmp_path / "arrays.safetensors"
    export_arrays(path, encoder, {})
    assert_same(features(digits, path), encoder(digits), "relu")


def test_the_clip_is_the_encoders(features, make_encoder, digits, assert_same, tmp_path: Path):
    encoder = dataclasses.replace(make_encoder(), clip=np.float32(0.5))
    path = tmp_path / "arrays.safetensors"
    export_arrays(path, encoder, {})
    assert load_file(path)["clip"] == np.float32(0.5)
    assert_same(features(digits, path), encoder(digits), "relu")
    assert not np.allclose(encoder(digits), make_encoder()(digits))


def test_the_documents_lines_for_onnx_compute_them_too(
    make_encoder, digits, assert_same, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    encoder = make_encoder()
    export_onnx(tmp_path / "encoder.onnx", encoder, {})
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"rows": digits}
    exec(code("python no-run"), names)
    assert_same(names["features"], encoder(digits), "relu")


def test_names_shapes_and_types(make_encoder, tmp_path: Path):
    path = tmp_path / "arrays.safetensors"
    export_arrays(path, make_encoder(), {"rule": "oja"})
    arrays = load_file(path)
    assert {name: array.shape for name, array in arrays.items()} == {
        "shift": (64,),
        "scale": (64,),
        "clip": (),
        "gain": (),
        "weight_0": (64, 9),
        "bias_0": (9,),
        "weight_1": (9, 7),
        "bias_1": (7,),
        "weight_2": (7, 5),
        "bias_2": (5,),
    }
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    assert arrays["clip"] == np.float32(3.0)


def test_arrays_are_no_encoder_and_the_error_says_so(make_encoder, tmp_path: Path):
    path = tmp_path / "arrays.safetensors"
    export_arrays(path, make_encoder(), {})
    with pytest.raises(FileFormatError, match="'metaplastic-encoder', found 'metaplastic-arrays'"):
        load_encoder(path)


def test_metadata_that_json_cannot_hold_is_refused(make_encoder, tmp_path: Path):
    with pytest.raises(InputError, match="plain JSON"):
        export_arrays(tmp_path / "arrays.safetensors", make_encoder(), {"rule": object()})
    assert not list(tmp_path.iterdir())


def test_preparations_are_exported(features, prepared, assert_same, tmp_path: Path):
    path = tmp_path / "arrays.safetensors"
    for encoder, x in prepared:
        export_arrays(path, encoder, {})
        assert_same(features(x, path), encoder(x), "relu")
