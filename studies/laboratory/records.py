"""Tables of evaluation records."""

from collections.abc import Sequence

from metaplastic.evaluation import OWN, Record
from metaplastic.report import Table

READOUTS = ("ridge", "logistic", OWN)


def names_of(records: Sequence[Record]) -> list[str]:
    """Data sets in order of appearance."""
    return list(dict.fromkeys(record.dataset for record in records))


def set_table(records: Sequence[Record], *, own: str = "") -> Table:
    """Learners in rows, sets in columns, `ridge / logistic` in cells; `own` is set in bold."""
    names = names_of(records)
    labels = list(dict.fromkeys(record.learner for record in records))
    means = {(r.dataset, r.learner, r.readout): 100 * r.mean for r in records}
    rows = tuple(
        (label, *(_cell([means.get((n, label, by)) for by in READOUTS]) for n in names))
        for label in labels
    )
    errors = [100 * record.standard_error for record in records]
    note = (
        "Accuracy in percent with 10 labels a class, ridge / logistic readout (one number where a "
        "classifier has no features to read), permuted columns, "
        f"3 seeds x 30 draws; standard errors from {min(errors):.1f} to {max(errors):.1f}."
    )
    marked = frozenset(i for i, label in enumerate(labels) if label == own)
    return Table(("learner", *names), rows, note, marked)


def _cell(means: Sequence[float | None]) -> str:
    return " / ".join(f"{mean:.1f}" for mean in means if mean is not None)
