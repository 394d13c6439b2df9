#!/bin/sh
# JAX makes one key of seeds that differ by a multiple of 2**32, unless x64 is on.
#
# `jax.random.key` cuts a seed to 32 bits when 64-bit numbers are off, which is the default, and says
# nothing. Seeds that are drawn from 64 bits, hashes or times in nanoseconds, so have far fewer
# streams than they seem to, and such a seed gives other random numbers once
# jax_enable_x64 is set.
# The script exits with a status other than zero once an assertion below fails.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 jax==0.10.2 jaxlib==0.10.2
"$folder/venv/bin/python" -I - <<'END'
import jax
import numpy as np

print("jax", jax.__version__)


def draw(seed):
    return np.asarray(jax.random.uniform(jax.random.key(seed), (3,), np.float32))


short, long = 7, 7 + 5 * 2**32
print(f"seed {short}:", draw(short))
print(f"seed {long}:", draw(long))
same = np.array_equal(draw(short), draw(long))
jax.config.update("jax_enable_x64", True)
print(f"seed {short} with x64:", draw(short))
print(f"seed {long} with x64:", draw(long))
assert same and not np.array_equal(draw(short), draw(long)), "this has changed"
END
