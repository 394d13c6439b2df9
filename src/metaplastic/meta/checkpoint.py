"""Checkpoints: a pytree of arrays in safetensors, checksummed, written atomically, never unpickled.

`step-00000042.safetensors` holds the arrays, named by their paths in the tree, and as metadata
the format version, the step, the configuration's fingerprint and what the caller adds.
`step-00000042.json`, written last, holds its size and SHA-256: a checkpoint without it does not
exist. A crash at any moment, or a full disk, leaves the previous checkpoint as it was.
"""

import dataclasses
import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from metaplastic.errors import ConfigurationError, FileFormatError, InputError
from metaplastic.files import write_atomically

FORMAT = "metaplastic-checkpoint-1"
"""Name and version of the format."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read.

    Attributes
    ----------
    tree : PyTree
        The state.
    step : int
        Number of updates done.
    extra : dict of str to object
        What was saved beside the tree.
    complete : bool, default=True
        False if the part that may be missing (`optional` of `load_checkpoint`) was missing.
    """

    tree: PyTree
    step: int
    extra: dict[str, Any]
    complete: bool = True


def save_checkpoint(
    directory: Path,
    tree: PyTree,
    *,
    step: int,
    fingerprint: str,
    extra: dict[str, Any] | None = None,
    keep: int = 2,
) -> Path:
    """Write a checkpoint of all array leaves of `tree` and drop all but the newest `keep`.

    Parameters
    ----------
    directory : Path
        Folder of the checkpoints; made if missing.
    tree : PyTree
        The state.
    step : int
        Number of updates done.
    fingerprint : str
        Fingerprint of the configuration.
    extra : dict of str to object, optional
        Plain JSON values to keep beside the tree.
    keep : int, default=2
        Number of checkpoints to keep.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InputError
        For typed PRNG keys in the tree (make them from the seed and the step instead), or if the
        disk refuses. The earlier checkpoints are then as they were.
    """
    header = {"format": FORMAT, "step": step, "fingerprint": fingerprint, "extra": extra or {}}
    tensors = {name: _host(name, leaf) for name, leaf in _named_arrays(tree).items()}
    data = save(tensors, {"checkpoint": json.dumps(header)})
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"step-{step:08d}.safetensors"
    # A checkpoint of the same step, if any, stops existing before it is replaced.
    path.with_suffix(".json").unlink(missing_ok=True)
    write_atomically(path, data)
    seal = {"file": path.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    write_atomically(path.with_suffix(".json"), json.dumps(seal).encode())
    _prune(directory, keep, newest=path)
    return path


def load_checkpoint(
    directory: Path, like: PyTree, *, fingerprint: str, optional: str | None = None
) -> Checkpoint | None:
    """The newest good checkpoint of `directory`, or `None` if none was ever completed.

    A damaged checkpoint is passed over with a warning; once an older one is found good, the
    damaged one's seal is renamed to `*.damaged`, so that it no longer counts as kept.

    Parameters
    ----------
    directory : Path
        The directory that `save_checkpoint` wrote.
    like : PyTree
        A tree of the same structure; arrays or `jax.ShapeDtypeStruct`s are filled from the file,
        other leaves are kept.
    fingerprint : str
        Fingerprint of the present configuration.
    optional : str, optional
        Path in the tree (as of `jax.tree_util.keystr`) below which a checkpoint may hold no array
        at all; the leaves there then stay as they are in `like`.

    Returns
    -------
    Checkpoint or None
        The checkpoint, if there is one.

    Raises
    ------
    FileFormatError
        If there are checkpoints but none is good.
    ConfigurationError
        If the newest good one is of another configuration.
    """
    seals = sorted(directory.glob("step-*.json"), reverse=True)
    problems, damaged = [], []
    for seal in seals:
        try:
            header, tensors = _read(seal)
        except FileFormatError as error:
            warnings.warn(f"{error}; trying the checkpoint before it", RuntimeWarning, stacklevel=2)
            problems.append(str(error))
            damaged.append(seal)
            continue
        if header["fingerprint"] != fingerprint:
            raise ConfigurationError(
                f"{directory} belongs to another configuration (fingerprint "
                f"{header['fingerprint'][:12]}, now {fingerprint[:12]}); use the settings of that "
                "run or choose another directory"
            )
        tree, complete = _fill(like, tensors, seal, optional)
        checkpoint = Checkpoint(tree, int(header["step"]), header["extra"], complete)
        for bad in damaged:
            bad.rename(bad.with_suffix(".damaged"))
        return checkpoint
    if problems:
        raise FileFormatError(
            f"no good checkpoint in {directory}: {'; '.join(problems)}; delete the run directory "
            "and start again, or restore it from a copy"
        )
    return None


def _named_arrays(tree: PyTree) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves if _is_array(leaf)}


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray | jax.ShapeDtypeStruct)


def _host(name: str, leaf: Any) -> NDArray:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        raise InputError(
            f"{name} is a typed PRNG key, which is never stored: make it from the seed and the step"
        )
    return np.ascontiguousarray(leaf).reshape(leaf.shape)


def _prune(directory: Path, keep: int, *, newest: Path) -> None:
    seals = sorted(directory.glob("step-*.json"), reverse=True)
    kept = {newest.stem, *(seal.stem for seal in seals[:keep])}
    # Seals go first: a checkpoint must not lose its data while it still claims to exist.
    for path in [*seals, *directory.glob("step-*.safetensors")]:
        if path.stem not in kept:
            path.unlink(missing_ok=True)


def _read(seal: Path) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Header and tensors of a checkpoint whose checksum holds; else `FileFormatError`."""
    path = seal.with_suffix(".safetensors")
    try:
        expected = json.loads(seal.read_bytes())
        data = path.read_bytes()
        if len(data) != expected["bytes"]:
            raise FileFormatError(f"{path} is truncated: {len(data)} bytes of {expected['bytes']}")
        if hashlib.sha256(data).hexdigest() != expected["sha256"]:
            raise FileFormatError(f"{path} is damaged: its SHA-256 is not the recorded one")
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["checkpoint"])
        tensors = load(data)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path} cannot be read ({error})") from error
    if header.get("format") != FORMAT:
        raise FileFormatError(f"{path} is of format {header.get('format')!r}, not {FORMAT!r}")
    return header, tensors


def _fill(
    like: PyTree, tensors: dict[str, NDArray], source: Path, optional: str | None
) -> tuple[PyTree, bool]:
    """`like` with the arrays of a file, and whether it holds all of them."""
    wanted = _named_arrays(like)
    spared = {name for name in wanted if optional is not None and name.startswith(optional)}
    complete = not spared or not spared.isdisjoint(tensors)
    if not complete:
        wanted = {name: leaf for name, leaf in wanted.items() if name not in spared}
    if wanted.keys() != tensors.keys():
        different = sorted(wanted.keys() ^ tensors.keys())
        raise FileFormatError(f"{source.stem} has other arrays than expected: {different[:3]} ...")
    for name, leaf in wanted.items():
        stored = tensors[name]
        if stored.shape != leaf.shape or stored.dtype != leaf.dtype:
            raise FileFormatError(
                f"{source.stem}: {name} is {stored.dtype}{stored.shape}, expected "
                f"{leaf.dtype}{leaf.shape}"
            )

    def fill(path: tuple, leaf: Any) -> Any:
        name = jax.tree_util.keystr(path)
        return jnp.array(tensors[name]) if name in wanted else leaf

    return jax.tree_util.tree_map_with_path(fill, like), complete
