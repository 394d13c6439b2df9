"""Meta-objectives: scores of features against labels. They see neither model nor rule."""

from metaplastic.objectives.base import AbstractMetaObjective
from metaplastic.objectives.prototypical import Prototypical
from metaplastic.objectives.ridge import FewShotRidge, ridge

__all__ = ["AbstractMetaObjective", "FewShotRidge", "Prototypical", "ridge"]
