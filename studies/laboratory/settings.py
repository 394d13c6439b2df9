"""Settings of the default learner that studies vary, one at a time."""

from collections.abc import Mapping
from typing import Any

CHANGES: tuple[dict[str, Any], ...] = (
    {"n_networks": 1, "n_components": 64},
    {"n_networks": 4, "n_components": 256},
    {"n_networks": 16, "n_components": 1024},
    {"n_components": 256},
    {"n_components": 1024},
    {"n_steps": 50},
    {"n_steps": 200},
    {"n_steps": 400},
    {"hidden_sizes": (128,)},
    {"hidden_sizes": (256, 256)},
    {"hidden_sizes": (128, 128, 128)},
    {"batch_size": 64},
    {"batch_size": 256},
)
"""Number and size of networks, inner steps, batches."""

ORDERS = (2, 16)
"""Powers by which columns are scaled, beside the default."""


def label_of(change: Mapping[str, Any]) -> str:
    """What a table calls a change; `default` if nothing is changed."""
    return ", ".join(f"{key}={value}" for key, value in change.items()) or "default"
