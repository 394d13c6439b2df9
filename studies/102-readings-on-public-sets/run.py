"""What readings over the pool gain on the public sets, of our features and of others'."""

import dataclasses
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from laboratory import Call, Table
from laboratory.leaderboard import read_board
from laboratory.public_sets import sets_here
from metaplastic.evaluation import evaluate
from metaplastic.learners import AbstractLearner, KMeansTriangle, Raw, RuleLearner
from metaplastic.learners.base import Encoder
from metaplastic.presets import load_preset
from metaplastic.types import Rows

SEEDS, SHOTS, DRAWS = (0, 1, 2), (1, 3, 10, 50), 10
SETS = (
    "mnist14",
    "fashion14",
    "digits",
    "glyphs_heldout_scripts",
    "movie_snippets",
    "breast_cancer",
    "wine",
    "iris",
)
READOUTS = ("ridge", "logistic", "graph", "auto")
OWN = "base"


@dataclasses.dataclass(frozen=True)
class Umap(AbstractLearner):
    """umap-learn in ten dimensions, for the rows of the pool alone."""

    name: ClassVar[str] = "UMAP-10"

    def fit(self, x: Rows, *, seed: int) -> Encoder:
        from umap import UMAP  # pyright: ignore[reportMissingImports]

        count = min(10, x.shape[1])
        found = UMAP(n_components=count, min_dist=0.0, random_state=seed).fit_transform(x)

        def encode(x: Rows) -> NDArray[np.float32]:
            return np.asarray(found, np.float32)[: x.shape[0]]

        return encode


def arguments(parser: ArgumentParser) -> None:
    """Which learners and sets."""
    parser.add_argument("--only", nargs="+", help="measure these learners, keep the others' rows")
    parser.add_argument("--sets", nargs="+", default=list(SETS), help="names of `data list`")


def learners() -> dict[str, AbstractLearner]:
    """By name; UMAP where umap-learn is installed."""
    found: dict[str, AbstractLearner] = {"raw": Raw(), "k-means-400": KMeansTriangle(400)}
    if find_spec("umap"):
        found[Umap.name] = Umap()
    return found | {OWN: RuleLearner(load_preset(OWN))}


def measure(call: Call) -> dict[str, Any]:
    """Rows of all learners on all sets that are on this machine; rows measured before are kept."""
    sets = ("wine",) if call.quick else call.options.sets
    only = None if call.quick else call.options.only
    names = [name for name in learners() if only is None or name in only]
    kept = [] if call.quick or not call.earlier else call.earlier["rows"]
    rows = [r for r in kept if r["set"] not in sets or r["learner"] not in names]
    for name, data in sets_here(sets):
        smallest = int(np.unique(data.y, return_counts=True)[1].min())
        for learner in names:
            rows += _rows(name, learner, data, [k for k in SHOTS if k < smallest], call.quick)
            call.save({"rows": rows})
    return {"rows": rows}


def _rows(name: str, learner: str, data: Any, shots: Sequence[int], quick: bool) -> list[Any]:
    records = evaluate(
        {learner: learners()[learner]},
        data,
        shots=shots[:1] if quick else shots,
        n_draws=2 if quick else DRAWS,
        seeds=SEEDS[:1] if quick else SEEDS,
        readouts=READOUTS,
    )
    found = []
    for record in records:
        draws = [100 * value for seed in record.draws for value in seed]
        row = {"set": name, "learner": learner, "shots": record.shots, "reading": record.readout}
        found.append(row | {"accuracies": draws, "fit_seconds": record.fit_seconds})
        print(row, f"{np.mean(draws):.1f}", file=sys.stderr, flush=True)
    return found


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Every learner by every reading, and how far "auto" is below the better of two."""
    rows = result["rows"]
    counts = [k for k in SHOTS if any(row["shots"] == k for row in rows)]
    return {f"labels-{k}": read_board(rows, k, OWN) for k in counts} | {"auto": below(rows)}


def below(rows: Sequence[Mapping[str, Any]]) -> Table:
    """How far "auto" is above (+) or below (-) the better of ridge and graph, of our features."""
    of = {
        (row["set"], row["shots"], row["reading"]): np.asarray(row["accuracies"])
        for row in rows
        if row["learner"] == OWN
    }
    cells = []
    for name in dict.fromkeys(key[0] for key in of):
        line = []
        for shots in SHOTS:
            if (name, shots, "auto") not in of:
                line.append("-")
                continue
            best = max(("ridge", "graph"), key=lambda how: of[name, shots, how].mean())
            apart = of[name, shots, "auto"] - of[name, shots, best]
            error = apart.std(ddof=1) / np.sqrt(len(apart))
            line.append(f"{apart.mean():+.1f} ± {error:.1f} ({best})")
        cells.append((name, *line))
    header = ("set", *(f"{k} label{'s' if k > 1 else ''}" for k in SHOTS))
    note = (
        'Points of "auto" above (+) or below (-) the better of ridge and graph (named), with the '
        "standard error over draws."
    )
    return Table(header, tuple(cells), note)
