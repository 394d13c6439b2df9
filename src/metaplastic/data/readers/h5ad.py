"""AnnData files (`.h5ad`): the matrix or a layer of it as rows, a column of `obs` as labels.

All versions of the format are read: columns of `obs` that are groups or datasets (0.8 and later),
categories beside them (0.7), and tables of records (0.6 and before).
"""

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from metaplastic.data.labels import UNLABELLED, is_missing, typed_labels
from metaplastic.data.readers.hdf5 import opened, read_dataset
from metaplastic.data.tables import LABEL_NAMES, Options, Table
from metaplastic.errors import FileFormatError, InputError

RAW = "raw"
"""The layer that stands for `adata.raw.X`."""


def read_h5ad(path: Path, options: Options) -> Table:
    """Cells as rows, genes as columns; the labels are a column of `obs`, if it was named.

    A cell without a category, or with NaN, is unlabelled.

    Raises
    ------
    MissingDataError
        Without h5py.
    FileFormatError
        For a damaged file, or one of another kind.
    InputError
        For a layer or a column of `obs` that is not there.
    """
    with opened(path) as file:
        if "X" not in file or "obs" not in file:
            raise FileFormatError(f"{path}: not an AnnData file (it has no X or no obs)")
        x = _matrix(_layer(file, options.layer, path), path)
        column = _column(file["obs"], options.label, path)
        y = None if column is None else _labels(file, column, path)
        width = x.shape[1] if len(x.shape) == 2 else 0
        names = _names(file, path)
    return Table(x, y, names if len(names) == width else None)


def _local(group: Any, name: str, path: Path) -> Any:
    """A member of a group that lies in this file."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise FileFormatError(f"{path}: {name} lies elsewhere; copy it in here")
    return group[name]


def _layer(file: Any, layer: str | None, path: Path) -> Any:
    if layer is None:
        return _local(file, "X", path)
    layers: dict[str, tuple[str, ...]] = {name: ("layers", name) for name in file.get("layers", ())}
    if "raw.X" in file or "raw" in file:
        layers[RAW] = ("raw.X",) if "raw.X" in file else ("raw", "X")
    if layer not in layers:
        known = ", ".join(layers) if layers else "none"
        raise InputError(f"{path} has no layer {layer!r}; its layers are: {known}")
    node = file
    for name in layers[layer]:
        node = _local(node, name, path)
    return node


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _matrix(node: Any, path: Path) -> Any:
    """A dense array or a CSR matrix."""
    import h5py

    if isinstance(node, h5py.Dataset):
        return read_dataset(node, path)
    kind = _text(node.attrs.get("encoding-type", node.attrs.get("h5sparse_format", "")))
    shape = node.attrs.get("shape", node.attrs.get("h5sparse_shape"))
    made = {"csr": scipy.sparse.csr_matrix, "csc": scipy.sparse.csc_matrix}
    if kind[:3] not in made or shape is None:
        raise FileFormatError(f"{path}: {node.name} is no matrix, but {kind or 'unknown'!r}")
    parts = [read_dataset(_local(node, n, path), path) for n in ("data", "indices", "indptr")]
    matrix = made[kind[:3]](tuple(parts), shape=tuple(int(n) for n in shape))
    matrix.check_format(full_check=True)
    return matrix.tocsr()


def _column(obs: Any, label: str | int | None, path: Path) -> str | None:
    """The name of the label column, `None` if none was named and none is called so."""
    names = obs.dtype.names if hasattr(obs, "dtype") else tuple(obs)
    index = () if hasattr(obs, "dtype") else (_text(obs.attrs.get("_index", "")),)
    names = [n for n in names or () if n not in ("__categories", "index", "_index", *index)]
    if label is None:
        return next((n for known in LABEL_NAMES for n in names if n.lower() == known), None)
    if label not in names:
        raise InputError(f"{path} has no obs column {label!r}; its columns are {', '.join(names)}")
    return str(label)


def _labels(file: Any, column: str, path: Path) -> NDArray:
    import h5py

    obs: Any = file["obs"]
    if isinstance(obs, h5py.Dataset):
        codes, at = read_dataset(obs, path)[column], f"uns/{column}_categories"
        return _coded(codes, read_dataset(file[at], path) if at in file else None, path)
    node = _local(obs, column, path)
    if isinstance(node, h5py.Group):
        parts = {str(n): read_dataset(_local(node, str(n), path), path) for n in node}
        if "categories" in parts:
            return _coded(parts["codes"], parts["categories"], path)
        missing = np.asarray(parts["mask"], bool)
        return _coded(np.where(missing, -1, np.arange(len(missing))), parts["values"], path)
    at = f"__categories/{column}"
    return _coded(
        read_dataset(node, path), read_dataset(obs[at], path) if at in obs else None, path
    )


def _coded(values: NDArray, categories: NDArray | None, path: Path) -> NDArray:
    """Labels of plain values, or of numbers of categories, below 0 where there is none."""
    if categories is not None:
        kinds = categories.tolist()
        if len(values) and not values.max() < len(kinds):
            raise FileFormatError(f"{path}: labels are of categories that are not there")
        cells = [kinds[code] if code >= 0 else UNLABELLED for code in values.tolist()]
    else:
        cells = [UNLABELLED if is_missing(v) else v for v in values.tolist()]
    return typed_labels([v.decode() if isinstance(v, bytes) else v for v in cells], path)


def _names(file: Any, path: Path) -> tuple[str, ...]:
    """Names of the genes; none if the file has them elsewhere."""
    import h5py

    var = file.get("var")
    if isinstance(var, h5py.Dataset):
        values = read_dataset(var, path)
        names = values[values.dtype.names[0]] if values.dtype.names else ()
    elif isinstance(var, h5py.Group) and _text(var.attrs.get("_index", "")) in var:
        names = read_dataset(_local(var, _text(var.attrs["_index"]), path), path)
    else:
        return ()
    return tuple(_text(name) for name in names)
