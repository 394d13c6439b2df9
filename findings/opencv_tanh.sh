#!/bin/sh
# OpenCV 5.0 computes Tanh of large numbers as NaN, but only in some places of an array.
#
# The dnn module reads an ONNX model of one Tanh. From about 44 upwards its values are NaN, where 1 is
# right; the last entries of an array, which are computed one by one, are right. A network whose
# tanh units are far in saturation, or a Gelu spelt out with Tanh, gives NaN in OpenCV alone, and
# whether it does depends on the number of rows.
# The script exits with a status other than zero once an assertion below fails.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 opencv-python-headless==5.0.0.93
"$folder/venv/bin/python" -I - <<'END'
import cv2
import numpy as np
from onnx import TensorProto, checker, helper

x = np.full((1, 17), 50.0, np.float32)
ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 17]) for n in "xy"]
graph = helper.make_graph([helper.make_node("Tanh", ["x"], ["y"])], "one", ends[:1], ends[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
checker.check_model(model, full_check=True)
net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
net.setInput(x)
found = net.forward().ravel()
print("opencv", cv2.__version__)
print("NumPy:  tanh(50) =", np.tanh(x).ravel())
print("OpenCV: tanh(50) =", found)
assert np.isnan(found[0]) and found[-1] == 1.0, "this has changed"
END
