"""ONNX models compute what the encoder computes."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from sklearn.datasets import load_digits

import metaplastic
from metaplastic.cli.main import main
from metaplastic.errors import InputError, MissingDataError
from metaplastic.export import OPSET, export_onnx, onnx_model
from metaplastic.models import ACTIVATIONS, DirectSettings, load_encoder, with_direct


def documented_lines() -> str:
    """The lines of docs/export.md that apply plain arrays."""
    text = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    return "".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (features,) = session.run(["features"], {"x": x.astype(np.float32)})
    return np.asarray(features)


def test_several_nonlinearities_share_the_units(make_several, digits, assert_same):
    encoder = make_several("relu", "tanh", "sine")
    assert_same(run(onnx_model(encoder, {}), digits), encoder(digits), encoder.activation)


def test_preparations_are_exported(prepared, assert_same):
    for encoder, x in prepared:
        model = onnx_model(encoder, {})
        assert_same(run(model, x), encoder(x), "relu")
        x = x.copy()
        x[3, 1] = np.nan
        assert np.isnan(run(model, x)).any(axis=1).tolist() == (np.arange(300) == 3).tolist()


@pytest.mark.parametrize("readout", ["drive", "post"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_features_are_the_encoders(make_encoder, digits, assert_same, activation, readout):
    encoder = make_encoder(activation, readout)
    features = run(onnx_model(encoder, {}), digits)
    assert features.dtype == np.float32
    assert_same(features, encoder(digits), activation)


def test_inputs_out_of_range_are_clipped_alike(make_encoder, digits, assert_same):
    encoder = make_encoder()
    assert_same(run(onnx_model(encoder, {}), 100 - 9 * digits), encoder(100 - 9 * digits), "relu")


def test_the_clip_is_the_encoders(make_encoder, digits, assert_same):
    encoder = dataclasses.replace(make_encoder(), clip=np.float32(0.5))
    assert_same(run(onnx_model(encoder, {}), digits), encoder(digits), "relu")


@pytest.mark.parametrize("n_direct", [9, 64])
def test_direct_features_come_first(make_encoder, digits, assert_same, n_direct):
    encoder = with_direct(make_encoder(), n_direct, digits, DirectSettings(), seed=0)
    assert_same(run(onnx_model(encoder, {}), digits), encoder(digits), "relu")


def in_torch(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    torch, onnx2torch = (pytest.importorskip(name) for name in ("torch", "onnx2torch"))
    with torch.no_grad():
        return onnx2torch.convert(model)(torch.from_numpy(x.astype(np.float32))).numpy()


def in_openvino(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    openvino = pytest.importorskip("openvino")
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    read = openvino.Core().read_model(model.SerializeToString())
    return openvino.Core().compile_model(read, "CPU", hint)(x.astype(np.float32))[0]


def in_the_reference(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    from onnx.reference import ReferenceEvaluator

    with np.errstate(invalid="ignore"):  # its softplus warns of NaN
        found: Any = ReferenceEvaluator(model).run(None, {"x": x.astype(np.float32)})
    return found[0]


@pytest.mark.parametrize("there", [run, in_the_reference, in_torch, in_openvino])
def test_runtimes_agree_and_keep_nan(make_encoder, make_several, digits, assert_same, there):
    x = digits[:20].copy()
    x[7, 20] = np.nan
    rest = np.arange(20) != 7
    encoders = [make_encoder(name, "post") for name in ACTIVATIONS]
    encoders.append(make_several("relu", "tanh", "sine"))
    encoders.append(with_direct(make_encoder(), 9, digits, DirectSettings(), seed=0))
    for encoder in encoders:
        found = there(onnx_model(encoder, {}), x)
        assert np.isnan(found[7]).all()
        assert_same(found[rest], encoder(x[rest]), encoder.activation)


def test_infinite_inputs_are_not_clipped_to_a_number(make_encoder, digits):
    x = digits[:3].copy()
    x[1, 20] = np.inf
    assert np.isnan(run(onnx_model(make_encoder(), {}), x)).all(axis=1).tolist() == [
        False,
        True,
        False,
    ]


def test_operators_are_old_and_plain(make_encoder, make_several, digits):
    used = set()
    encoders = [make_encoder(name, "post") for name in ACTIVATIONS]
    encoders += [
        make_several("relu", "tanh"),
        with_direct(make_encoder(), 9, digits, DirectSettings(), seed=0),
    ]
    for encoder in encoders:
        model = onnx_model(encoder, {})
        assert model.ir_version == 4 and model.opset_import[0].version == 9
        used |= {node.op_type for node in model.graph.node}
    # Of the first versions of ONNX all; Sign is what needs opset 9.
    arithmetic = {"Sub", "Mul", "Add", "MatMul", "Clip", "Concat"}
    assert used == arithmetic | {
        *("Relu", "LeakyRelu", "Elu", "Sigmoid", "Softplus", "Tanh", "Sin", "Sign")
    }


@pytest.mark.slow
def test_any_number_of_rows_and_layers(make_encoder, digits, assert_same):
    for sizes in ((64, 3), (64, 1, 1, 1, 2)):
        encoder = make_encoder(sizes=sizes)
        model = onnx_model(encoder, {})
        for n in (1, 17):
            assert_same(run(model, digits[:n]), encoder(digits[:n]), "relu")


def test_the_file_says_what_it_is(make_encoder, tmp_path: Path):
    path = tmp_path / "encoder.onnx"
    export_onnx(path, make_encoder("gelu"), {"rule": "oja", "seed": 3})
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert (model.producer_name, model.producer_version) == ("metaplastic", metaplastic.__version__)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]
    properties = {each.key: each.value for each in model.metadata_props}
    assert json.loads(properties.pop("provenance")) == {"rule": "oja", "seed": 3}
    assert properties == {"activation": "gelu", "readout": "drive"}
    for value, name, columns in (
        (model.graph.input[0], "x", 64),
        (model.graph.output[0], "features", 5),
    ):
        rows, second = value.type.tensor_type.shape.dim
        assert (value.name, rows.dim_param, second.dim_value) == (name, "N", columns)
    again = onnx_model(make_encoder("gelu"), {"seed": 3, "rule": "oja"})
    assert path.read_bytes() == again.SerializeToString()


def test_metadata_that_json_cannot_hold_is_refused(make_encoder, tmp_path: Path):
    with pytest.raises(InputError, match="plain JSON"):
        export_onnx(tmp_path / "encoder.onnx", make_encoder(), {"rule": object()})
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_error_names_the_extra(make_encoder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDataError, match=r"pip install 'metaplastic\[onnx\]'"):
        onnx_model(make_encoder(), {})


@pytest.mark.slow
def test_onnx_is_imported_only_when_used():
    probe = "import sys\nimport metaplastic.export\nassert 'onnx' not in sys.modules"
    subprocess.run([sys.executable, "-c", probe], check=True)


@pytest.mark.slow
def test_a_trained_encoder_leaves_home_in_both_forms(tmp_path: Path, monkeypatch):
    """The default rule and shape on real digits, through the command line, as users do it."""
    monkeypatch.chdir(tmp_path)
    x = load_digits().data
    steps = ["--n-steps", "20"]
    assert main(["fit", "digits", "--out", "encoder.safetensors", *steps]) == 0
    for name in ("encoder.onnx", "arrays.safetensors"):
        assert main(["export", "encoder.safetensors", "--out", name]) == 0
    # `metaplastic` scales digits to [0, 1].
    features = load_encoder("encoder.safetensors")[0](x / 16)
    assert np.std(features) > 0.5
    found = run(onnx.load("encoder.onnx"), x / 16)
    np.testing.assert_allclose(found, features, atol=1e-5, rtol=1e-5)
    names: dict = {}
    exec(documented_lines(), names)
    found = names["features"](np.float32(x / 16), "arrays.safetensors")
    np.testing.assert_allclose(found, features, atol=1e-5, rtol=1e-5)
