"""Learners with the preset that ships, or with the rule of a stage of meta-training in it."""

import dataclasses
from pathlib import Path
from typing import Any

from laboratory.study import STUDIES
from metaplastic.errors import InputError
from metaplastic.learners import RuleLearner
from metaplastic.presets import Preset
from metaplastic.presets.io import BASE, resolve
from metaplastic.rules import AbstractUpdateRule


def stage_rule(stage: str) -> Path:
    """The rule file of a stage, whichever study holds it.

    Raises
    ------
    InputError
        Unless exactly one study does.
    """
    files = sorted(STUDIES.glob(f"*/{stage}/rule.safetensors"))
    if len(files) != 1:
        raise InputError(f"{len(files)} studies have a rule of {stage}, there must be one")
    return files[0]


def learner_of(
    rule: str | Path | AbstractUpdateRule = BASE, *, direct: bool = True, **networks: Any
) -> RuleLearner:
    """The shipped preset with other rules or networks.

    Parameters
    ----------
    rule : str, Path or AbstractUpdateRule, default=BASE
        What takes the place of the preset's rules, by name, file or as it is.
    direct : bool, default=True
        Whether inputs are among the features.
    networks : object
        Fields of `NetworkSettings` that differ.
    """
    preset = resolve(rule)
    preset = preset if direct else preset.without_direct()
    return RuleLearner(preset.with_networks(**networks))


def stage_learner(stage: str) -> RuleLearner:
    """The shipped preset with the rule of a stage; `base` is the preset as it ships."""
    return learner_of(stage if stage == BASE else stage_rule(stage))


def with_share(preset: Preset, share: float) -> Preset:
    """The preset with this share of inputs among its features, however many columns there are."""
    direct = dataclasses.replace(preset.direct, share=share, share_few=share)
    return dataclasses.replace(preset, direct=direct)


def with_order(preset: Preset, order: int) -> Preset:
    """The preset with columns scaled by this power of their deviations."""
    parts = {
        name: dataclasses.replace(getattr(preset, name), order=order)
        for name in ("presentation", "sparse_presentation")
    }
    return dataclasses.replace(preset, **parts)


def with_whitening(preset: Preset, power: float) -> Preset:
    """The preset with inputs that are not mostly zeros whitened by this power."""
    presentation = dataclasses.replace(preset.presentation, whitening=power)
    return dataclasses.replace(preset, presentation=presentation)
