"""Learners: unlabelled inputs in, encoder out."""

from metaplastic.learners.base import AbstractLearner, Encoder
from metaplastic.learners.classical import PCA, KMeansTriangle, RandomNetwork, Raw, WithInputs
from metaplastic.learners.rule_learner import RuleLearner, train

__all__ = [
    "PCA",
    "AbstractLearner",
    "Encoder",
    "KMeansTriangle",
    "RandomNetwork",
    "Raw",
    "RuleLearner",
    "WithInputs",
    "train",
]
