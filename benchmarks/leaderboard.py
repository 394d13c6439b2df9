"""Every learner on every public set, ranked: `docs/leaderboard.md` from what `few-shot` measured.

    python benchmarks/leaderboard.py             # from docs/page/few-shot.json
    python benchmarks/leaderboard.py --quick     # measures the quick form, prints, writes nothing

The measurements are those of `metaplastic reproduce few-shot --out docs/page`.
"""

import argparse
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metaplastic.evaluation import OWN
from metaplastic.files import write_atomically
from metaplastic.report import Table
from metaplastic.studies.paper.common import select, values
from metaplastic.studies.paper.experiment import Options
from metaplastic.studies.paper.run import reproduce

DOCS = Path(__file__).parents[1] / "docs"
Rows = Sequence[Mapping[str, Any]]


def board(rows: Rows, shots: int, own: str) -> Table:
    """Learners by sets at one number of labels, the best mean first."""
    rows = select(rows, shots=shots)
    sets = values(rows, "dataset")
    lines = []
    for learner in values(rows, "learner"):
        some = select(rows, learner=learner)
        by_set = [select(some, dataset=name) for name in sets]
        cells = [" / ".join(f"{100 * row['mean']:.1f}" for row in found) for found in by_set]
        means = [sum(r["mean"] for r in found) / len(found) for found in by_set if found]
        mean = 100 * sum(means) / len(means) if len(means) == len(sets) else math.nan
        lines.append((mean, learner, cells))
    lines.sort(key=lambda line: (math.isnan(line[0]), -line[0]))
    shown = tuple(
        (learner, *cells, "-" if math.isnan(mean) else f"{mean:.1f}")
        for mean, learner, cells in lines
    )
    marked = frozenset(i for i, (_, learner, _) in enumerate(lines) if learner == own)
    note = (
        f"Accuracy in percent with {shots} label{'s' if shots > 1 else ''} a class, ridge / "
        "logistic readout (one number where a learner needs none). The mean is over all sets."
    )
    return Table(("learner", *sets, "mean"), shown, note, marked)


def seconds(rows: Rows, own: str) -> Table:
    """Mean seconds of a fit, compiling included."""
    sets, names = values(rows, "dataset"), values(rows, "learner")
    lines = []
    for learner in names:
        found = [select(rows, learner=learner, dataset=name) for name in sets]
        lines.append((learner, *(f"{f[0]['fit_seconds']:.1f}" if f else "-" for f in found)))
    marked = frozenset(i for i, learner in enumerate(names) if learner == own)
    note = (
        "Seconds of a fit to the whole set, compiling included, on a core shared with other work."
    )
    return Table(("learner", *sets), tuple(lines), note, marked)


def document(content: Mapping[str, Any]) -> str:
    """The page, as Markdown."""
    rows, own = content["result"]["rows"], content["result"]["own"]
    settings, origin = content["settings"], content["provenance"]
    parts = [
        "# Leaderboard\n",
        "Made by `python benchmarks/leaderboard.py` from `docs/page/few-shot.json` (`metaplastic "
        "reproduce few-shot --out docs/page`); not edited by hand. The protocol is that of "
        'docs/design.md, "How a representation is judged": columns permuted, '
        f"{len(settings['seeds'])} seeds x {settings['n_draws']} draws. Standard errors and "
        "figures are on [the page of all experiments](page/index.html).\n",
        f"Seeds {settings['seeds']}, commit {origin['commit']}, machine {origin['machine']}.\n",
    ]
    for shots in values(rows, "shots"):
        title = f"## {shots} label{'s' if shots > 1 else ''} a class\n"
        parts += [title, board(rows, shots, own).markdown()]
    parts += ["## Seconds\n", seconds([r for r in rows if r["readout"] != OWN], own).markdown()]
    return "\n".join(parts)


def main() -> None:
    """Read or measure, then write or print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little, write nothing")
    args = parser.parse_args()
    if args.quick:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "page"
            reproduce(["few-shot"], out, options=Options(quick=True), show=False)
            print(document(json.loads((out / "few-shot.json").read_text("utf-8"))))
        return
    content = json.loads((DOCS / "page" / "few-shot.json").read_text("utf-8"))
    write_atomically(DOCS / "leaderboard.md", document(content).encode())


if __name__ == "__main__":
    main()
