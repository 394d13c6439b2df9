"""`local`: the compact learned rule."""

from metaplastic.rules.local.context import ContextRule
from metaplastic.rules.local.grown import grown, narrowed, told_labels, told_outputs, widened
from metaplastic.rules.local.rule import LocalRule

__all__ = [
    "ContextRule",
    "LocalRule",
    "grown",
    "narrowed",
    "told_labels",
    "told_outputs",
    "widened",
]
