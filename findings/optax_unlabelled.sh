#!/bin/sh
# optax scores a row labelled -1 as one of the last class.
#
# -1 marks unlabelled rows in scikit-learn (and ignored ones elsewhere). In
# `optax.softmax_cross_entropy_with_integer_labels` it counts from the end, as an index of Python does: the
# loss teaches the last class to every unlabelled row, and looks healthy while it does. A label
# that is too large gives NaN, so that only one of the two mistakes is seen.
# The script exits with a status other than zero once an assertion below fails.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 jax==0.10.2 jaxlib==0.10.2 optax==0.2.8
"$folder/venv/bin/python" -I - <<'END'
import jax
import jax.numpy as jnp
import optax

loss = optax.softmax_cross_entropy_with_integer_labels
logits = jnp.array([[1.0, 2.0, 5.0]])
print("optax", optax.__version__, "jax", jax.__version__)
values = {label: float(loss(logits, jnp.array([label]))[0]) for label in (-1, 2, 3)}
for label, value in values.items():
    print(f"loss of a row of 3 classes with label {label}: {value:.4f}")
slope = jax.grad(lambda z: loss(z, jnp.array([-1])).sum())(logits)
print("gradient of the logits with label -1:", slope[0])
assert values[-1] == values[2] and values[3] != values[3] and slope[0, 2] < 0, "this has changed"
END
