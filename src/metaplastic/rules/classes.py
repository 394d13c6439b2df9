"""The package's own classes of rules."""

from collections.abc import Mapping

from metaplastic.rules.base import AbstractUpdateRule
from metaplastic.rules.hebb import Hebb
from metaplastic.rules.krotov_hopfield import KrotovHopfield
from metaplastic.rules.local import ContextRule, LocalRule
from metaplastic.rules.metz2018 import Metz2018
from metaplastic.rules.oja import Oja
from metaplastic.rules.sanger import Sanger
from metaplastic.rules.softhebb import SoftHebb

RULE_CLASSES: Mapping[str, type[AbstractUpdateRule]] = {
    rule.__name__: rule
    for rule in (LocalRule, ContextRule, Metz2018, Hebb, Oja, Sanger, KrotovHopfield, SoftHebb)
}
"""By name, in the order of `list_rules`. A new rule is added here and nowhere else."""
