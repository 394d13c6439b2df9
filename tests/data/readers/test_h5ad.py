"""AnnData files of all versions of the format."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from metaplastic.data import read_table
from metaplastic.errors import FileFormatError, InputError

h5py = pytest.importorskip("h5py")

X = np.random.default_rng(0).poisson(0.7, size=(6, 4)).astype(np.float32)
KINDS = ["B", "T", -1, "B", "T", "B"]
CODES = np.array([0, 1, -1, 0, 1, 0], np.int8)


def put_matrix(file: Any, name: str, matrix: Any) -> None:
    if isinstance(matrix, np.ndarray):
        file[name] = matrix
        return
    group = file.create_group(name)
    group.attrs.update({"encoding-type": f"{matrix.format}_matrix", "shape": matrix.shape})
    for part in ("data", "indices", "indptr"):
        group[part] = getattr(matrix, part)


def put_column(file: Any, name: str, **parts: Any) -> None:
    group = file.create_group(f"obs/{name}")
    for part, values in parts.items():
        group[part] = values


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """As anndata 0.8 and later write it."""
    path = tmp_path / "cells.h5ad"
    with h5py.File(path, "w") as file:
        file.attrs["encoding-type"] = "anndata"
        put_matrix(file, "X", scipy.sparse.csr_matrix(X))
        put_matrix(file, "layers/turned", scipy.sparse.csc_matrix(2 * X))
        put_matrix(file, "layers/dense", 3 * X)
        put_matrix(file, "raw/X", 4 * X)
        file.create_group("obs").attrs["_index"] = "cell"
        file["obs/cell"] = [f"c{i}" for i in range(6)]
        file["obs/age"] = np.array([1, 2, np.nan, 1, 2, 1])
        file["obs/batch"] = np.array([1, 2, 1, 2, 1, 2])
        put_column(file, "kind", codes=CODES, categories=["B", "T"])
        masked = np.array([False, False, True, False, False, False])
        put_column(file, "phase", values=np.array([3, 4, 0, 3, 4, 3]), mask=masked)
        file.create_group("var").attrs["_index"] = "gene"
        file["var/gene"] = [f"g{i}" for i in range(4)]
    return path


def test_cells_are_rows_and_genes_columns(path):
    table = read_table(path)
    np.testing.assert_array_equal(table.x.toarray(), X)
    assert table.names == ("g0", "g1", "g2", "g3") and table.y is None


@pytest.mark.parametrize(("layer", "factor"), [("turned", 2), ("dense", 3), ("raw", 4)])
def test_layers_stand_for_the_matrix(path, layer, factor):
    x = read_table(path, layer=layer).x
    np.testing.assert_array_equal(x.toarray() if hasattr(x, "toarray") else x, factor * X)


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        ("kind", KINDS),
        ("batch", [1, 2, 1, 2, 1, 2]),
        ("age", [1, 2, -1, 1, 2, 1]),
        ("phase", [3, 4, -1, 3, 4, 3]),
    ],
)
def test_labels_are_a_column_of_obs_and_may_be_missing(path, column, labels):
    y = read_table(path, label=column).y
    assert y is not None and y.tolist() == labels


def test_older_versions_are_read(tmp_path):
    path = tmp_path / "older.h5ad"
    with h5py.File(path, "w") as file:
        file["X"] = X
        file.create_group("obs")
        file["obs/kind"], file["obs/__categories/kind"] = CODES, np.array([b"B", b"T"])
    assert read_table(path, label="kind").y.tolist() == KINDS
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        group.attrs.update({"h5sparse_format": b"csr", "h5sparse_shape": X.shape})
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(scipy.sparse.csr_matrix(X), part)
        rows = [(f"c{i}".encode(), code) for i, code in enumerate(CODES)]
        file["obs"] = np.array(rows, [("index", "S4"), ("kind", "i1")])
        file["uns/kind_categories"] = np.array([b"B", b"T"])
        file["var"] = np.array([(f"g{i}".encode(),) for i in range(4)], [("index", "S4")])
    table = read_table(path, label="kind")
    np.testing.assert_array_equal(table.x.toarray(), X)
    assert table.y is not None and table.y.tolist() == KINDS
    assert table.names == ("g0", "g1", "g2", "g3")


def test_what_is_not_there_is_told_with_what_is(path):
    with pytest.raises(InputError, match="no layer 'spliced'; its layers are: dense, turned, raw"):
        read_table(path, layer="spliced")
    with pytest.raises(InputError, match="no obs column 'type'; its columns are age, batch, kind"):
        read_table(path, label="type")
    with pytest.raises(InputError, match=r"layer= goes with \.h5ad files"):
        read_table(Path(__file__).with_suffix(".csv").parent, layer="a")


def test_damage_and_other_files_are_refused(path, tmp_path):
    with h5py.File(path, "a") as file:
        file["X/indices"][0] = 99
    with pytest.raises(FileFormatError, match="that can be read"):
        read_table(path)
    other = tmp_path / "other.h5ad"
    with h5py.File(other, "w") as file:
        file["obs"] = h5py.ExternalLink("cells.h5ad", "/obs")
        file["X"] = h5py.ExternalLink("cells.h5ad", "/X")
    with pytest.raises(FileFormatError, match="lies elsewhere"):
        read_table(other)
    with h5py.File(other, "w") as file:
        file["y"] = X
    with pytest.raises(FileFormatError, match="no X or no obs"):
        read_table(other)
    other.write_bytes(b"cells")
    with pytest.raises(FileFormatError, match="not an HDF5 file"):
        read_table(other)
