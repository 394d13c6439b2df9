"""Learners: unlabelled inputs in, encoder out; and classifiers that need labels too."""

from metaplastic.learners.base import AbstractClassifier, AbstractLearner, Encoder, Predictor
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
