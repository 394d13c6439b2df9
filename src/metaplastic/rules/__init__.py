"""Update rules: model and trace in, change of the model's parameters out."""

from metaplastic.rules.base import AbstractUpdateRule, RuleState, apply_rule, init_model
from metaplastic.rules.local import LocalRule

__all__ = ["AbstractUpdateRule", "LocalRule", "RuleState", "apply_rule", "init_model"]
