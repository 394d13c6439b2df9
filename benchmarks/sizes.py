"""How long the default `RuleTransformer` takes on data of many sizes, compiling and not.

Every case runs in processes of its own: one that finds no compiled programs, which fits twice (the
second time other rows of the same shape), and one that finds those of the first on disk.

    python benchmarks/sizes.py [--cases NAME ...] [--quick]

Writes `docs/results/sizes.json` and `sizes.md`.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from metaplastic.evaluation import provenance
from metaplastic.files import write_atomically
from metaplastic.report.tables import Table

RESULTS = Path(__file__).parents[1] / "docs" / "results"
CASES: dict[str, dict[str, Any]] = {
    "5,000 x 196": {"rows": 5000, "columns": 196},
    "100 x 30": {"rows": 100, "columns": 30},
    "1,000,000 x 20": {"rows": 1_000_000, "columns": 20},
    "1,000,000 x 20, one pass": {
        "rows": 1_000_000,
        "columns": 20,
        "settings": {"n_steps": None, "n_networks": 1, "batch_size": 1024},
    },
    "1,000 x 20,000 sparse, one network": {
        "rows": 1000,
        "columns": 20_000,
        "density": 0.01,
        "settings": {"n_networks": 1},
    },
}
QUICK = ("100 x 30",)


def fits(case: dict[str, Any], count: int) -> list[dict[str, float]]:
    """Wall and processor seconds, and memory, of `count` fits on rows of the case."""
    import numpy as np
    from scipy import sparse

    from metaplastic.sklearn import RuleTransformer

    rows = []
    for seed in range(count):
        shape = case["rows"] - 10 * seed, case["columns"]  # another pool of the same bucket
        if "density" in case:
            random = sparse.random(*shape, case["density"], "csr", np.float32, seed)
            x: Any = sparse.csr_matrix(random)
        else:
            x = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
        started, cpu = time.perf_counter(), time.process_time()
        transformer = RuleTransformer(random_state=0, **case.get("settings", {})).fit(x)
        fitted = time.perf_counter()
        transformer.transform(x[:1000])
        rows.append(
            {
                "fit_seconds": fitted - started,
                "cpu_seconds": time.process_time() - cpu,
                "transform_seconds_per_1000_rows": time.perf_counter() - fitted,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    return rows


def measure(name: str) -> dict[str, Any]:
    """First and later call without programs on disk, first call with them."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if "COMPILATION_CACHE" not in k}
        environment["METAPLASTIC_DATA"] = folder

        def run(count: int) -> list[dict[str, float]]:
            command = [sys.executable, __file__, "--child", name, str(count)]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            return json.loads(done.stdout)

        first, later = run(2)
        return {"case": name, "first": first, "later": later, "from_disk": run(1)[0]}


def table_of(rows: list[dict[str, Any]]) -> Table:
    """Seconds of the three calls, with processor time in brackets."""

    def shown(row: dict[str, float]) -> str:
        return f"{row['fit_seconds']:.1f} ({row['cpu_seconds']:.1f})"

    cells = tuple(
        (
            row["case"],
            *(shown(row[call]) for call in ("first", "later", "from_disk")),
            f"{row['first']['peak_mib']:,.0f}",
            f"{row['later']['transform_seconds_per_1000_rows']:.2f}",
        )
        for row in rows
    )
    note = (
        "Seconds of `fit` by the clock (processor seconds with `transform` of 1,000 rows in "
        "brackets): the first call of a process that finds no compiled programs, a later call on "
        "other rows of the same bucket, and the first call of a process that finds them on disk. "
        f"{os.cpu_count()} cores, {len(os.sched_getaffinity(0))} of them allowed."
    )
    header = ("rows x columns", "first call", "later call", "programs on disk")
    return Table((*header, "peak MiB", "transform 1,000 rows"), cells, note)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--quick", action="store_true", help="the smallest, writes nothing")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        name, count = args.child
        print(json.dumps(fits(CASES[name], int(count))))
        return
    rows = []
    for name in QUICK if args.quick else args.cases:
        rows.append(measure(name))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(table_of(rows).text())
    if not args.quick:
        document = {"provenance": provenance(seeds=[0]), "rows": rows}
        write_atomically(RESULTS / "sizes.json", (json.dumps(document, indent=1) + "\n").encode())
        write_atomically(RESULTS / "sizes.md", table_of(rows).markdown().encode())


if __name__ == "__main__":
    main()
