"""`embed`: features of the cells of an AnnData object, in memory or on disk."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse

from metaplastic.anndata import embed
from metaplastic.errors import InputError


class OnDisk:
    """A matrix of which rows are read when asked for, as of `backed="r"`."""

    def __init__(self, rows):
        self._rows, self.shape, self.dtype = rows, rows.shape, rows.dtype
        self.read = []

    def to_memory(self):
        raise AssertionError("not as a whole")

    def __getitem__(self, key):
        self.read.append(key)
        return self._rows[key]


@pytest.fixture(scope="module")
def counts():
    return np.random.default_rng(0).poisson(1.0, size=(1100, 8)).astype(np.float32)


@pytest.fixture
def parameters(make_transformer):
    return make_transformer().get_params()


def cells(x, **layers):
    return SimpleNamespace(X=x, layers=layers, obsm={})


def test_features_are_those_of_the_transformer(make_transformer, parameters, counts):
    expected = make_transformer().fit_transform(counts)
    for x in (counts, scipy.sparse.csr_matrix(counts), scipy.sparse.csc_matrix(counts)):
        adata = cells(x)
        embed(adata, **parameters)
        np.testing.assert_array_equal(adata.obsm["X_metaplastic"], expected)


def test_a_layer_and_a_key_can_be_named(parameters, counts):
    adata = cells(None, counts=counts)
    fitted = embed(adata, layer="counts", key_added="mine", **parameters)
    assert list(adata.obsm) == ["mine"]
    again = cells(counts)
    embed(again, transformer=fitted)
    np.testing.assert_array_equal(again.obsm["X_metaplastic"], adata.obsm["mine"])


@pytest.mark.parametrize("sparse", [False, True])
def test_matrices_on_disk_are_read_by_blocks(make_transformer, parameters, counts, sparse):
    rows = scipy.sparse.csr_matrix(counts) if sparse else counts
    adata = cells(OnDisk(rows))
    embed(adata, **parameters)
    expected = make_transformer().fit_transform(counts)
    np.testing.assert_array_equal(adata.obsm["X_metaplastic"], expected)
    assert all(isinstance(key, slice) for key in adata.X.read)


def test_one_pass_over_a_matrix_on_disk_is_a_stream(make_transformer, parameters, counts):
    adata = cells(OnDisk(counts))
    embed(adata, **{**parameters, "n_steps": None})
    expected = make_transformer().partial_fit(counts).transform(counts)
    np.testing.assert_array_equal(adata.obsm["X_metaplastic"], expected)


def test_bad_input_is_told(parameters, counts):
    for adata, options, match in (
        (counts, {}, "AnnData object, got ndarray"),
        (cells(counts, a=counts), {"layer": "b"}, "no layer 'b'; its layers are: a"),
        (cells(None, a=counts), {}, r"adata.X is empty; name a layer: a"),
        (cells(counts), {"key_added": ""}, "name in adata.obsm"),
        (cells(counts * np.nan), parameters, "NaN"),
    ):
        with pytest.raises(InputError, match=match):
            embed(adata, **options)
    fitted = embed(cells(counts), **parameters)
    with pytest.raises(InputError, match="go with a new transformer"):
        embed(cells(counts), transformer=fitted, n_steps=3)


def test_an_anndata_object_itself(make_transformer, parameters, counts, tmp_path):
    anndata = pytest.importorskip("anndata")
    expected = make_transformer().fit_transform(counts)
    adata = anndata.AnnData(scipy.sparse.csr_matrix(counts))
    adata.write_h5ad(tmp_path / "cells.h5ad")
    for each in (adata, anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")):
        embed(each, **parameters)
        np.testing.assert_array_equal(each.obsm["X_metaplastic"], expected)
