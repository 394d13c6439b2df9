"""Recorded steps of the original program: read one, replay it, compare.

A recording is an `.npz` file: inputs `x0`, `forward/weight{l}`, `forward/bias{l}` and
`backward/weight{l}` for l = 1..L before the step, the same under `next/` after it, theta under
`theta/` (names in `theta_by_name`), and the scalar `inner_learning_rate`.
"""

import dataclasses
import zipfile
from collections.abc import Mapping
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from metaplastic.errors import FileFormatError, InputError
from metaplastic.models import MLP, Layer, init_mlp
from metaplastic.rules.base import apply_rule
from metaplastic.rules.metz2018.networks import Affine, Normalised, UnitBlock
from metaplastic.rules.metz2018.rule import Metz2018
from metaplastic.rules.metz2018.terms import Pair

MAX_BYTES = 2**30
"""Most bytes that one array of a recording may hold."""


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """One step: rule, model and batch before it, and every array after it by name."""

    rule: Metz2018
    model: MLP
    batch: NDArray[np.float32]
    after: Mapping[str, NDArray[np.float32]]


def theta_by_name(rule: Metz2018) -> dict[str, Array]:
    """Theta of the published rule under the names of a recording, 72 arrays."""
    theta: dict[str, Array] = {}

    def affine(name: str, part: Affine) -> None:
        theta[f"{name}/weight"], theta[f"{name}/bias"] = part.weight, part.bias

    def normalised(place: str, name: str, norm: str, part: Normalised) -> None:
        theta[f"{place}/{name}/weight"] = part.convolution.weight
        theta[f"{place}/{name}/bias"] = part.convolution.bias
        theta[f"{place}/{norm}/offset"] = part.offset

    def block(place: str, part: UnitBlock) -> None:
        normalised(place, "conv0", "norm0", part.first)
        normalised(place, "conv1", "norm1", part.second)

    def pair(name: str, part: Pair) -> None:
        affine(f"readout/{name}/top", part.top)
        affine(f"readout/{name}/bottom", part.bottom)

    normalised("top", "conv0", "norm_conv0", rule.top.first)
    for i, part in enumerate(rule.top.mixing):
        normalised("top", f"unit{i}", f"norm_unit{i}", part)
    for i, part in enumerate(rule.top.hidden):
        normalised("top", f"hidden{i}", f"norm_hidden{i}", part)
    theta["top/out/weight"], theta["top/out/bias"] = rule.top.out.weight, rule.top.out.bias
    theta["h/norm_input/offset"] = rule.hidden.input_offset
    normalised("h", "conv0", "norm_conv0", rule.hidden.first)
    block("h/block0", rule.hidden.first_block)
    normalised("h", "conv1", "norm_conv1", rule.hidden.second)
    block("h/block1", rule.hidden.second_block)
    affine("delta_readout", rule.delta_readout)
    pair("0_order", rule.terms.zero_order)
    pair("1_order", rule.terms.first_order)
    for name in ("rbf", "lin_lower_symm", "lin_upper_symm", "sqr_lower_symm", "sqr_upper_symm"):
        pair(name, getattr(rule.terms, name))
    affine("readout/lin_upper_psd/top", rule.terms.lin_upper_psd)
    theta["merge/weight"], theta["merge/bias"] = rule.terms.merge_weight, rule.terms.merge_bias
    theta["bias_readout/weight"] = rule.bias_weight
    theta["bias_readout/bias"] = rule.bias_offset
    return theta


def read_recording(path: str | Path) -> Recording:
    """Read and check a recording; the file is not trusted.

    Raises
    ------
    FileFormatError
        If the file cannot be read, misses arrays, has others than it should, or arrays of shapes or
        types that do not go together, or values that are not finite.
    """
    arrays = _read_arrays(Path(path))
    depth = sum(name.startswith("forward/weight") for name in arrays)
    if depth == 0 or "x0" not in arrays or arrays["x0"].ndim != 2:
        raise FileFormatError(f"{path}: no recorded step (it needs x0 and forward/weight1)")
    template = _template(path, arrays)
    expected = {f"theta/{name}": leaf.shape for name, leaf in theta_by_name(template).items()}
    expected |= _model_shapes(path, arrays, depth) | {"inner_learning_rate": ()}
    _check_arrays(path, arrays, expected)
    rate = float(arrays["inner_learning_rate"])
    names = theta_by_name(template)
    try:
        rule = eqx.tree_at(
            lambda r: list(theta_by_name(r).values()),
            Metz2018.create(key=jax.random.key(0), n_top=template.n_top or 1, learning_rate=rate),
            [jnp.asarray(arrays[f"theta/{name}"]) for name in names],
        )
    except InputError as error:
        raise FileFormatError(f"{path}: inner_learning_rate: {error}") from error
    model = _model(arrays, depth)
    try:
        rule.init(model, key=jax.random.key(0))
    except InputError as error:
        raise FileFormatError(f"{path}: {error}") from error
    after = {k.removeprefix("next/"): a for k, a in arrays.items() if k.startswith("next/")}
    return Recording(rule, model, arrays["x0"], after)


def _model(arrays: Mapping[str, NDArray], depth: int) -> MLP:
    layers = tuple(
        Layer(
            jnp.asarray(arrays[f"forward/weight{i}"]),
            jnp.asarray(arrays[f"forward/bias{i}"]),
            jnp.asarray(arrays[f"backward/weight{i}"]),
        )
        for i in range(1, depth + 1)
    )
    sizes = (arrays["x0"].shape[1], *(layer.bias.shape[0] for layer in layers))
    empty = init_mlp(sizes, key=jax.random.key(0), readout="post")
    return eqx.tree_at(lambda m: m.layers, empty, layers)


def replay(recording: Recording) -> dict[str, float]:
    """Apply the rule once; the largest absolute difference to the recorded arrays, by name."""
    step = eqx.filter_jit(apply_rule)
    model, _, _ = step(
        recording.rule, recording.model, (), jnp.asarray(recording.batch), key=jax.random.key(0)
    )
    arrays = {}
    for i, layer in enumerate(model.layers, 1):
        arrays[f"forward/weight{i}"] = layer.weight
        arrays[f"forward/bias{i}"] = layer.bias
        arrays[f"backward/weight{i}"] = layer.feedback
    return {
        name: float(np.max(np.abs(np.asarray(arrays[name]) - wanted)))
        for name, wanted in sorted(recording.after.items())
    }


def _read_arrays(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if any(info.file_size > MAX_BYTES for info in file.zip.infolist()):
                raise FileFormatError(f"{path}: an array of more than {MAX_BYTES} bytes")
            return {name: file[name] for name in file.files}
    # A TypeError or an AttributeError is that of an `.npy` file.
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise FileFormatError(f"{path}: cannot be read as .npz: {error}") from error


def _template(path: str | Path, arrays: Mapping[str, NDArray]) -> Metz2018:
    """The structure of the rule, its number of top units read from the recorded theta."""
    offset = arrays.get("theta/top/norm_unit0/offset")
    if offset is None or offset.ndim != 1 or not 1 <= len(offset) <= 4096:
        raise FileFormatError(f"{path}: theta/top/norm_unit0/offset is missing or no vector")
    return eqx.filter_eval_shape(Metz2018.create, key=jax.random.key(0), n_top=len(offset))


def _model_shapes(
    path: str | Path, arrays: Mapping[str, NDArray], depth: int
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"x0": arrays["x0"].shape}
    below = arrays["x0"].shape[1]
    for i in range(1, depth + 1):
        weight = arrays.get(f"forward/weight{i}")
        if weight is None or weight.ndim != 2:
            raise FileFormatError(f"{path}: forward/weight{i} is missing or no matrix")
        own = (below, weight.shape[1])
        for prefix in ("", "next/"):
            shapes[f"{prefix}forward/weight{i}"] = own
            shapes[f"{prefix}backward/weight{i}"] = own
            shapes[f"{prefix}forward/bias{i}"] = own[1:]
        below = weight.shape[1]
    return shapes


def _check_arrays(
    path: str | Path, arrays: Mapping[str, NDArray], expected: Mapping[str, tuple[int, ...]]
) -> None:
    if missing := sorted(expected.keys() - arrays.keys()):
        raise FileFormatError(f"{path}: missing {', '.join(missing[:5])}")
    if unknown := sorted(arrays.keys() - expected.keys()):
        raise FileFormatError(f"{path}: unknown arrays {', '.join(unknown[:5])}")
    for name, shape in expected.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.float32:
            raise FileFormatError(
                f"{path}: {name} must be float32 of shape {shape}, got {array.dtype} {array.shape}"
            )
        if not np.all(np.isfinite(array)):
            raise FileFormatError(f"{path}: {name} holds values that are not finite")
