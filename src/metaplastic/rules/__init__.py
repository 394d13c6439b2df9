"""Update rules: model and trace in, change of the model's parameters out."""

from metaplastic.rules.base import (
    AbstractUpdateRule,
    EagerSteps,
    RuleState,
    Variant,
    apply_rule,
    init_model,
)
from metaplastic.rules.catalog import list_rules, load_rule
from metaplastic.rules.classes import RULE_CLASSES
from metaplastic.rules.hebb import Hebb
from metaplastic.rules.io import load_rule_file, save_rule
from metaplastic.rules.krotov_hopfield import KrotovHopfield
from metaplastic.rules.layerwise import AbstractLayerwiseRule
from metaplastic.rules.local import LocalRule
from metaplastic.rules.metz2018 import Metz2018
from metaplastic.rules.oja import Oja
from metaplastic.rules.rule_set import RuleSet
from metaplastic.rules.sanger import Sanger
from metaplastic.rules.softhebb import SoftHebb

__all__ = [
    "RULE_CLASSES",
    "AbstractLayerwiseRule",
    "AbstractUpdateRule",
    "EagerSteps",
    "Hebb",
    "KrotovHopfield",
    "LocalRule",
    "Metz2018",
    "Oja",
    "RuleSet",
    "RuleState",
    "Sanger",
    "SoftHebb",
    "Variant",
    "apply_rule",
    "init_model",
    "list_rules",
    "load_rule",
    "load_rule_file",
    "save_rule",
]
