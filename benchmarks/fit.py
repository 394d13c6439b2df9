"""What a user waits for: a fit of this working tree beside one of an earlier commit, and peers.

Both builds run the same lines (`fit_process.py`) in fresh processes of one environment, in turn, so
that a busy machine slows both. Ratios are taken pair by pair; a ratio below 1 is a gain.

    python benchmarks/fit.py [--against COMMIT] [--pairs 5] [--cores 1 2] [--quick]

Writes `docs/results/fit.json` and the tables in `docs/performance.md` (`--quick` does not).
"""

import argparse
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from metaplastic.evaluation import provenance
from metaplastic.files import write_atomically
from metaplastic.report import Table

ROOT = Path(__file__).parents[1]
PAGE, OUT = ROOT / "docs" / "performance.md", ROOT / "docs" / "results" / "fit.json"
MARKS = ("<!-- fit: begin -->", "<!-- fit: end -->")
BASELINE = "a2037f3"
ROWS, QUICK_ROWS = 5000, 500
KINDS = {
    "nothing kept": ("import", "first fit", "later fit", "transform", "peak MiB"),
    "programs kept": ("first fit",),
    "one pass": ("one pass", "peak MiB"),
    "meta-training": ("task-steps", "peak MiB"),
}
"""Processes, and which of their phases are reported."""
PEERS = ("kmeans", "autoencoder", "umap")


def options() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", default=BASELINE, help=f"an earlier commit ({BASELINE})")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each build (5)")
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2], help="(1 2)")
    parser.add_argument("--quick", action="store_true", help="one pair of small fits on one core")
    return parser.parse_args()


def checked_out(commit: str, folder: Path) -> Path:
    """The sources of an earlier commit in a folder; returns what belongs on PYTHONPATH."""
    words = ["git", "-C", str(ROOT), "archive", commit, "src"]
    packed = subprocess.run(words, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def process(source: Path, what: str, rows: int, cores: int, kept: Path | None) -> dict[str, Any]:
    """Run `fit_process.py` with the package in `source`; programs are kept in the folder `kept`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))}
    path = os.environ.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([str(source), path] if path else [str(source)])
    environment["JAX_PLATFORMS"] = "cpu"
    if kept is None:
        environment["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    else:
        environment["METAPLASTIC_DATA"] = str(kept)
    words = [sys.executable, str(Path(__file__).with_name("fit_process.py")), what]
    done = subprocess.run(
        [*words, str(rows), str(cores)], check=True, capture_output=True, text=True, env=environment
    )
    return json.loads(done.stdout.splitlines()[-1])


def measured(source: Path, rows: int, cores: int, folder: Path) -> dict[str, dict[str, float]]:
    """Processor and clock of every phase of one build, `{"first fit, programs kept": ...}`."""
    kept = folder / source.parent.name / str(cores)
    numbers = {}
    for kind, phases in KINDS.items():
        what = {"one pass": "pass", "meta-training": "meta"}.get(kind, "fits")
        own = kept if kind == "programs kept" else None
        if own is not None and not own.exists():
            process(source, what, rows, cores, own)  # the process that leaves programs behind
        run = process(source, what, rows, cores, own)
        for phase in phases:
            peak = {"cpu": run["peak_mib"], "clock": run["peak_mib"]}
            numbers[f"{phase}, {kind}"] = peak if phase == "peak MiB" else run["phases"][phase]
    return numbers


def compared(pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> list[dict[str, Any]]:
    """Medians of both builds and the ratios, pair by pair."""
    rows = []
    for name in pairs[0][0]:
        row: dict[str, Any] = {"what": name}
        for unit in ("cpu", "clock"):
            before, after = ([pair[i][name][unit] for pair in pairs] for i in (0, 1))
            ratios = [b / a for a, b in zip(before, after, strict=True)]
            row[unit] = {
                "before": statistics.median(before),
                "after": statistics.median(after),
                "ratio": statistics.median(ratios),
                "ratios": ratios,
            }
        rows.append(row)
    return rows


def table(rows: Sequence[dict[str, Any]], cores: int, against: str) -> Table:
    """One number of cores, as in the document."""
    cells = tuple(
        (
            row["what"],
            *(f"{row['cpu'][key]:.1f}" for key in ("before", "after")),
            f"{row['cpu']['ratio']:.2f}",
            f"{min(row['cpu']['ratios']):.2f} to {max(row['cpu']['ratios']):.2f}",
            f"{row['clock']['ratio']:.2f}",
        )
        for row in rows
    )
    header = ("what", against, "now", "ratio", "pairs", "ratio by the clock")
    note = f"{cores} core(s): processor seconds (or MiB), medians; ratios are medians over pairs."
    return Table(header, cells, note)


def peers_table(peers: dict[str, Any]) -> Table:
    """Fits of others to the same rows, processor seconds of one core."""
    cells = tuple(
        (
            name,
            *(f"{found['phases'][phase]['cpu']:.1f}" for phase in ("first fit", "later fit")),
            f"{found['peak_mib']:.0f}",
        )
        for name, found in peers.items()
    )
    note = "Others on the same rows, one core: processor seconds and MiB."
    return Table(("learner", "first fit", "later fit", "peak MiB"), cells, note)


def main() -> None:
    """Measure, print, write."""
    asked = options()
    rows, pairs = (QUICK_ROWS, 1) if asked.quick else (ROWS, asked.pairs)
    document: dict[str, Any] = {"benchmark": "fit", "against": asked.against, "rows": rows}
    if not asked.quick:
        document |= kept_of(document)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old, new = checked_out(asked.against, folder / "before"), ROOT / "src"
        for cores in asked.cores[:1] if asked.quick else asked.cores:
            both = []
            for number in range(pairs):
                turn = (old, new) if number % 2 == 0 else (new, old)
                both_of = {source: measured(source, rows, cores, folder) for source in turn}
                both.append((both_of[old], both_of[new]))
            document[f"{cores} cores"] = compared(both)
            print(table(document[f"{cores} cores"], cores, asked.against).text(), flush=True)
            if not asked.quick:
                keep(document)
        document["peers"] = {
            peer: process(new, peer, rows, 1, None)
            for peer in PEERS
            if peer != "umap" or find_spec("umap") is not None
        }
        print(json.dumps(document["peers"], indent=1))
    if not asked.quick:
        keep(document)


def kept_of(document: dict[str, Any]) -> dict[str, Any]:
    """What the file holds of other numbers of cores, if this commit was measured."""
    earlier = json.loads(OUT.read_text("utf-8")) if OUT.is_file() else {}
    commit = provenance(seeds=[0, 1])["commit"]
    same = earlier.get("provenance", {}).get("commit") == commit
    same = same and all(earlier.get(name) == value for name, value in document.items())
    return {name: rows for name, rows in earlier.items() if same and name.endswith(" cores")}


def keep(document: dict[str, Any]) -> None:
    """Write the file and the tables, after every number of cores: all together take long."""
    named = sorted(name for name in document if name.endswith(" cores"))
    shown = [table(document[n], int(n.split()[0]), document["against"]) for n in named]
    if "peers" in document:
        shown.append(peers_table(document["peers"]))
    document["provenance"] = provenance(seeds=[0, 1])
    write_atomically(OUT, (json.dumps(document, indent=1) + "\n").encode())
    origin = f"Commit {document['provenance']['commit']}.\n"
    filled = "\n".join([MARKS[0], origin, *(t.markdown() for t in shown), MARKS[1]])
    pattern = re.compile(f"{re.escape(MARKS[0])}.*{re.escape(MARKS[1])}", re.DOTALL)
    text = pattern.sub(lambda _: filled, PAGE.read_text("utf-8"))
    write_atomically(PAGE, text.encode())


if __name__ == "__main__":
    main()
