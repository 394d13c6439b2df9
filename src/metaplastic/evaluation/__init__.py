"""How a representation is judged: one protocol, its records, the learners it knows by name."""

from metaplastic.evaluation.protocol import LabelledSet, evaluate
from metaplastic.evaluation.records import (
    Record,
    compare,
    from_json,
    mean_and_error,
    provenance,
    records_to_rows,
    to_json,
)
from metaplastic.evaluation.trials import OWN, Judged

__all__ = [
    "OWN",
    "Judged",
    "LabelledSet",
    "Record",
    "compare",
    "evaluate",
    "from_json",
    "mean_and_error",
    "provenance",
    "records_to_rows",
    "to_json",
]
