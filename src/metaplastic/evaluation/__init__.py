"""How a representation is judged: one protocol, its records, the learners it knows by name."""

from metaplastic.evaluation.protocol import OWN, Judged, LabelledSet, evaluate
from metaplastic.evaluation.records import (
    Record,
    compare,
    from_json,
    mean_and_error,
    provenance,
    records_to_rows,
    to_json,
)

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
