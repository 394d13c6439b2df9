#!/bin/sh
# OpenCV 5.0 computes the exact Gelu where an ONNX model asks for the tanh form.
#
# Gelu of opset 20 has the attribute approximate="tanh". The importer takes the model without a
# word and computes x (1 + erf(x / sqrt 2)) / 2. The difference is up to 5e-4 a unit, far above
# rounding, so that a model which was trained with the tanh form (as GPT-2 and what
# jax.nn.gelu gives by default) is another model in OpenCV.
# The script exits with a status other than zero once an assertion below fails.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 opencv-python-headless==5.0.0.93
"$folder/venv/bin/python" -I - <<'END'
import math

import cv2
import numpy as np
from onnx import TensorProto, checker, helper
from onnx.reference import ReferenceEvaluator

x = np.linspace(-3, 3, 601, dtype=np.float32)[None]
ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 601]) for n in "xy"]
node = helper.make_node("Gelu", ["x"], ["y"], approximate="tanh")
graph = helper.make_graph([node], "one", ends[:1], ends[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
checker.check_model(model, full_check=True)
net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
net.setInput(x)
found = net.forward()
tanh_form = ReferenceEvaluator(model).run(None, {"x": x})[0]
exact = np.array([[0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x[0].tolist()]])
print("opencv", cv2.__version__)
print(f"largest difference from the tanh form that is asked for: {abs(found - tanh_form).max():.1e}")
print(f"largest difference from the exact form:                  {abs(found - exact).max():.1e}")
assert abs(found - exact).max() < 1e-5 < 1e-4 < abs(found - tanh_form).max(), "this has changed"
END
