"""Which rows of a pool to label: typical and different ones first, then what is still unsure."""

from metaplastic.suggest.order import suggest_rows
from metaplastic.suggest.unsure import doubts, unsure_rows

__all__ = ["doubts", "suggest_rows", "unsure_rows"]
