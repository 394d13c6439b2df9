#!/bin/sh
# jax.random.choice without replacement draws entries whose probability is 0.
#
# Asked for more entries than have a probability above 0, NumPy raises an error; JAX fills up with
# entries that must never come. Where probabilities mask rows out (test rows, unlabelled rows, padding),
# a batch silently holds rows of the mask.
# The script exits with a status other than zero once an assertion below fails.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 jax==0.10.2 jaxlib==0.10.2
"$folder/venv/bin/python" -I - <<'END'
import jax
import jax.numpy as jnp
import numpy as np

print("jax", jax.__version__, "numpy", np.__version__)
p = np.array([0.5, 0.5, 0.0, 0.0])
try:
    print("NumPy:", np.random.default_rng(0).choice(4, 3, replace=False, p=p))
    raised = False
except ValueError as error:
    print("NumPy:", error)
    raised = True
found = [
    np.asarray(jax.random.choice(jax.random.key(seed), 4, (3,), replace=False, p=jnp.array(p)))
    for seed in range(5)
]
print("JAX:", found)
assert raised and all(np.any(p[rows] == 0) for rows in found), "this has changed"
END
