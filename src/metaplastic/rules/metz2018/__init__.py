"""The published rule of Metz et al. 2018, and recordings of its original program."""

from metaplastic.rules.metz2018.rule import Metz2018

__all__ = ["Metz2018"]
