"""Data: sources that draw samples on the device, public sets, readers of users' files."""

from metaplastic.data.sources import AbstractSource, ImageSource, SourceTask
from metaplastic.data.synthetic import GaussianMixture, HiddenManifold, Prototypes, SparseTopics

__all__ = [
    "AbstractSource",
    "GaussianMixture",
    "HiddenManifold",
    "ImageSource",
    "Prototypes",
    "SourceTask",
    "SparseTopics",
]
