#!/bin/sh
# safetensors writes other numbers than it is given for a NumPy array that is a transposed view.
#
# `safetensors.numpy.save` takes the memory of a view as it lies and its shape as it is: the
# file of a transposed matrix, or of every second column, holds its numbers in another
# order, without an error. A weight kept as `w.T`, as between PyTorch (out, in) and JAX (in, out), is
# loaded with the right shape and wrong entries. np.ascontiguousarray before saving mends it.
# The script exits with a status other than zero once an assertion below fails.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 safetensors==0.8.0
"$folder/venv/bin/python" -I - <<'END'
import numpy as np
import safetensors
from safetensors.numpy import load, save

w = np.arange(6, dtype=np.float32).reshape(2, 3)
again = load(save({"transposed": w.T, "columns": w[:, ::2], "copy": np.ascontiguousarray(w.T)}))
print("safetensors", safetensors.__version__)
print("saved:  w.T =", w.T.tolist(), " w[:, ::2] =", w[:, ::2].tolist())
print("loaded: w.T =", again["transposed"].tolist(), " w[:, ::2] =", again["columns"].tolist())
assert np.array_equal(again["copy"], w.T)
assert again["transposed"].shape == w.T.shape and not np.array_equal(again["transposed"], w.T), (
    "this has changed"
)
assert not np.array_equal(again["columns"], w[:, ::2]), "this has changed"
END
