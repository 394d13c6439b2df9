"""What a process arranges before JAX starts its backends: CPU devices, and memory that is kept."""

import ctypes
import sys
from pathlib import Path

import jax

from metaplastic.errors import ConfigurationError, InputError


def configure_cpu_devices(n: int) -> None:
    """Let JAX see `n` CPU devices; call it before anything makes an array.

    Buckets on different devices run side by side, but their threads are shared, and XLA's threads
    spin while they wait. A process held to one core (`taskset -c 0 metaplastic meta-train --workers
    1`) does per core nearly twice the work (docs/performance.md).

    Parameters
    ----------
    n : int
        Number of devices.

    Raises
    ------
    InputError
        For `n` below 1.
    ConfigurationError
        If JAX is already running with another number of CPU devices.
    """
    if n < 1:
        raise InputError(f"the number of CPU devices must be at least 1, got {n}")
    try:
        jax.config.update("jax_num_cpu_devices", n)
    except RuntimeError as error:
        running = jax.local_device_count("cpu")
        if running == n:
            return
        raise ConfigurationError(
            f"JAX is already running with {running} CPU device(s), so {n} cannot be had: call "
            "configure_cpu_devices before any array is made, or start a new process"
        ) from error


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed; call it before anything makes an array.

    It does most when no other thread has allocated yet: what threads hold apart is not kept.

    XLA asks for its buffers anew in every call, hundreds of MiB for a gradient through the
    published rule. glibc gives so much back to the system at once, and clearing the fresh pages
    takes longer than the products (docs/performance.md). The price: the process holds the
    most memory that it ever needed until it ends.

    Returns
    -------
    bool
        Whether it was done; other C libraries than glibc are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    # One arena, because others than the first cannot grow large and so use the system after all.
    return mallopt is not None and all(
        mallopt(option, value) == 1
        for option, value in ((_ARENA_MAX, 1), (_TRIM_THRESHOLD, -1), (_MMAP_MAX, 0))
    )


def check_memory_maps(n_programs: int) -> None:
    """See that so many gradients can be compiled for this process's CPU; Linux alone has a limit.

    XLA keeps the kernels of a program for CPUs in memory maps of their own, about 4,000 of them
    for the gradient of one shape. Beyond the limit the process dies in the compiler.

    Raises
    ------
    ConfigurationError
        If the system allows fewer memory maps than they need.
    """
    if sys.platform != "linux" or jax.default_backend() != "cpu":
        return
    try:
        allowed = int(_MOST_MAPS.read_text())
    except (OSError, ValueError):
        return
    needed = n_programs * _MAPS_OF_A_PROGRAM
    if needed > allowed:
        raise ConfigurationError(
            f"{n_programs} shapes are a program each, which take about {needed:,} memory maps, "
            f"but this system allows a process {allowed:,}; use at most "
            f"{allowed // _MAPS_OF_A_PROGRAM} shapes, or raise the limit (as root: sysctl -w "
            f"vm.max_map_count={2 * needed})"
        )


_MOST_MAPS = Path("/proc/sys/vm/max_map_count")
_MAPS_OF_A_PROGRAM = 4000

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
"""Of glibc's malloc.h."""
