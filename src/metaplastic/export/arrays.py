"""An encoder as plain named arrays; docs/export.md has the ten lines of NumPy that apply them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from metaplastic.files import write_tensors
from metaplastic.models import FrozenMLP

FORMAT = "metaplastic-arrays"
"""What the header of such a file says it is."""


def export_arrays(path: str | Path, encoder: FrozenMLP, metadata: Mapping[str, Any]) -> None:
    """Write the arrays of an encoder to a safetensors file, atomically; all are float32.

    With `d` input columns, `shift` and `scale` are `(d,)`, `clip` and `gain` are scalars; layer
    `i`, counted from 0, has `weight_i` `(pre, post)` and `bias_i` `(post,)`. The JSON text `fields`
    of the header holds `activations`, the name of every layer's nonlinearity; of several, as in
    `relu+tanh`, each has an equal share of the columns. If there is `direct` `(d, m)`, the first m
    features are the presented inputs times it. Arrays of a preparation have the name of its kind
    before their own, as `curves_knots` or `counts_axes`; `d` is then the number of prepared
    columns.

    Parameters
    ----------
    path : str or Path
        The file, usually `NAME.safetensors`. An existing file is replaced.
    encoder : FrozenMLP
        A trained and frozen base model.
    metadata : mapping of str to object
        Provenance, plain JSON values.

    Raises
    ------
    InputError
        For metadata that JSON cannot hold, numbers that are not finite, or a place that cannot be
        written.

    Examples
    --------
    >>> import tempfile
    >>> import jax
    >>> import numpy as np
    >>> from safetensors.numpy import load_file
    >>> from metaplastic.export import export_arrays
    >>> from metaplastic.models import freeze, init_mlp
    >>> x = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    >>> encoder = freeze(init_mlp((8, 6, 4), key=jax.random.key(0)), x)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_arrays(f"{folder}/plain.safetensors", encoder, {})
    ...     sorted(load_file(f"{folder}/plain.safetensors"))[:2]
    ['bias_0', 'bias_1']
    """
    write_tensors(
        path,
        {name: np.asarray(value, np.float32) for name, value in _arrays(encoder).items()},
        kind=FORMAT,
        fields={"activations": layer_activations(encoder)},
        metadata=metadata,
    )


def layer_activations(encoder: FrozenMLP) -> list[str]:
    """The nonlinearity of every layer; `linear` for the last one if its drive is read out."""
    names = [encoder.activation] * len(encoder.weights)
    return names if encoder.readout == "post" else [*names[:-1], "linear"]


def _arrays(encoder: FrozenMLP) -> dict[str, Any]:
    """The arrays of the file, by name."""
    arrays = {
        "shift": encoder.shift,
        "scale": encoder.scale,
        "clip": encoder.clip,
        "gain": encoder.gain,
    }
    if encoder.direct is not None:
        arrays["direct"] = encoder.direct
    if encoder.preparation is not None:
        own = encoder.preparation
        arrays |= {f"{own.kind}_{name}": value for name, value in own.arrays().items()}
    for index, (weight, bias) in enumerate(zip(encoder.weights, encoder.biases, strict=True)):
        arrays |= {f"weight_{index}": weight, f"bias_{index}": bias}
    return arrays
