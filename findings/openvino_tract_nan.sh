#!/bin/sh
# OpenVINO and tract make numbers of NaN where ONNX Runtime keeps it.
#
# Clip of NaN is the lower bound, and Relu of NaN is 0, in OpenVINO 2026.4 and tract 0.23; ONNX
# Runtime and the evaluator of onnx give NaN. Where a missing value shows as NaN in the output of
# a model, and is looked for there, the same model in another runtime reports a plausible number.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 tract==0.23.9
"$folder/venv/bin/python" -I - <<'END'
import sys
import tempfile
from importlib.metadata import version

import numpy as np
import onnxruntime
import openvino
import tract
from onnx import TensorProto, checker, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

x = np.array([[np.nan, -1.0, 2.0, 9.0]], np.float32)
for package in ("onnx", "onnxruntime", "openvino", "tract"):
    print(package, version(package))
found = {}
for operator, bounds in (("Clip", (-3.0, 3.0)), ("Relu", ())):
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy"]
    constants = [numpy_helper.from_array(np.float32(b), f"b{i}") for i, b in enumerate(bounds)]
    node = helper.make_node(operator, ["x", *(c.name for c in constants)], ["y"])
    graph = helper.make_graph([node], "one", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    core = openvino.Core()
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(content)
        file.flush()
        in_tract = tract.onnx().load(file.name).into_model().into_runnable()
    outputs = {
        "onnx reference": ReferenceEvaluator(model).run(None, {"x": x})[0],
        "onnxruntime": onnxruntime.InferenceSession(content).run(None, {"x": x})[0],
        "openvino": core.compile_model(core.read_model(content), "CPU")(x)[0],
        "tract": in_tract.run([x])[0].to_numpy(),
    }
    for name, y in outputs.items():
        print(f"{operator} of {x[0]} in {name}: {np.asarray(y)[0]}")
        found[operator, name] = float(np.asarray(y)[0, 0])
for operator, number in (("Clip", -3.0), ("Relu", 0.0)):
    for name in ("onnx reference", "onnxruntime"):
        assert np.isnan(found[operator, name]), "this has changed"
    for name in ("openvino", "tract"):
        assert found[operator, name] == number, "this has changed"
sys.exit(0)
END
