"""Meta-objectives: scores of features against labels. They see neither model nor rule."""

from metaplastic.objectives.base import AbstractMetaObjective
from metaplastic.objectives.prototypical import Prototypical
from metaplastic.objectives.ridge import FewShotRidge, ridge
from metaplastic.objectives.spreading import LabelSpreading, soft_graph, spread_each

__all__ = [
    "AbstractMetaObjective",
    "FewShotRidge",
    "LabelSpreading",
    "Prototypical",
    "ridge",
    "soft_graph",
    "spread_each",
]
