"""`local`: the compact learned rule."""

from metaplastic.rules.local.context import ContextRule
from metaplastic.rules.local.grown import told_outputs, widened
from metaplastic.rules.local.rule import LocalRule

__all__ = ["ContextRule", "LocalRule", "told_outputs", "widened"]
