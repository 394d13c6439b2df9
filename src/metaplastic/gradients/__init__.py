"""Gradient estimators on abstract unrolled problems; they know of no rule, model or task."""

from metaplastic.gradients.base import AbstractGradientEstimator, AbstractInnerProblem, Carry

__all__ = ["AbstractGradientEstimator", "AbstractInnerProblem", "Carry"]
