"""Several CPU devices in one process; to be arranged before JAX starts its backends."""

import os

import jax

from metaplastic.errors import ConfigurationError, InputError

_SINGLE_THREADED = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def configure_cpu_devices(n: int) -> None:
    """Let JAX see `n` CPU devices, each working on one thread if there are several.

    Call it before anything makes an array: buckets on different devices then run side by side
    without fighting over threads. Numbers are the same for any `n` of at least 2; with one device,
    products may be split over threads.

    Raises:
        InputError: for `n` below 1.
        ConfigurationError: if JAX is already running with another number of CPU devices.
    """
    if n < 1:
        raise InputError(f"the number of CPU devices must be at least 1, got {n}")
    flags = os.environ.get("XLA_FLAGS", "")
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
    if n > 1 and "xla_cpu_multi_thread_eigen" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_SINGLE_THREADED}".strip()
