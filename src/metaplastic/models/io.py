"""Encoders in files: safetensors, with sizes, nonlinearity and provenance in the header."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import FileFormatError, InputError
from metaplastic.files import check_tensors, read_tensors, write_tensors
from metaplastic.models.activations import check_activations
from metaplastic.models.frozen import FrozenMLP
from metaplastic.models.preparation import PREPARATIONS, AbstractPreparation

FORMAT = "metaplastic-encoder"
"""What the header of an encoder file says it is."""

PREFIX = "preparation."
"""Before the names of a preparation's arrays."""

MAX_UNITS = 1 << 24
"""Most units of a layer."""

MAX_LAYERS = 1000
"""Most layers."""


def save_encoder(path: str | Path, encoder: FrozenMLP, metadata: Mapping[str, Any]) -> None:
    """Write an encoder to one safetensors file, atomically; an existing file is replaced.

    Parameters
    ----------
    path : str or Path
        Usually `NAME.safetensors`.
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
    >>> from metaplastic.models import freeze, init_mlp, load_encoder, save_encoder
    >>> x = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    >>> encoder = freeze(init_mlp((8, 6, 4), key=jax.random.key(0)), x)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_encoder(f"{folder}/mine.safetensors", encoder, {"rows": "noise"})
    ...     again, metadata = load_encoder(f"{folder}/mine.safetensors")
    >>> np.array_equal(again(x), encoder(x)), metadata["rows"]
    (True, 'noise')
    """
    tensors = {
        "shift": encoder.shift,
        "scale": encoder.scale,
        "clip": encoder.clip,
        "gain": encoder.gain,
    }
    for index, (weight, bias) in enumerate(zip(encoder.weights, encoder.biases, strict=True)):
        tensors |= {f"weights.{index}": weight, f"biases.{index}": bias}
    if encoder.direct is not None:
        tensors["direct"] = encoder.direct
    fields = {
        "sizes": [len(encoder.weights[0]), *(weight.shape[1] for weight in encoder.weights)],
        "direct": 0 if encoder.direct is None else encoder.direct.shape[1],
        "activation": encoder.activation,
        "readout": encoder.readout,
        "networks": encoder.n_networks,
    }
    if encoder.preparation is not None:
        fields["preparation"] = encoder.preparation.kind
        own = encoder.preparation.arrays()
        tensors |= {PREFIX + name: value for name, value in own.items()}
    arrays = {name: np.asarray(value, np.float32) for name, value in tensors.items()}
    write_tensors(path, arrays, kind=FORMAT, fields=fields, metadata=metadata)


def load_encoder(path: str | Path) -> tuple[FrozenMLP, dict[str, Any]]:
    """The encoder in a file, and the metadata saved with it. The file is not trusted.

    Parameters
    ----------
    path : str or Path
        A file that `save_encoder` wrote. It is not trusted.

    Returns
    -------
    (FrozenMLP, dict of str to object)
        The encoder, and the metadata saved with it.

    Raises
    ------
    FileFormatError
        If the file is missing, truncated, changed, of another format or a newer version, or its
        arrays do not fit its description.
    """
    tensors, fields, metadata = read_tensors(path, kind=FORMAT)
    preparation, tensors = _preparation(path, tensors, fields.get("preparation"))
    sizes: Any = fields.get("sizes")
    n_direct: Any = fields.get("direct", 0)
    readout: Any = fields.get("readout")
    if not _are_sizes(sizes):
        raise FileFormatError(f"{path}: layer sizes must be positive integers, found {sizes!r:.80}")
    if type(n_direct) is not int or not 0 <= n_direct <= MAX_UNITS:
        raise FileFormatError(
            f"{path}: direct connections must be 0 to {MAX_UNITS}, found {n_direct!r:.80}"
        )
    if readout not in ("drive", "post"):
        raise FileFormatError(f"{path}: unknown readout {readout!r:.80}")
    layers = sizes[1:] if readout == "post" else sizes[1:-1]
    activation = _activation(path, fields.get("activation"), layers)
    depth = len(sizes) - 1
    n_networks = _networks(path, fields.get("networks", 1), sizes)
    check_tensors(path, tensors, _shapes(sizes, n_direct))
    if not tensors["clip"] > 0:
        raise FileFormatError(f"{path}: clip must be positive, found {tensors['clip']}")
    encoder = FrozenMLP(
        tensors["shift"],
        tensors["scale"],
        np.float32(tensors["clip"]),
        np.float32(tensors["gain"]),
        tuple(tensors[f"weights.{index}"] for index in range(depth)),
        tuple(tensors[f"biases.{index}"] for index in range(depth)),
        activation,
        readout,
        tensors.get("direct"),
        n_networks,
        preparation,
    )
    if preparation is not None and preparation.n_features_out != sizes[0]:
        raise FileFormatError(f"{path}: its preparation does not fit its first layer")
    return encoder, metadata


def _shapes(sizes: Sequence[int], n_direct: int) -> dict[str, tuple[int, ...]]:
    """The tensors that an encoder of these sizes has."""
    shapes: dict[str, tuple[int, ...]] = {"shift": (sizes[0],), "scale": (sizes[0],)}
    shapes |= {"clip": (), "gain": ()}
    for index, (pre, post) in enumerate(itertools.pairwise(sizes)):
        shapes |= {f"weights.{index}": (pre, post), f"biases.{index}": (post,)}
    return shapes | ({"direct": (sizes[0], n_direct)} if n_direct else {})


def _preparation(
    path: str | Path, tensors: Mapping[str, NDArray], kind: Any
) -> tuple[AbstractPreparation | None, dict[str, NDArray]]:
    """The preparation in a file, and the tensors that are not its own."""
    if kind is None:
        return None, dict(tensors)
    own = {name: value for name, value in tensors.items() if name.startswith(PREFIX)}
    made = next((each for each in PREPARATIONS if each.kind == kind), None)
    if made is None:
        raise FileFormatError(f"{path}: unknown preparation {kind!r:.80}")
    names = {PREFIX + field.name for field in dataclasses.fields(made)}
    # Of any shape, which the preparation checks.
    check_tensors(path, own, {n: own[n].shape if n in own else () for n in names})
    restored = made.restore({name.removeprefix(PREFIX): value for name, value in own.items()})
    if wrong := restored.check():
        raise FileFormatError(f"{path}: {wrong}")
    return restored, {name: value for name, value in tensors.items() if name not in own}


def _networks(path: str | Path, count: Any, sizes: Sequence[int]) -> int:
    """The number of networks, if equally many units of every hidden layer belong to each.

    Files of version 0.1 do not say it; their weights count as those of one network.
    """
    if type(count) is not int or not 1 <= count <= MAX_UNITS:
        raise FileFormatError(f"{path}: networks must be 1 to {MAX_UNITS}, found {count!r:.80}")
    if any(units % count for units in sizes[1:-1]):
        raise FileFormatError(f"{path}: {count} networks cannot share layers of {sizes[1:-1]}")
    return count


def _activation(path: str | Path, names: Any, layers: Sequence[int]) -> str:
    """The names, if they are of known nonlinearities that can share the units of all `layers`."""
    try:
        shares = len(check_activations(names if isinstance(names, str) else ""))
    except InputError as error:
        raise FileFormatError(f"{path}: unknown activation {names!r:.80}") from error
    for units in layers:
        if units % shares:
            raise FileFormatError(f"{path}: {units} units cannot be shared by {names!r:.80}")
    return names


def _are_sizes(sizes: Any) -> bool:
    return (
        isinstance(sizes, list)
        and 2 <= len(sizes) <= MAX_LAYERS + 1
        and all(type(n) is int and 1 <= n <= MAX_UNITS for n in sizes)
    )
