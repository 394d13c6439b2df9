"""Whether the features of a pool, and the graph of them, fit into memory."""

import os
from pathlib import Path

from metaplastic.errors import InputError

_SYSTEM = Path("/proc/meminfo")
_GROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    (
        Path("/sys/fs/cgroup/memory"),
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)
"""Folders of both versions of control groups, and names of what they say."""

BLOCKS = 2**29
"""Bytes of what is computed block by block, whatever the size of the pool."""

WIDE = 1200
"""Bytes a row beside copies of the features: neighbours, edges, leading components."""

COPIES = {"ridge": 1, "logistic": 5, "graph": 2, "auto": 2}
"""Copies of the features that a reading needs at once, themselves among them."""


def check_memory(
    n_rows: int, n_features: int, n_classes: int, head: str, free: int | None = None
) -> None:
    """Check that the features of a pool and its reading fit into the memory that is free.

    Parameters
    ----------
    n_rows : int
        Rows of the pool.
    n_features : int
        Features of a row.
    n_classes : int
        Classes that will be read.
    head : str
        The reading: a name of `COPIES`.
    free : int, optional
        Bytes; what the system says if left out.

    Raises
    ------
    InputError
        If they do not; the message says the size and what would fit.
    """
    free = free_memory() if free is None else free
    needed = bytes_needed(n_rows, n_features, n_classes, head)
    if free is None or needed <= free:
        return
    each = bytes_a_row(n_features, n_classes, head)
    most = max(int((free - BLOCKS) // each), 1)
    other = bytes_needed(n_rows, n_features, n_classes, "ridge")
    ways = [f"give a sample of at most {most:,} rows"]
    if other <= free and head != "ridge":
        ways.append(f'head="ridge", which needs {other / 2**30:.1f} GiB')
    raise InputError(
        f"{n_rows:,} rows of {n_features:,} features read by head={head!r} need about "
        f"{needed / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} are free; {' or '.join(ways)}"
    )


def bytes_a_row(n_features: int, n_classes: int, head: str) -> int:
    """Bytes that grow with every row."""
    own = 4 * n_features * COPIES[head]
    # What is solved for has a column a class, in some eight arrays at once.
    return own + (WIDE + 8 * 8 * n_classes if head in ("graph", "auto") else 0)


def bytes_needed(n_rows: int, n_features: int, n_classes: int, head: str) -> int:
    """Bytes for the features of a pool and a reading of them."""
    rows = n_rows * bytes_a_row(n_features, n_classes, head)
    # A small pool needs less than the largest block.
    return rows + min(BLOCKS, rows)


def free_memory() -> int | None:
    """Bytes that this process can still have, or None where the system does not say."""
    known = [size for size in (_of_system(), _of_group()) if size is not None]
    return min(known, default=None)


def _of_system() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in _SYSTEM.read_text().splitlines())
        return 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError):
        names = getattr(os, "sysconf_names", {})
        if "SC_AVPHYS_PAGES" not in names:
            return None
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_group() -> int | None:
    """What a container's limit leaves; files that the system holds for speed can go."""
    for folder, limit, used, held in _GROUPS:
        try:
            most, now = (int((folder / name).read_text()) for name in (limit, used))
            lines = (folder / "memory.stat").read_text().splitlines()
            files = int(dict(line.split(" ", 1) for line in lines).get(held, 0))
            return max(most - now + files, 0)
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return None
