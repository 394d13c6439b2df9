"""Presets: everything that experiments decided about learning features, as data in one file."""

from metaplastic.presets.io import load_preset, save_preset
from metaplastic.presets.networks import NetworkSettings
from metaplastic.presets.plan import Member, Plan
from metaplastic.presets.preset import Preset, plain_preset

__all__ = [
    "Member",
    "NetworkSettings",
    "Plan",
    "Preset",
    "load_preset",
    "plain_preset",
    "save_preset",
]
