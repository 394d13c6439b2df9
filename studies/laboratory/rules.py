"""Learners with the rule that ships, or with that of a stage of meta-training."""

from pathlib import Path
from typing import Any

from laboratory.study import STUDIES
from metaplastic.errors import InputError
from metaplastic.learners import RuleLearner
from metaplastic.rules import AbstractUpdateRule, load_rule
from metaplastic.studies.paper.common import learned_part, untrained_rule

BASE = "base"


def stage_rule(stage: str) -> Path:
    """The rule file of a stage, whichever study holds it.

    Raises:
        InputError: unless exactly one study does.
    """
    found = sorted(STUDIES.glob(f"*/{stage}/rule.safetensors"))
    if len(found) != 1:
        raise InputError(f"{len(found)} studies have a rule of {stage}, there must be one")
    return found[0]


def learner_of(
    rule: str | Path | AbstractUpdateRule = BASE, *, direct: bool = True, **networks: Any
) -> RuleLearner:
    """The default learner with another rule, by name, file or as it is.

    Args:
        rule: the one that ships if left out.
        direct: whether inputs are among the features.
        networks: sizes, number and training of the networks that differ from the defaults.
    """
    loaded = load_rule(rule)
    return RuleLearner(loaded if direct else learned_part(loaded), **networks)


def stage_learner(stage: str) -> RuleLearner:
    """The default learner with the rule of a stage; that of `base` is the rule that ships."""
    return learner_of(stage if stage == BASE else stage_rule(stage))


def untrained_learner() -> RuleLearner:
    """The default learner with the rule that meta-training started from."""
    return RuleLearner(untrained_rule())
