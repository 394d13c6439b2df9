"""Fit a million rows of a file by a memory map, in a process of its own, and say what it took.

The rows `(1_000_000, 196)` are bytes: 0.2 GB on disk, 0.8 GB if they were all made float32.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from metaplastic.sklearn import RuleTransformer

ROWS, COLUMNS, CHUNK = 1_000_000, 196, 50_000
# A small network and large batches: what is measured is the stream, not the rule.
SETTINGS = {
    "rule": "hebb",
    "hidden_sizes": (16,),
    "n_components": 8,
    "batch_size": 1024,
    "n_networks": 1,
    "random_state": 0,
}


def write(path: str) -> None:
    """Twenty centres, and noise that repeats every `CHUNK` rows but for a shift."""
    generator = np.random.default_rng(0)
    centres = generator.integers(0, 200, (20, COLUMNS), np.uint8)
    noise = generator.integers(0, 56, (CHUNK, COLUMNS), np.uint8)
    rows = np.lib.format.open_memmap(path, "w+", np.uint8, (ROWS, COLUMNS))
    for start in range(0, ROWS, CHUNK):
        labels = generator.integers(0, 20, CHUNK)
        rows[start : start + CHUNK] = centres[labels] + np.roll(noise, start // CHUNK, axis=0)
    rows.flush()


def peak_mib() -> float:
    """The most memory this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():
        # `getrusage` begins with the peak of the process that started this one.
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(path: str) -> None:
    """One pass in chunks and one by `fit`; what both took, and the features of the first rows."""
    write(path)
    found = {}
    for how in ("chunks", "fit"):
        started, cpu = time.perf_counter(), time.process_time()
        if how == "fit":
            transformer = RuleTransformer(n_steps=None, **SETTINGS).fit(np.load(path, "r"))
        else:
            # A map of its own for every chunk, so that the pages of the last are given back.
            chunks = (np.load(path, "r")[i : i + CHUNK] for i in range(0, ROWS, CHUNK))
            transformer = RuleTransformer(**SETTINGS).partial_fit(chunks)
        found[how] = {
            "steps": transformer.n_steps_,
            "rows_per_second": ROWS / (time.perf_counter() - started),
            "rows_per_cpu_second": ROWS / (time.process_time() - cpu),
            "peak_mib": peak_mib(),
            "features": transformer.transform(np.load(path, "r")[:1000]).tolist(),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
