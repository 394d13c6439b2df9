"""Base models: networks whose parameters a rule changes. They know no rule."""

from metaplastic.models.activations import (
    ACTIVATIONS,
    SEVERAL,
    activate,
    check_activation,
    check_activations,
)
from metaplastic.models.frozen import (
    BLOCK_ROWS,
    FrozenMLP,
    block_rows,
    dense,
    first_features,
    freeze,
    in_blocks,
    side_by_side,
    with_direct,
)
from metaplastic.models.io import load_encoder, save_encoder
from metaplastic.models.mlp import (
    MLP,
    Delta,
    Initialisation,
    Layer,
    LayerTrace,
    Readout,
    Trace,
    init_mlp,
    normalise,
    unit_columns,
    unit_rows,
)
from metaplastic.models.scaling import (
    InputScaling,
    fit_scaling,
    identity_scaling,
    scaling_from_moments,
)

__all__ = [
    "ACTIVATIONS",
    "BLOCK_ROWS",
    "MLP",
    "SEVERAL",
    "Delta",
    "FrozenMLP",
    "Initialisation",
    "InputScaling",
    "Layer",
    "LayerTrace",
    "Readout",
    "Trace",
    "activate",
    "block_rows",
    "check_activation",
    "check_activations",
    "dense",
    "first_features",
    "fit_scaling",
    "freeze",
    "identity_scaling",
    "in_blocks",
    "init_mlp",
    "load_encoder",
    "normalise",
    "save_encoder",
    "scaling_from_moments",
    "side_by_side",
    "unit_columns",
    "unit_rows",
    "with_direct",
]
