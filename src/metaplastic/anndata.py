"""Features of cells in an AnnData object: `embed(adata)`.

An AnnData object is taken as it is, so anndata itself is not imported here. The extra `anndata`
brings what `.h5ad` files need.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse

from metaplastic.errors import InputError
from metaplastic.models import block_rows
from metaplastic.sklearn import RuleTransformer

__all__ = ["embed"]

LEAST_CHUNK = 1024
"""Fewest rows that are read at a time from a file on disk."""


def embed(
    adata: Any,
    layer: str | None = None,
    key_added: str = "X_metaplastic",
    transformer: RuleTransformer | None = None,
    **parameters: Any,
) -> RuleTransformer:
    """Learn features of all cells, and put them into `adata.obsm[key_added]`, float32.

    A matrix in memory, dense or sparse, is fitted as `RuleTransformer.fit` does. One on disk
    (`anndata.read_h5ad(path, backed="r")`) is read a block of cells at a time: by `partial_fit` if
    the preset's steps are to be one pass (`n_steps=None`), else into memory as a whole.

    Parameters
    ----------
    adata : AnnData
        Cells as rows.
    layer : str, default=None
        Name of a layer in place of `adata.X`.
    key_added : str, default="X_metaplastic"
        Where the features go.
    transformer : RuleTransformer, default=None
        A fitted one, whose features are computed and which learns nothing; otherwise a new one is
        fitted.
    **parameters
        Of a new `RuleTransformer`, such as `random_state`.

    Returns
    -------
    RuleTransformer
        The fitted transformer.

    Raises
    ------
    InputError
        For an object that is no AnnData, a layer that is not there, or a matrix that cannot be
        learned from.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from metaplastic.anndata import embed
    >>> x = np.random.default_rng(0).poisson(1.0, size=(60, 5)).astype(np.float32)
    >>> adata = SimpleNamespace(X=x, layers={}, obsm={})  # as an AnnData object
    >>> fitted = embed(adata, rule="oja", n_components=3, n_networks=1, n_steps=2, random_state=0)
    >>> adata.obsm["X_metaplastic"].shape
    (60, 3)
    """
    x = _rows(adata, layer)
    if transformer is not None and parameters:
        raise InputError(f"parameters {sorted(parameters)} go with a new transformer, not a fitted")
    if not isinstance(key_added, str) or not key_added:
        raise InputError(f"key_added is a name in adata.obsm, got {key_added!r}")
    if transformer is None:
        transformer = _fitted(x, RuleTransformer(**parameters))
    features = [transformer.transform(block) for block in _blocks(x)]
    adata.obsm[key_added] = np.concatenate(features)
    return transformer


def _fitted(x: Any, transformer: RuleTransformer) -> RuleTransformer:
    if isinstance(x, np.ndarray) or scipy.sparse.issparse(x):
        return transformer.fit(x)
    if transformer.n_steps is None:
        return transformer.partial_fit(_blocks(x))
    return transformer.fit(_stacked(list(_blocks(x))))


def _rows(adata: Any, layer: str | None) -> Any:
    if not all(hasattr(adata, name) for name in ("X", "layers", "obsm")):
        raise InputError(f"embed takes an AnnData object, got {type(adata).__name__}")
    if layer is not None and layer not in adata.layers:
        known = ", ".join(map(str, adata.layers)) or "none"
        raise InputError(f"adata has no layer {layer!r}; its layers are: {known}")
    x = adata.X if layer is None else adata.layers[layer]
    if x is None:
        raise InputError(f"adata.X is empty; name a layer: {', '.join(map(str, adata.layers))}")
    if hasattr(x, "to_memory") or not hasattr(x, "toarray"):
        return x
    return x.tocsr()


def _blocks(x: Any) -> Iterator[Any]:
    """Rows in order; of a matrix on disk, dense or CSR, so many at a time."""
    size = max(LEAST_CHUNK, block_rows(x.shape[1]))
    for start in range(0, x.shape[0], size):
        yield x[start : start + size]


def _stacked(blocks: list[Any]) -> Any:
    sparse = scipy.sparse.issparse(blocks[0])
    return scipy.sparse.vstack(blocks, "csr") if sparse else np.concatenate(blocks)
