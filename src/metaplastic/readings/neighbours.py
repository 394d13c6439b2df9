"""Nearest rows by Euclidean distance: exact up to some ten thousand rows, by a library beyond.

Exact search multiplies blocks of rows, which is fast but rounds differently from block to block.
So a product only names candidates, with a margin for its rounding; their distances are then
computed pair by pair, and equal ones go by the number of the row. The result depends on nothing
else, however the queries are split.
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from metaplastic.extras import require

Rows = Float[np.ndarray, "row dim"]
Queries = Float[np.ndarray, "query dim"]
Places = Int[np.ndarray, "query k"]
Distances = Float[np.ndarray, "query k"]

EXACT_ROWS = 20_000
"""Most rows that are searched exactly when all are queries: 4e8 distances, some ten seconds."""

BLOCK_NUMBERS = 2**24
"""Most numbers in a block of products (64 MiB)."""

PAIR_NUMBERS = 2**22
"""Most numbers in a block of differences (16 MiB)."""

COMPONENTS = 64
"""Principal components by which candidates are named."""

CANDIDATES = 3
"""Candidates a neighbour."""

CELLS = 24
"""Cells looked into for a row, of `4 sqrt(n)`."""

CELL_ROWS = 50
"""Rows a cell from which the cells are learned."""

RECALL_ROWS = 500
"""Rows on which recall is estimated."""

MARGIN = 2e-6
"""Bound on the rounding of a squared distance by products in float32, relative to the sum of both
squared lengths: some 16 units in the last place, for sums of up to thousands of terms."""


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbours:
    """Of every query `k` rows, nearest first, and their squared distances."""

    places: Places
    squared: Distances


def exact_search(
    rows: Rows, queries: Queries, k: int, *, without: Int[np.ndarray, " query"] | None = None
) -> Neighbours:
    """The `k` nearest of `rows` for every query.

    Parameters
    ----------
    rows : Rows
        `(n, d)` float32.
    queries : Queries
        `(q, d)` float32.
    k : int
        At most `n`, or `n - 1` if one is left out.
    without : ndarray (query,) of int, optional
        For every query, the number of a row that must not be found, usually the query itself.
    """
    lengths = np.einsum("nd,nd->n", rows, rows)
    size = max(1, BLOCK_NUMBERS // len(rows))
    places = np.empty((len(queries), k), np.int64)
    squared = np.empty((len(queries), k), np.float32)
    for start in range(0, len(queries), size):
        block = queries[start : start + size]
        own = np.einsum("qd,qd->q", block, block)
        near = lengths - 2.0 * (block @ rows.T) + own[:, None]
        if without is not None:
            near[np.arange(len(block)), without[start : start + size]] = np.inf
        bound = np.partition(near, k - 1, axis=1)[:, k - 1]
        # Both the bound and what is compared with it are rounded.
        bound = bound + 2.0 * MARGIN * (own + lengths.max())
        query, row = np.nonzero(near <= bound[:, None])
        stop = start + len(block)
        places[start:stop], squared[start:stop] = _nearest(rows, block, query, row, k)
    return Neighbours(places, squared)


def _nearest(
    rows: Rows,
    queries: Queries,
    query: Int[np.ndarray, " pair"],
    row: Int[np.ndarray, " pair"],
    k: int,
) -> tuple[Places, Distances]:
    """Of the candidates `(query, row)`, sorted by query, the `k` nearest of every query."""
    distances = pair_distances(rows, queries, query, row)
    order = np.lexsort((row, distances, query))
    first = np.searchsorted(query, np.arange(len(queries)))
    chosen = order[first[:, None] + np.arange(k)]
    return row[chosen], distances[chosen]


def pair_distances(
    rows: Rows, queries: Queries, query: Int[np.ndarray, " pair"], row: Int[np.ndarray, " pair"]
) -> Float[np.ndarray, " pair"]:
    """Squared distances of pairs, each summed by itself."""
    distances = np.empty(len(query), np.float32)
    size = max(1, PAIR_NUMBERS // rows.shape[1])
    for start in range(0, len(query), size):
        part = slice(start, start + size)
        difference = queries[query[part]] - rows[row[part]]
        distances[part] = np.square(difference).sum(axis=1)
    return distances


def nearest_to_all(rows: Rows, k: int) -> tuple[Neighbours, float]:
    """Of every row its `k` nearest others, and the share of the true ones found (recall).

    Exact up to `EXACT_ROWS` rows, with recall 1. Beyond, `faiss` names candidates by their leading
    principal components and their distances are exact; recall is that of a sample of rows.

    Raises
    ------
    MissingDataError
        If there are more rows and the extra `neighbours` is not installed.
    """
    everything = np.arange(len(rows))
    if len(rows) <= EXACT_ROWS:
        return exact_search(rows, rows, k, without=everything), 1.0
    require("faiss", f"the graph of {len(rows)} rows", "neighbours", package="faiss-cpu")
    nearest = _candidate_search(rows, k)
    sample = np.random.default_rng(0).choice(len(rows), RECALL_ROWS, replace=False)
    true = exact_search(rows, rows[sample], k, without=sample).places
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(true, nearest.places[sample], strict=True))
    return nearest, hits / true.size


def _candidate_search(rows: Rows, k: int) -> Neighbours:
    """The `k` nearest others among candidates that an inverted index names.

    The index (Johnson, Douze, Jegou 2017) puts the rows into cells and looks into the cells nearest
    to a row.
    """
    import faiss  # pyright: ignore[reportMissingImports]

    short = leading_components(rows)
    n_cells = int(4 * np.sqrt(len(rows)))
    index: Any = faiss.index_factory(short.shape[1], f"IVF{n_cells},Flat")
    index.cp.seed = 0
    index.train(short[:: max(1, len(rows) // (CELL_ROWS * n_cells))])
    index.add(short)
    index.nprobe = CELLS
    places = np.empty((len(rows), k), np.int64)
    squared = np.empty((len(rows), k), np.float32)
    size = max(1, BLOCK_NUMBERS // (8 * CANDIDATES * k))
    for start in range(0, len(rows), size):
        block = slice(start, min(start + size, len(rows)))
        named = index.search(short[block], CANDIDATES * k + 1)[1]
        own = np.arange(block.start, block.stop)[:, None]
        named = np.where(named < 0, own, named)  # -1 where cells hold too few
        query, column = np.nonzero(named != own)
        places[block], squared[block] = _nearest(rows, rows[block], query, named[query, column], k)
    return Neighbours(places, squared)


def leading_components(rows: Rows) -> Float[np.ndarray, "row short"]:
    """The `COMPONENTS` principal components of the rows `(n, d)`, or the rows if they are fewer."""
    if rows.shape[1] <= COMPONENTS:
        return rows
    sample = rows[:: max(1, len(rows) // EXACT_ROWS)].astype(np.float64)
    axes = np.linalg.eigh(np.cov(sample.T))[1][:, -COMPONENTS:]
    return np.ascontiguousarray(rows @ axes.astype(np.float32))
