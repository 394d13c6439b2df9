"""Estimators for scikit-learn users: features without labels, and few-shot classification."""

from metaplastic.sklearn.classifier import FewShotClassifier
from metaplastic.sklearn.suggestion import suggest
from metaplastic.sklearn.transformer import RuleTransformer

__all__ = ["FewShotClassifier", "RuleTransformer", "suggest"]
