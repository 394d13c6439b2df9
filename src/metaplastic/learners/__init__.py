"""Learners: unlabelled inputs in, encoder out; and classifiers that need labels too.

Each is imported at its first use, so that a fit waits for no library of the others.
"""

from typing import TYPE_CHECKING

from metaplastic.lazy import lazy
from metaplastic.learners.base import AbstractClassifier, AbstractLearner, Encoder, Predictor

if TYPE_CHECKING:
    from metaplastic.learners.classical import PCA, KMeansTriangle, RandomNetwork, Raw, WithInputs
    from metaplastic.learners.classifiers import LabelPropagation, SupervisedMLP
    from metaplastic.learners.inner_loop import train
    from metaplastic.learners.prototypical import PrototypicalNetwork
    from metaplastic.learners.reconstruction import Autoencoder, VariationalAutoencoder
    from metaplastic.learners.rule_learner import RuleLearner, plain_learner
    from metaplastic.learners.vicreg import VICReg

__all__ = [
    "PCA",
    "AbstractClassifier",
    "AbstractLearner",
    "Autoencoder",
    "Encoder",
    "KMeansTriangle",
    "LabelPropagation",
    "Predictor",
    "PrototypicalNetwork",
    "RandomNetwork",
    "Raw",
    "RuleLearner",
    "SupervisedMLP",
    "VICReg",
    "VariationalAutoencoder",
    "WithInputs",
    "plain_learner",
    "train",
]

__getattr__ = lazy(
    __name__,
    {
        "classical": ("PCA", "KMeansTriangle", "RandomNetwork", "Raw", "WithInputs"),
        "classifiers": ("LabelPropagation", "SupervisedMLP"),
        "inner_loop": ("train",),
        "prototypical": ("PrototypicalNetwork",),
        "reconstruction": ("Autoencoder", "VariationalAutoencoder"),
        "rule_learner": ("RuleLearner", "plain_learner"),
        "vicreg": ("VICReg",),
    },
)
