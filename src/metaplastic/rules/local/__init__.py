"""`local`: the compact learned rule."""

from metaplastic.rules.local.rule import LocalRule

__all__ = ["LocalRule"]
