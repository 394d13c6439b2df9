"""Features of Parquet files: rows per processor second of each engine beside a plain loop.

The plain loop reads a file, calls the encoder and writes a file. Processor time is that of all
processes, those of the engine too, after each has been started and has done a small file.

    python benchmarks/rows.py [--quick] [--json OUT]
"""

import argparse
import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from metaplastic.evaluation import provenance
from metaplastic.files import write_atomically
from metaplastic.report.tables import Table
from metaplastic.scale import ClusterSettings, connect
from metaplastic.scale.parts import Job, find_parts, make_folders
from metaplastic.scale.rows import do_here, do_on_ray
from metaplastic.sklearn import RuleTransformer

RESULTS = Path(__file__).parents[1] / "docs" / "results"
COLUMNS = [f"column{i}" for i in range(64)]
WORKERS = 2


def make(folder: Path, files: int, rows: int) -> None:
    """Files of random rows."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(files):
        x = generator.normal(size=(len(COLUMNS), rows)).astype(np.float32)
        columns = dict(zip(COLUMNS, x, strict=True))
        ids = np.arange(number * rows, (number + 1) * rows)
        pq.write_table(pa.table({"id": ids, **columns}), folder / f"part-{number}.parquet")


def numbers(table: Any) -> np.ndarray:
    """The columns of a table of pyarrow."""
    return np.stack([table[name].to_numpy() for name in COLUMNS], axis=1)


def with_features(encoder: Any, table: pa.Table) -> pa.Table:
    """A table of the numbers of its rows and their features."""
    features = pa.array(encoder(numbers(table)).ravel())
    lists = pa.FixedSizeListArray.from_arrays(features, encoder.n_features_out)
    return pa.table({"id": table["id"], "features": lists})


def plain(encoder: Any, source: Path, out: Path) -> None:
    """The loop that everything else is measured beside."""
    out.mkdir()
    for path in sorted(source.iterdir()):
        table = with_features(encoder, pq.read_table(path))
        pq.write_table(table, out / path.name, compression="none", use_dictionary=False)


def transform_here(encoder: Any, source: Path, out: Path) -> None:
    """`metaplastic transform`."""
    _all_done(do_here(encoder, *_parts(source, out)))


def transform_on_ray(encoder: Any, source: Path, out: Path) -> None:
    """`metaplastic transform --executor ray`."""
    settings = ClusterSettings(workers=WORKERS)
    _all_done(do_on_ray(encoder, *_parts(source, out), settings))


def ray_data(encoder: Any, source: Path, out: Path) -> None:
    """`map_batches` of Ray Data, on batches as pyarrow has them."""
    import ray.data

    def features(batch: pa.Table) -> pa.Table:
        return with_features(encoder, batch)

    read: Any = ray.data.read_parquet(str(source))
    whole = read.map_batches(features, batch_size=4096, batch_format="pyarrow")
    whole.write_parquet(str(out))


def on_dask(encoder: Any, source: Path, out: Path) -> None:
    """`map_partitions` of Dask with its threads, pandas frames between."""
    import pandas as pd

    lists = pa.list_(pa.float32(), encoder.n_features_out)

    def features(frame: pd.DataFrame) -> pd.DataFrame:
        x = pa.array(encoder(frame[COLUMNS].to_numpy()).ravel())
        column: Any = pa.FixedSizeListArray.from_arrays(x, encoder.n_features_out)
        array = pd.arrays.ArrowExtensionArray(column)
        return pd.DataFrame({"id": frame["id"], "features": pd.Series(array, frame.index)})

    none = pd.Series([], dtype=pd.ArrowDtype(lists))
    meta = pd.DataFrame({"id": pd.Series([], dtype="int64"), "features": none})
    read: Any = dd.read_parquet(source)
    read.map_partitions(features, meta=meta).to_parquet(out, write_index=False)


def _parts(source: Path, out: Path) -> tuple[Any, Job]:
    parts = find_parts(source, out)
    make_folders(parts)
    return parts, Job(keep=("id",))


def _all_done(outcomes: Any) -> None:
    for outcome in outcomes:
        assert not outcome.reason, outcome.reason


def spent() -> float:
    """Processor seconds of this process and of all that it started (Linux)."""
    parents, seconds = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            parents[int(path.parent.name)] = int(fields[1])
            seconds[int(path.parent.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    family = {os.getpid()}
    while more := {p for p, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(seconds[p] for p in family)


def measure(work: Callable, encoder: Any, folder: Path, rows: int, rounds: int) -> dict[str, float]:
    """Rows per second and per processor second, and a check that every row is there."""
    work(encoder, folder / "small", folder / f"{work.__name__} small")
    rates = []
    for number in range(rounds):
        out = folder / f"{work.__name__} {number}"
        begin, before = time.monotonic(), spent()
        work(encoder, folder / "rows", out)
        rates.append((rows / (spent() - before), rows / (time.monotonic() - begin)))
        ids = ds.dataset(out, format="parquet").to_table(columns=["id"])["id"].to_numpy()
        assert np.array_equal(np.sort(ids), np.arange(rows))
        shutil.rmtree(out)
    per_core, per_second = np.median(rates, axis=0)
    return {"rows_per_processor_s": float(per_core), "rows_per_s": float(per_second)}


def main() -> None:
    """Measure all engines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows, writes nothing")
    parser.add_argument("--json", type=Path, default=RESULTS / "rows.json", metavar="OUT")
    args = parser.parse_args()
    files, rows, rounds = (2, 1000, 1) if args.quick else (8, 25_000, 2)
    x = np.random.default_rng(1).normal(size=(2000, len(COLUMNS)))
    encoder = RuleTransformer(random_state=0).fit(x).encoder_
    engines: dict[str, Callable] = {
        "plain loop": plain,
        "metaplastic transform": transform_here,
        "metaplastic transform --executor ray": transform_on_ray,
        "Ray Data, map_batches": ray_data,
        "Dask, map_partitions": on_dask,
    }
    found = {}
    with tempfile.TemporaryDirectory() as name, connect(ClusterSettings(workers=WORKERS)):
        folder = Path(name)
        make(folder / "small", WORKERS, 500)
        make(folder / "rows", files, rows)
        for engine, work in engines.items():
            found[engine] = measure(work, encoder, folder, files * rows, rounds)
            print(engine, json.dumps(found[engine]), flush=True)
    for row in found.values():
        row["share"] = row["rows_per_processor_s"] / found["plain loop"]["rows_per_processor_s"]
    sizes = {"rows": files * rows, "files": files, "features": encoder.n_features_out}
    data = {"provenance": provenance(seeds=(0,)), **sizes, "engines": found}
    if not args.quick:
        write_atomically(args.json, json.dumps(data, indent=1).encode())
        write_atomically(args.json.with_suffix(".md"), (_table(data).markdown() + "\n").encode())


def _table(data: dict[str, Any]) -> Table:
    rows = tuple(
        (engine, f"{row['rows_per_processor_s']:,.0f}", f"{100 * row['share']:.0f} %")
        for engine, row in data["engines"].items()
    )
    return Table(
        ("", "rows per processor second", "of the plain loop"),
        rows,
        f"{data['rows']:,} rows of {len(COLUMNS)} columns in {data['files']} Parquet files, "
        f"{data['features']} features; the encoder is that of the defaults.",
    )


if __name__ == "__main__":
    main()
