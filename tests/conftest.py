"""Set before anything imports JAX or the package: CPU, compiled programs kept, shapes checked."""

import gc
import itertools
import os
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache" / "jax"

os.environ["JAX_PLATFORMS"] = "cpu"
# Compilation is most of the time of a test run; programs of an earlier run are used again, by
# the commands that tests start too.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
# Nearly all programs are small and run once: optimising them would cost more than it saves, and
# the older emitters of loops compile in about half of the time of those that are the default.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
)
# Tests run side by side, on matrices too small for several threads.
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")
os.environ["MPLBACKEND"] = "Agg"

import jax
import jaxtyping
import pytest

# The shapes of the annotations are checked at every call of a public function under test.
jaxtyping.install_import_hook("metaplastic", "array_types.check")

LONGEST = (
    "docs/test_readme.py",
    "rules/test_contract.py",
    "rules/test_metz2018.py",
    "scale/test_ray.py",
    "sklearn/test_checks.py",
    "studies/paper/test_experiments.py",
)
MAPPINGS = Path("/proc/self/maps")
MOST_MAPPINGS = 20_000
TESTS_BETWEEN_CHECKS = 10

_ended = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: else one worker has the last of them alone."""
    first = [str(Path(__file__).parent / name) for name in LONGEST]
    items.sort(key=lambda item: str(item.path) not in first)


def pytest_collection_finish() -> None:
    """Look for garbage less often, and not among what was imported.

    Tracing makes so many objects that Python's collector would take a fifth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_runtest_teardown() -> None:
    """Drop compiled programs before there are too many for one process.

    Each takes some dozens of memory mappings, of which Linux allows a process 65,530
    (`vm.max_map_count`); JAX aborts when there are no more.
    """
    if next(_ended) % TESTS_BETWEEN_CHECKS or not MAPPINGS.exists():
        return
    if MAPPINGS.read_bytes().count(b"\n") > MOST_MAPPINGS:
        jax.clear_caches()
        gc.collect()
