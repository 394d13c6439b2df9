"""Compiled programs outlive the process: JAX's persistent cache, in the user's cache folder."""

import functools
import hashlib
import os
import platform
from pathlib import Path
from typing import Any

import jax

from metaplastic.data.cache import cache_dir

FOLDER = "programs"
"""Where they are kept, within `data.cache_dir()`."""


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
