"""Fit two million rows of a file by a memory map, in a process of its own, and say what it took.

The rows `(2_000_000, 196)` are bytes: 0.4 GB on disk, 1.6 GB if they were all made float32.
"""

import json
import resource
import sys
import time

import numpy as np

from metaplastic.sklearn import RuleTransformer

ROWS, COLUMNS, CHUNK = 2_000_000, 196, 50_000
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
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(path: str, how: str) -> None:
    rows = np.load(path, mmap_mode="r")
    started, cpu = time.perf_counter(), time.process_time()
    if how == "fit":
        transformer = RuleTransformer(n_steps=None, **SETTINGS).fit(rows)
    else:
        # A map of its own for every chunk, so that the pages of the last are given back.
        starts = range(0, ROWS, CHUNK)
        chunks = (np.load(path, mmap_mode="r")[start : start + CHUNK] for start in starts)
        transformer = RuleTransformer(**SETTINGS).partial_fit(chunks)
    features = transformer.transform(rows[:1000])
    found = {
        "steps": transformer.n_steps_,
        "seconds": time.perf_counter() - started,
        "rows_per_cpu_second": ROWS / (time.process_time() - cpu),
        "peak_mib": peak_mib(),
        "features": features.tolist(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    write(sys.argv[1]) if sys.argv[2] == "write" else main(sys.argv[1], sys.argv[2])
