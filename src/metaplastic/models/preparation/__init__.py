"""Preparations: what is done to raw inputs, row by row, before the presentation sees them."""

from metaplastic.models.preparation.base import AbstractPreparation, PreparedRows
from metaplastic.models.preparation.columns import ColumnCurves
from metaplastic.models.preparation.counts import CountWeights
from metaplastic.models.preparation.directions import Directions
from metaplastic.models.preparation.fit import PREPARATIONS, fit_preparation, prepare
from metaplastic.models.preparation.settings import NO_PREPARATION, PreparationSettings

__all__ = [
    "NO_PREPARATION",
    "PREPARATIONS",
    "AbstractPreparation",
    "ColumnCurves",
    "CountWeights",
    "Directions",
    "PreparationSettings",
    "PreparedRows",
    "fit_preparation",
    "prepare",
]
