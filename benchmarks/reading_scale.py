"""Seconds and memory of the graph reading on large pools, and what neighbour libraries find.

Rows are like features: a curved sheet of few dimensions a class, in 512 columns. Every case runs
in a process of its own. Peers get the same rows; each is run where its package is installed.

    python benchmarks/reading_scale.py [--rows 20000 100000] [--peers [NAME ...]] [--libraries]
        [--minutes 30] [--quick]

Writes `docs/results/reading_scale.json` and `reading_scale.md`; earlier cases are kept.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from metaplastic.evaluation import provenance
from metaplastic.files import write_atomically
from metaplastic.report.tables import Table

RESULTS = Path(__file__).parents[1] / "docs" / "results"
COLUMNS, CLASSES, SHOTS, NEIGHBORS = 512, 10, 10, 10
LIBRARY_ROWS, LIBRARY_COLUMNS, SAMPLE = 100_000, 64, 500
MEASURED = ("graph", "auto", "ridge")
PEERS = {"LabelSpreading": "sklearn", "graphlearning": "graphlearning"}
LIBRARIES = {
    "faiss, cells": "faiss",
    "faiss, HNSW": "faiss",
    "pynndescent": "pynndescent",
    "usearch": "usearch",
    "voyager": "voyager",
}
Rows = np.ndarray


def pool(count: int, columns: int) -> tuple[Rows, Rows]:
    """Rows `(count, columns)` float32 of ten classes, and their labels; made in blocks."""
    generator = np.random.default_rng(0)
    y = generator.integers(CLASSES, size=count)
    inner = 12
    centres = 1.5 * generator.normal(size=(CLASSES, inner))
    weight = generator.normal(size=(inner, columns)) / np.sqrt(inner)
    x = np.empty((count, columns), np.float32)
    for start in range(0, count, 20_000):
        part = slice(start, start + 20_000)
        low = centres[y[part]] + generator.normal(size=(len(y[part]), inner))
        noise = 0.1 * generator.normal(size=(len(low), columns))
        x[part] = np.tanh(low @ weight) + noise
    return x, y


def peak_mib() -> float:
    """Largest memory of this process so far."""
    kib = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kib / 2**20


class Watch:
    """Seconds of the clock and of all cores since it was made or asked."""

    def __init__(self) -> None:
        self.start = time.perf_counter(), time.process_time()

    def lap(self) -> tuple[float, float]:
        """Both since the last time."""
        before, self.start = self.start, (time.perf_counter(), time.process_time())
        return self.start[0] - before[0], self.start[1] - before[1]


def few_of(y: Rows) -> Rows:
    """Numbers of the labelled rows."""
    from metaplastic.evaluation.trials import draw_support

    return draw_support(y, SHOTS, np.random.default_rng(1))


def ours(count: int, head: str) -> dict[str, float]:
    """Of a pool of features: graph, reading and classes of all rows."""
    from metaplastic.presets import load_preset
    from metaplastic.readings import ReadingPool

    x, y = pool(count, COLUMNS)
    few, settings, before = few_of(y), load_preset("base").reading, peak_mib()
    watch, held = Watch(), ReadingPool(x, settings)
    recall = held.graph.recall if head != "ridge" else 1.0
    built = watch.lap()
    reading = held.fit(head, few, y[few])
    fitted = watch.lap()
    test = np.random.default_rng(2).choice(count, min(count, 2000), replace=False)
    right = np.mean(reading.scores(x[test]).argmax(1) == y[test])
    return {
        "seconds": built[0] + fitted[0],
        "graph_cpu_seconds": built[1],
        "reading_cpu_seconds": fitted[1],
        "accuracy": 100 * float(right),
        "recall": recall,
        "mib_above": peak_mib() - before,
    }


def peer(count: int, name: str) -> dict[str, float]:
    """LabelSpreading of scikit-learn or Poisson learning of graphlearning, usual settings."""
    x, y = pool(count, COLUMNS)
    few, before, watch = few_of(y), peak_mib(), Watch()
    if name == "LabelSpreading":
        from sklearn.semi_supervised import LabelSpreading

        labels = np.full(count, -1)
        labels[few] = y[few]
        model: Any = LabelSpreading(kernel="knn", n_neighbors=NEIGHBORS)
        found = model.fit(x, labels).transduction_
    else:
        import graphlearning as gl  # pyright: ignore[reportMissingImports]

        found = gl.ssl.poisson(gl.weightmatrix.knn(x, NEIGHBORS)).fit_predict(few, y[few])
    clock, cpu = watch.lap()
    right = 100 * float(np.mean(np.asarray(found) == y))
    seconds = {"seconds": clock, "cpu_seconds": cpu}
    return seconds | {"accuracy": right, "mib_above": peak_mib() - before}


def library(count: int, name: str) -> dict[str, float]:
    """Ten nearest of every row by one library: seconds, recall on a sample, memory."""
    from metaplastic.readings.neighbours import exact_search

    x, _ = pool(count, LIBRARY_COLUMNS)
    sample = np.random.default_rng(3).choice(count, SAMPLE, replace=False)
    true = exact_search(x, x[sample], NEIGHBORS, without=sample).places
    before, watch = peak_mib(), Watch()
    places = SEARCHES[name](x)
    clock, cpu = watch.lap()
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(true, places[sample], strict=True))
    seconds = {"seconds": clock, "cpu_seconds": cpu}
    return seconds | {"recall": hits / true.size, "mib_above": peak_mib() - before}


def _cells(x: Rows) -> Rows:
    from metaplastic.readings.neighbours import _candidate_search

    return _candidate_search(x, NEIGHBORS).places


def _hnsw(x: Rows) -> Rows:
    import faiss  # pyright: ignore[reportMissingImports]

    index: Any = faiss.IndexHNSWFlat(x.shape[1], 16)
    index.add(x)
    return index.search(x, NEIGHBORS + 1)[1]


def _pynndescent(x: Rows) -> Rows:
    from pynndescent import NNDescent  # pyright: ignore[reportMissingImports]

    return NNDescent(x, n_neighbors=NEIGHBORS + 1, random_state=0).neighbor_graph[0]


def _usearch(x: Rows) -> Rows:
    from usearch.index import Index  # pyright: ignore[reportMissingImports]

    index = Index(ndim=x.shape[1], metric="l2sq")
    keys = np.arange(len(x))
    index.add(keys, x)
    return np.asarray(index.search(x, NEIGHBORS + 1).keys, np.int64)


def _voyager(x: Rows) -> Rows:
    from voyager import Index, Space  # pyright: ignore[reportMissingImports]

    index = Index(Space.Euclidean, num_dimensions=x.shape[1])
    index.add_items(x)
    return np.asarray(index.query(x, k=NEIGHBORS + 1)[0], np.int64)


SEARCHES: dict[str, Callable[[Rows], Rows]] = dict(
    zip(LIBRARIES, (_cells, _hnsw, _pynndescent, _usearch, _voyager), strict=True)
)
KINDS = {"ours": ours, "peer": peer, "library": library}


def measure(kind: str, count: int, name: str, minutes: float = 30) -> dict[str, Any]:
    """One case in a process of its own; `failed` says why it has no numbers."""
    command = [sys.executable, __file__, "--child", kind, str(count), name]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    row: dict[str, Any] = {"kind": kind, "rows": count, "name": name, "cores": cores}
    limit = 60 * minutes
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        return row | {"failed": f"not done after {minutes:g} minutes"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return row | {"failed": last[:200]}
    return row | json.loads(done.stdout.splitlines()[-1])


def tables_of(rows: list[dict[str, Any]]) -> tuple[Table, Table]:
    """Readings and peers; libraries."""
    readings, libraries = [], []
    for row in sorted(rows, key=lambda row: (row["rows"], row["kind"], row["name"])):
        start = row["name"], f"{row['rows']:,}", str(row["cores"])
        if "failed" in row:
            rest: tuple[str, ...] = ("-", "-", "-", "-", row["failed"])
        elif row["kind"] == "ours":
            rest = (
                f"{row['graph_cpu_seconds']:.1f} + {row['reading_cpu_seconds']:.1f}",
                f"{row['seconds']:.1f}",
                f"{row['mib_above']:,.0f}",
                f"{row['accuracy']:.1f}",
                f"{100 * row['recall']:.1f}",
            )
        else:
            seen = f"{row['accuracy']:.1f}" if row["kind"] == "peer" else ""
            found = f"{100 * row['recall']:.1f}" if row["kind"] == "library" else ""
            seconds = f"{row['cpu_seconds']:.1f}", f"{row['seconds']:.1f}"
            rest = (*seconds, f"{row['mib_above']:,.0f}", seen, found)
        (libraries if row["kind"] == "library" else readings).append((*start, *rest))
    note = (
        f"{COLUMNS} columns, {CLASSES} classes, {SHOTS} labels each. Seconds of all cores "
        "together (graph + reading), and of the clock; MiB above the features; accuracy and recall "
        "in percent. LabelSpreading is that of scikit-learn, graphlearning its Poisson learning."
    )
    also = (
        f"The {NEIGHBORS} nearest of all rows of {LIBRARY_COLUMNS} columns, usual settings; recall "
        f"on {SAMPLE} rows. `faiss, cells` is what the package does with the extra `neighbours`. 0 "
        "MiB: no more than making the rows took."
    )
    header = ("core seconds", "by the clock", "MiB", "accuracy", "recall")
    return (
        Table(("reading", "rows", "cores", *header), tuple(readings), note),
        Table(("library", "rows", "cores", *header), tuple(libraries), also),
    )


def asked(args: argparse.Namespace) -> list[tuple[str, int, str]]:
    """The cases that the words ask for and that packages are there for."""
    if args.quick:
        return [("ours", 2000, "graph")]
    cases = [("ours", count, head) for count in args.rows for head in args.heads]
    if args.peers is not None:
        peers = [name for name in args.peers or PEERS if find_spec(PEERS[name])]
        cases += [("peer", count, name) for count in args.rows for name in peers]
    if args.libraries:
        cases += [("library", LIBRARY_ROWS, n) for n, of in LIBRARIES.items() if find_spec(of)]
    return cases


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="*", type=int, default=[20_000, 100_000])
    parser.add_argument("--heads", nargs="*", choices=MEASURED, default=list(MEASURED))
    parser.add_argument("--peers", nargs="*", choices=PEERS, help="these others too (all)")
    parser.add_argument("--libraries", action="store_true", help="neighbour libraries too")
    parser.add_argument("--minutes", type=float, default=30, help="most for one case (30)")
    parser.add_argument("--quick", action="store_true", help="one small pool, writes nothing")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        kind, count, name = args.child
        print(json.dumps(KINDS[kind](int(count), name)))
        return
    out, rows = RESULTS / "reading_scale.json", []
    if out.is_file() and not args.quick:
        rows = json.loads(out.read_text("utf-8"))["rows"]
    for case in asked(args):
        found = measure(*case, args.minutes)
        print(json.dumps(found), file=sys.stderr, flush=True)
        key = ("kind", "rows", "name")
        rows = [row for row in rows if any(row[k] != found[k] for k in key)] + [found]
        if not args.quick:
            document = {"provenance": provenance(seeds=[0]), "rows": rows}
            write_atomically(out, (json.dumps(document, indent=1) + "\n").encode())
            text = "\n".join(table.markdown() for table in tables_of(rows) if table.rows)
            write_atomically(RESULTS / "reading_scale.md", text.encode())
    for table in tables_of(rows):
        print(table.text())


if __name__ == "__main__":
    main()
