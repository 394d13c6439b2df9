"""Rules with every nonlinearity: the learned features of one network, on validation pools."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

from laboratory.pools import validation_pool
from laboratory.rules import learner_of
from laboratory.study import Call
from metaplastic.evaluation import evaluate
from metaplastic.learners import RuleLearner
from metaplastic.models import ACTIVATIONS
from metaplastic.report import Table

BOUNDED = ("tanh", "sigmoid", "sine", "step")
Row = dict[str, Any]


def measure_nonlinearities(
    call: Call, rules: Mapping[str, str | Path], kind: str, n_pools: int
) -> list[Row]:
    """A row for every rule and nonlinearity: accuracies in percent, means over the pools.

    Learned features alone: inputs among the features would cover for them.
    """
    n_rows, n_pools, n_draws = (300, 1, 2) if call.quick else (2000, n_pools, 10)
    pools = [validation_pool(kind, seed, n_rows) for seed in range(n_pools)]
    rows: list[Row] = []
    n_steps = 2 if call.quick else 100
    for label, source in rules.items():
        one = learner_of(source, direct=False, n_networks=1, n_components=128, n_steps=n_steps)
        for activation in ACTIVATIONS[:2] if call.quick else ACTIVATIONS:
            learner = RuleLearner(one.preset.with_networks(activation=activation))
            records = [
                record
                for pool in pools
                for record in evaluate({label: learner}, pool, n_draws=n_draws, seeds=(0,))
            ]
            accuracies = {
                readout: round(100 * mean(r.mean for r in records if r.readout == readout), 1)
                for readout in dict.fromkeys(record.readout for record in records)
            }
            rows.append({"rule": label, "activation": activation, **accuracies})
            print(*rows[-1].values(), sep="  ", flush=True)
    return rows


def rows_of(result: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    """Rows with the name of the part that they stand in, of a file of one or of several parts."""
    if "rows" in result:
        yield from ((row["rule"], row) for row in result["rows"])
        return
    for name, part in result.items():
        yield from ((name, row) for row in part["rows"])


def nonlinearity_table(
    result: Mapping[str, Any],
    names: Mapping[str, str],
    activations: tuple[str, ...] = ACTIVATIONS,
    *,
    where: str,
) -> Table:
    """Nonlinearities in rows, rules in columns.

    Parameters
    ----------
    result : mapping of str to object
        Of `measure_nonlinearities`, or parts of such.
    names : mapping of str to str
        Parts to show, and what the table calls them.
    activations : tuple of str, default=ACTIVATIONS
        To show.
    where : str
        The pools, for the note.
    """
    by_part = {
        (part, row["activation"]): f"{row['ridge']:.1f} / {row['logistic']:.1f}"
        for part, row in rows_of(result)
    }
    cells = tuple((a, *(by_part.get((part, a), "-") for part in names)) for a in activations)
    note = (
        f"Accuracy in percent with 10 labels a class, ridge / logistic, of the learned features of "
        f"one network; {where}, 10 draws of labels."
    )
    return Table(("", *names.values()), cells, note)
