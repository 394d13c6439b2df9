"""Learners on validation pools: how rules and settings are compared before one is chosen."""

from collections.abc import Mapping, Sequence

import numpy as np

from laboratory.pools import ROWS, validation_pool
from laboratory.rules import stage_learner
from laboratory.study import Call
from metaplastic.evaluation import evaluate
from metaplastic.learners import PCA, AbstractLearner, KMeansTriangle, Raw
from metaplastic.report import Table

Scores = dict[str, list[float]]
"""Accuracies in percent, one of each pool and number of labels, by readout."""

Rows = dict[str, dict[str, Scores]]
"""Scores by label of the learner and kind of pool."""

QUICK_ROWS, DRAWS, QUICK_DRAWS = 300, 10, 2


def baselines() -> dict[str, AbstractLearner]:
    """What every comparison on pools shows first."""
    return {"raw": Raw(), "PCA-32": PCA(32), "k-means-400": KMeansTriangle(400)}


def rules_of(*stages: str) -> dict[str, AbstractLearner]:
    """The default learner with the rule of every stage, by the names of the stages."""
    return {stage: stage_learner(stage) for stage in stages}


def measure_on_pools(
    call: Call,
    learners: Mapping[str, AbstractLearner],
    kinds: Sequence[str],
    *,
    n_pools: int,
    shots: Sequence[int] = (10,),
    n_rows: int = ROWS,
) -> Rows:
    """Every learner on `n_pools` pools of every kind; one small pool of the last if `quick`.

    Raises
    ------
    InputError
        If a kind is none of `pools.KINDS`.
    """
    if call.quick:
        kinds, n_pools, n_rows = kinds[-1:], 1, QUICK_ROWS
    rows: Rows = {}
    for label, learner in learners.items():
        rows[label] = {kind: _scores(call, learner, kind, n_pools, shots, n_rows) for kind in kinds}
        shown = " ".join(f"{kind} {cell(scores)}" for kind, scores in rows[label].items())
        print(label, shown, sep="  ", flush=True)
        call.save({"rows": rows})
    return rows


def _scores(
    call: Call,
    learner: AbstractLearner,
    kind: str,
    n_pools: int,
    shots: Sequence[int],
    n_rows: int,
) -> Scores:
    scores: Scores = {"ridge": [], "logistic": []}
    draws = QUICK_DRAWS if call.quick else DRAWS
    for seed in range(n_pools):
        pool = validation_pool(kind, seed, n_rows)
        for record in evaluate({kind: learner}, pool, shots=shots, n_draws=draws, seeds=(seed,)):
            scores[record.readout].append(100 * record.mean)
    return scores


def cell(scores: Mapping[str, Sequence[float]]) -> str:
    """Means of a cell: ridge / logistic."""
    return " / ".join(f"{np.mean(values):.1f}" for values in scores.values())


def pool_table(
    rows: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]],
    *,
    names: Mapping[str, str] | None = None,
    bold: str = "",
    n_pools: int,
    n_rows: int = ROWS,
) -> Table:
    """Learners by kinds of pools, with the mean over kinds.

    Parameters
    ----------
    rows : mapping of str to mapping of str to mapping of str to sequence of float
        What `measure_on_pools` returned.
    names : mapping of str to str, optional
        The rows to show, in this order, and what to call them; all as they are if left out.
    bold : str, default=""
        Label of the row that was chosen.
    n_pools : int
        Pools of each kind, for the note.
    n_rows : int, default=ROWS
        Of a pool, for the note.
    """
    names = names or {label: label for label in rows}
    shown = {label: name for label, name in names.items() if label in rows}
    kinds = list(rows[next(iter(shown))])
    cells = tuple(
        (name, *(cell(rows[label][kind]) for kind in kinds), f"{_mean(rows[label]):.1f}")
        for label, name in shown.items()
    )
    marked = frozenset(i for i, label in enumerate(shown) if label == bold)
    count = f"{n_pools} pool{'s' if n_pools > 1 else ''}"
    note = (
        f"Accuracy in percent with 10 labels a class, ridge / logistic; {count} of {n_rows:,} rows "
        f"of each kind, {DRAWS} draws of labels on each. The mean is over kinds and readouts."
    )
    return Table(("", *kinds, "mean"), cells, note, marked)


def _mean(by_pool: Mapping[str, Mapping[str, Sequence[float]]]) -> float:
    return float(np.mean([np.mean(list(scores.values())) for scores in by_pool.values()]))
