"""Base models: networks whose parameters a rule changes. They know no rule.

What needs JAX is imported at its first use, so that encoders are loaded and used without it.
"""

from typing import TYPE_CHECKING

from metaplastic.lazy import lazy
from metaplastic.models.activations import (
    ACTIVATIONS,
    AUTO,
    BOUNDED,
    SEVERAL,
    Readout,
    activate,
    check_activation,
    check_activations,
    plain_activation,
)
from metaplastic.models.direct import NO_DIRECT, DirectSettings, with_direct
from metaplastic.models.frozen import FrozenMLP
from metaplastic.models.io import load_encoder, save_encoder
from metaplastic.models.pictures import NO_PICTURES, PictureSettings
from metaplastic.models.preparation import (
    NO_PREPARATION,
    AbstractPreparation,
    PreparationSettings,
    fit_preparation,
    prepare,
)
from metaplastic.models.principal import principal_axes
from metaplastic.models.rows import (
    BLOCK_ROWS,
    block_rows,
    dense,
    in_blocks,
    row_blocks,
    share_of_least,
)
from metaplastic.models.scaling import (
    PLAIN,
    PresentationSettings,
    apply_scaling,
    scaling_from_moments,
)
from metaplastic.models.several import first_features, side_by_side

if TYPE_CHECKING:
    from metaplastic.models.axes import leading_axes
    from metaplastic.models.draws import Key, draw_mlp, folded_key, seed_key, split_key
    from metaplastic.models.freezing import freeze
    from metaplastic.models.mlp import (
        MLP,
        Delta,
        Initialisation,
        Layer,
        LayerTrace,
        Trace,
        init_mlp,
        normalise,
        unit_columns,
        unit_rows,
    )
    from metaplastic.models.presentation import (
        Presentation,
        fit_presentation,
        identity_presentation,
    )
    from metaplastic.models.whitening import Whitening, fit_whitening, whitening_from_moments

__all__ = [
    "ACTIVATIONS",
    "AUTO",
    "BLOCK_ROWS",
    "BOUNDED",
    "MLP",
    "NO_DIRECT",
    "NO_PICTURES",
    "NO_PREPARATION",
    "PLAIN",
    "SEVERAL",
    "AbstractPreparation",
    "Delta",
    "DirectSettings",
    "FrozenMLP",
    "Initialisation",
    "Key",
    "Layer",
    "LayerTrace",
    "PictureSettings",
    "PreparationSettings",
    "Presentation",
    "PresentationSettings",
    "Readout",
    "Trace",
    "Whitening",
    "activate",
    "apply_scaling",
    "block_rows",
    "check_activation",
    "check_activations",
    "dense",
    "draw_mlp",
    "first_features",
    "fit_preparation",
    "fit_presentation",
    "fit_whitening",
    "folded_key",
    "freeze",
    "identity_presentation",
    "in_blocks",
    "init_mlp",
    "leading_axes",
    "load_encoder",
    "normalise",
    "plain_activation",
    "prepare",
    "principal_axes",
    "row_blocks",
    "save_encoder",
    "scaling_from_moments",
    "seed_key",
    "share_of_least",
    "side_by_side",
    "split_key",
    "unit_columns",
    "unit_rows",
    "whitening_from_moments",
    "with_direct",
]

__getattr__ = lazy(
    __name__,
    {
        "axes": ("leading_axes",),
        "draws": ("Key", "draw_mlp", "folded_key", "seed_key", "split_key"),
        "freezing": ("freeze",),
        "mlp": (
            "MLP",
            "Delta",
            "Initialisation",
            "Layer",
            "LayerTrace",
            "Trace",
            "init_mlp",
            "normalise",
            "unit_columns",
            "unit_rows",
        ),
        "presentation": ("Presentation", "fit_presentation", "identity_presentation"),
        "whitening": ("Whitening", "fit_whitening", "whitening_from_moments"),
    },
)
