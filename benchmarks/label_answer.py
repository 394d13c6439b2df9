"""How long an answer takes on the page of `metaplastic label`: the label kept, the next row shown.

The pool is made: rows of features around the centres of classes. Labels are given as a person
would, row by row as the page shows them. The clock runs from the answer to the whole state of the
page, as JSON; the browser and the way to it are not in it. Processor time is that of the answer
alone: the next rows are chosen beside it, by another thread.

    python benchmarks/label_answer.py [--rows 10000] [--answers 100] [--quick]

Writes `docs/results/label_answer.json` and the table of `docs/performance.md`.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.evaluation import provenance
from metaplastic.files import write_atomically
from metaplastic.labelling import Answers, Cells, Session
from metaplastic.presets import load_preset
from metaplastic.report import Table

DOCS = Path(__file__).parents[1] / "docs"
MARKS = "<!-- answers: begin -->\n", "<!-- answers: end -->"
COLUMNS, CLASSES, SEED = 512, 10, 0
UPTO = (20, 50, 100)
"""Labels up to which answers are counted together."""


def pool(n_rows: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features `(n, COLUMNS)` and classes `(n,)` that overlap, so that the reading has doubts."""
    generator = np.random.default_rng(SEED)
    y = generator.integers(CLASSES, size=n_rows)
    x = (
        generator.normal(size=(n_rows, COLUMNS))
        + 0.35 * generator.normal(size=(CLASSES, COLUMNS))[y]
    )
    return x.astype(np.float32), y


def measure(n_rows: int, n_answers: int) -> dict[str, Any]:
    """Seconds to prepare the page, and milliseconds of every answer."""
    x, y = pool(n_rows)
    with tempfile.TemporaryDirectory() as folder:
        answers = Answers(Path(folder, "labels.csv"), n_rows, "made")
        begin = time.perf_counter()
        session = Session(x, Cells(x, None), answers, load_preset("base").reading, SEED)
        session.prepare()
        prepared = time.perf_counter() - begin
        state, clock, processor = session.state(), [], []
        while len(clock) < n_answers:
            row = state["row"]["number"]
            begin, used = time.perf_counter(), time.thread_time()
            state = session.label(row, f"class {y[row]}")
            json.dumps(state)
            clock.append(round(1e3 * (time.perf_counter() - begin), 1))
            processor.append(round(1e3 * (time.thread_time() - used), 1))
        answers.close()
    return {"rows": n_rows, "prepare_s": round(prepared, 1), "ms": clock, "processor": processor}


def table(runs: Sequence[Mapping[str, Any]]) -> Table:
    """Milliseconds of answers by pool and number of labels."""
    lines = []
    for run in runs:
        for low, high in zip((0, *UPTO), UPTO, strict=False):
            if not run["ms"][low:high]:
                continue
            cells = [f"{run['rows']:,}", f"{low + 1} to {min(high, len(run['ms']))}"]
            for name in ("processor", "ms"):
                own = np.array(run[name][low:high])
                cells += [f"{np.median(own):.0f}", f"{np.percentile(own, 95):.0f}"]
            lines.append(tuple(cells))
    note = f"{COLUMNS} features, {CLASSES} classes; milliseconds, median and 95 of 100 answers."
    header = ("rows", "answers", "processor", "95 of 100", "by the clock", "95 of 100")
    return Table(header, tuple(lines), note)


def with_table(page: str, runs: Sequence[Mapping[str, Any]]) -> str:
    """The document with the table of these results between its marks."""
    before, rest = page.split(MARKS[0])
    return before + MARKS[0] + table(runs).markdown() + "\n" + MARKS[1] + rest.split(MARKS[1])[1]


def main() -> None:
    """Measure, and write the result and the document."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000], help="rows (10000)")
    parser.add_argument("--answers", type=int, default=100, help="answers to give (100)")
    parser.add_argument("--quick", action="store_true", help="300 rows, 12 answers, write nothing")
    options = parser.parse_args()
    sizes, n_answers = ([300], 12) if options.quick else (options.rows, options.answers)
    runs = [measure(n_rows, n_answers) for n_rows in sizes]
    print(table(runs).text())
    if options.quick:
        return
    result = {"provenance": provenance(seeds=(SEED,)), "runs": runs}
    text = json.dumps(result, indent=1) + "\n"
    write_atomically(DOCS / "results" / "label_answer.json", text.encode())
    page = DOCS / "performance.md"
    write_atomically(page, with_table(page.read_text("utf-8"), runs).encode())


if __name__ == "__main__":
    sys.exit(main())
