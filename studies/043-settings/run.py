"""What every setting of `RuleTransformer` costs and gives on public sets: accuracy and seconds.

A report, not a choice: the defaults were chosen by study 003, on pools that no result is reported
on. One setting is varied at a time, as there.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from laboratory import Call, Table
from laboratory.rules import learner_of
from laboratory.settings import CHANGES, label_of
from metaplastic.data import Dataset
from metaplastic.data.sets import load_set
from metaplastic.errors import MissingDataError
from metaplastic.evaluation import evaluate
from metaplastic.learners import RuleLearner

SEEDS, DRAWS = (0, 1, 2), 30
BATCH = 256
"""The largest batch of any change."""
SETS = ("digits", "mnist14", "fashion14", "movie_snippets", "breast_cancer", "wine")


def arguments(parser: ArgumentParser) -> None:
    """Sets."""
    parser.add_argument("--sets", nargs="+", default=SETS, help="names of `data list`")


def measure(call: Call) -> dict[str, Any]:
    """Accuracies and seconds of the defaults and of every change."""
    changes = ({},) if call.quick else ({}, *CHANGES)
    sets = list(_sets(("wine",) if call.quick else call.options.sets))
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for change in changes:
        learner = learner_of(**change)
        rows[label_of(change)] = {data.name: _measure(learner, data, call.quick) for data in sets}
        print(label_of(change), rows[label_of(change)], file=sys.stderr, flush=True)
        call.save({"rows": rows})
    return {"rows": rows}


def _sets(names: tuple[str, ...]) -> list[Dataset]:
    """The sets that are on this machine; the others are told to standard error."""
    sets = []
    for name in names:
        try:
            sets.append(load_set(name))
        except MissingDataError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return sets


def _measure(learner: RuleLearner, data: Dataset, quick: bool) -> dict[str, float]:
    """Accuracies in percent under both readouts, and seconds of the unlabelled phase.

    The first of two fits is not timed where programs must be compiled: the shape is met before.
    """
    learner.fit(data.x[:BATCH], seed=0)
    draws, seeds = (3, (0,)) if quick else (DRAWS, SEEDS)
    records = evaluate({"": learner}, data, n_draws=draws, seeds=seeds)
    numbers = {record.readout: 100 * record.mean for record in records}
    return numbers | {"seconds": records[0].fit_seconds}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Settings by sets."""
    rows = result["rows"]
    cells = tuple((label, *map(_cell, found.values())) for label, found in rows.items())
    note = (
        f"Accuracy in percent with 10 labels a class, ridge / logistic, {len(SEEDS)} seeds x "
        f"{DRAWS} draws, and seconds of one fit without compiling."
    )
    return {"settings": Table(("", *next(iter(rows.values()))), cells, note)}


def _cell(numbers: Mapping[str, float]) -> str:
    return f"{numbers['ridge']:.1f} / {numbers['logistic']:.1f}, {numbers['seconds']:.1f} s"
