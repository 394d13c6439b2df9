"""What holds while JAX runs for a learner: kept programs, float32, and no forked process.

Compiled programs outlive the process in JAX's persistent cache, in the user's cache folder.
"""

import contextlib
import dataclasses
import functools
import hashlib
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from metaplastic.data.cache import cache_dir
from metaplastic.forks import check_fork

FOLDER = "programs"
"""Where they are kept, within `data.cache_dir()`."""

_JAX_KEEPS_FROM = 1.0
"""Seconds of compiling from which on JAX keeps a program, as long as nobody says otherwise."""


@contextlib.contextmanager
def training() -> Iterator[None]:
    """Everything that a learner computes with JAX is computed in this context.

    Numbers are float32 whatever `jax_enable_x64` says, so that a seed means the same features under
    both settings, and a training begun under one goes on under the other.

    Raises
    ------
    ConfigurationError
        In a process that was forked while JAX was running.
    """
    check_fork()
    keep_programs()
    with jax.enable_x64(False), _all_kept():
        yield


def keep_programs() -> None:
    """Let JAX keep compiled programs on disk, unless the user has said where, or not at all.

    Compiling the default rule is most of the time of a first fit; the next process then finds the
    program. What the user has set (`JAX_COMPILATION_CACHE_DIR`, `jax_enable_compilation_cache`)
    stands. A folder that cannot be written is passed over: programs are then compiled anew.
    """
    config: Any = jax.config
    if config.jax_compilation_cache_dir is None and config.jax_enable_compilation_cache:
        folder = _folder(str(cache_dir() / FOLDER / _processor()))
        if folder is not None:
            config.update("jax_compilation_cache_dir", folder)


@contextlib.contextmanager
def _all_kept() -> Iterator[None]:
    """Keep quick programs too, unless the user has said from how many seconds on they are kept.

    A fit has a dozen small programs beside the large one; together they take a second.
    """
    config: Any = jax.config
    limit = "jax_persistent_cache_min_compile_time_secs"
    earlier = getattr(config, limit)
    if earlier != _JAX_KEEPS_FROM:
        yield
        return
    config.update(limit, 0.0)
    try:
        yield
    finally:
        config.update(limit, earlier)


@dataclasses.dataclass(frozen=True, eq=False)
class Compiled:
    """`eqx.filter_jit(function)` with options by which XLA compiles for a CPU in less time.

    Which options there are is asked at the first call, so that a mere import starts no device.
    """

    function: Callable[..., Any]
    level: int | None
    donate: str

    @functools.cached_property
    def program(self) -> Any:
        """The function under `filter_jit`."""
        jit: Any = eqx.filter_jit
        return jit(
            self.function, donate=self.donate, compiler_options=_compiler_options(self.level)
        )

    def __call__(self, *args: Any) -> Any:
        return self.program(*args)


def compiled(
    *, once: bool = False, short: bool = False, donate: str = "none"
) -> Callable[[Callable[..., Any]], Compiled]:
    """Decorate a function that is compiled, in less time and memory than by JAX's own options.

    Parameters
    ----------
    once
        whether the program runs once, so that optimising it would cost more than it saves.
    short
        whether it runs for seconds alone, so that optimising it as far as can be would.
    donate
        whose buffers it may use up, as `eqx.filter_jit` takes it.
    """
    level = 0 if once else 1 if short else None
    return functools.partial(Compiled, level=level, donate=donate)


@functools.cache
def _compiler_options(level: int | None) -> dict[str, Any]:
    """Options for the devices that are here; none where XLA does not know them, or the user has
    set flags of its compiler."""
    if jax.default_backend() != "cpu" or os.environ.get("XLA_FLAGS"):
        return {}
    options: dict[str, Any] = {"xla_cpu_use_fusion_emitters": False}
    if level is not None:
        options["xla_backend_optimization_level"] = level
    try:
        jax.jit(lambda x: x, compiler_options=options)(np.float32(0))
    except (ValueError, RuntimeError):  # another version of XLA
        return {}
    return options


@functools.cache
def _processor() -> str:
    """Tells kinds of processor apart: a program made for one may not run on another, and homes are
    shared between machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        known = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        known = platform.processor()
    return hashlib.sha256(f"{platform.machine()} {known}".encode()).hexdigest()[:12]


@functools.cache
def _folder(path: str) -> str | None:
    """The folder, made for this user alone (programs in it are trusted); `None` if it cannot be."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError:
        return None
    return path if os.access(path, os.W_OK | os.X_OK) else None
