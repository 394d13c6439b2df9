#!/bin/sh
# On a CPU, the k-th largest entry of every row takes JAX far longer than all k of them.
#
# `jax.lax.top_k(x, k)` is compiled to a selection. Taking one column of its values, as a graph with
# locally scaled distances does, makes XLA sort whole rows instead: the compiled program holds a
# sort of all columns and no selection. An optimization barrier between the two keeps the selection.
# Seen for 500 x 500 numbers and k = 10: 39 ms of a processor instead of 1.6 ms.
# The script exits with a status other than zero once an assertion below fails.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu "$folder/venv/bin/python" -I - <<'END'
import time

import jax
import numpy as np

print("jax", jax.__version__)
x = np.random.default_rng(0).normal(size=(500, 500)).astype(np.float32)


def ten(x):
    return jax.lax.top_k(x, 10)[0]


def tenth(x):
    return ten(x)[:, -1:]


def tenth_behind_a_barrier(x):
    return jax.lax.optimization_barrier(ten(x))[:, -1:]


programs, seconds = {}, {}
for function in (ten, tenth, tenth_behind_a_barrier):
    name = function.__name__
    program = jax.jit(function).lower(x).compile()
    programs[name] = "sort" if " sort(" in program.as_text() else "selection"
    program(x).block_until_ready()
    begin = time.process_time()
    for _ in range(20):
        program(x).block_until_ready()
    seconds[name] = (time.process_time() - begin) / 20
    print(f"{name}: {programs[name]}, {1e3 * seconds[name]:.1f} ms")
np.testing.assert_array_equal(tenth(x), tenth_behind_a_barrier(x))
wanted = {"ten": "selection", "tenth": "sort", "tenth_behind_a_barrier": "selection"}
assert programs == wanted, "this has changed"
assert seconds["tenth"] > 5 * seconds["tenth_behind_a_barrier"], "this has changed"
END
