"""Set before anything imports JAX or the package: CPU, compiled programs kept, shapes checked."""

import os
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache" / "jax"

os.environ["JAX_PLATFORMS"] = "cpu"
# Compilation is most of the time of a test run; programs of an earlier run are used again, by
# the commands that tests start too.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
os.environ["MPLBACKEND"] = "Agg"

import jaxtyping

# The shapes of the annotations are checked at every call of a public function under test.
jaxtyping.install_import_hook("metaplastic", "array_types.check")
