"""Learners: unlabelled inputs in, encoder out."""

from metaplastic.learners.base import AbstractLearner, Encoder
from metaplastic.learners.classical import PCA, KMeansTriangle, RandomNetwork, Raw, WithInputs
from metaplastic.learners.reconstruction import Autoencoder, VariationalAutoencoder
from metaplastic.learners.rule_learner import RuleLearner, train
from metaplastic.learners.vicreg import VICReg

__all__ = [
    "PCA",
    "AbstractLearner",
    "Autoencoder",
    "Encoder",
    "KMeansTriangle",
    "RandomNetwork",
    "Raw",
    "RuleLearner",
    "VICReg",
    "VariationalAutoencoder",
    "WithInputs",
    "train",
]
