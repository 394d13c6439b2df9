"""Memory that is kept, and maps of it; see test_executor.py for CPU devices."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from metaplastic.errors import ConfigurationError
from metaplastic.meta import devices

# In processes of their own, because it cannot be undone. Buffers beyond 32 MiB are those that the
# C library would give back.
PROGRAM = """
import resource, sys
import jax, jax.numpy as jnp
from metaplastic.meta import keep_freed_memory
kept = sys.argv[1] == "keep" and keep_freed_memory()
# The barrier keeps the product in a buffer of its own.
call = jax.jit(lambda x: (jax.lax.optimization_barrier(2.0 * x) + x[::-1]).sum())
x = jnp.arange(2.0**24)
faults = []
for _ in range(12 if kept else 2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    call(x).block_until_ready()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    if faults[-1] == 0:
        break
print(kept, min(faults))
"""


def fewest_fresh_pages(memory: str) -> tuple[bool, int]:
    """Whether memory is kept, and the fewest pages that one of several calls asked for."""
    # Optimised, as it is outside tests: else the program takes buffers of other sizes. One arena,
    # because a thread that allocated before memory was kept leaves an arena of its own behind, and
    # glibc maps large buffers of such an arena whatever it has been told.
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    environment["MALLOC_ARENA_MAX"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, memory],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(sys.platform != "linux", reason="nothing to do elsewhere")
@pytest.mark.slow
def test_a_call_asks_for_fewer_fresh_pages():
    kept, fresh = fewest_fresh_pages("keep")
    if not kept:
        pytest.skip("another C library than glibc")
    # None at all as a rule. On a busy machine a call may begin before the one before it has freed
    # its buffers.
    assert fresh < fewest_fresh_pages("leave")[1] / 2


def test_elsewhere_it_does_nothing(monkeypatch: pytest.MonkeyPatch):
    from metaplastic.meta import keep_freed_memory

    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False


@pytest.mark.parametrize("limit", [None, "65530\n", "unlimited"])
def test_more_shapes_than_memory_maps_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit
):
    file = tmp_path / "max_map_count"
    if limit is not None:
        file.write_text(limit)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    monkeypatch.setattr(devices, "_MOST_MAPS", file)
    devices.check_memory_maps(16)
    if limit != "65530\n":
        devices.check_memory_maps(1000)
        return
    with pytest.raises(ConfigurationError, match=r"at most 16 shapes.*vm\.max_map_count=160000"):
        devices.check_memory_maps(20)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    devices.check_memory_maps(1000)
