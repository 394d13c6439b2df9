"""Several CPU devices in one process; to be arranged before JAX starts its backends."""

import jax

from metaplastic.errors import ConfigurationError, InputError


def configure_cpu_devices(n: int) -> None:
    """Let JAX see `n` CPU devices; call it before anything makes an array.

    Buckets on different devices run side by side, but their threads are shared, and XLA's threads
    spin while they wait. A process held to one core (`taskset -c 0 metaplastic meta-train --workers
    1`) does per core nearly twice the work (docs/experiments.md, "Speed").

    Raises:
        InputError: for `n` below 1.
        ConfigurationError: if JAX is already running with another number of CPU devices.
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
