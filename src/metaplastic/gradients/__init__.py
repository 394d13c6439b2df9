"""Gradient estimators on abstract unrolled problems; they know of no rule, model or task."""

from metaplastic.gradients.base import AbstractGradientEstimator, AbstractInnerProblem, Carry
from metaplastic.gradients.evolution import PES, AntitheticES
from metaplastic.gradients.truncated import TruncatedBackprop
from metaplastic.gradients.unroll import Unroll, shorten

__all__ = [
    "PES",
    "AbstractGradientEstimator",
    "AbstractInnerProblem",
    "AntitheticES",
    "Carry",
    "TruncatedBackprop",
    "Unroll",
    "shorten",
]
