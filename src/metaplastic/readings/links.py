"""Links between the components of a graph of nearest rows.

Rows that are much alike, such as copies with a few changes, fill each other's lists of nearest
rows. The graph then falls into components that no label leaves. The shortest links that join all
of them (a minimum spanning tree of the components) let labels pass.
"""

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.sparse.csgraph import minimum_spanning_tree

from metaplastic.readings.neighbours import BLOCK_NUMBERS, exact_search

Nodes = Float[np.ndarray, "node dim"]
Components = Int[np.ndarray, " node"]

MOST_COMPONENTS = 2048
"""Most components that a tree joins. The largest are taken; one node of each other is joined to the
nearest node of these."""

ASKED = 8192
"""Most nodes that are all compared; of larger graphs, a part of every component is."""


def shortest_links(nodes: Nodes, component: Components) -> Int[np.ndarray, "link end"]:
    """Numbers `(link, 2)` of the nodes to be joined, so that all components hang together.

    Parameters
    ----------
    nodes : ndarray (node, dim) of float32
        Compared by Euclidean distance.
    component : ndarray (node,) of int
        Number of the component of every node, `0..c-1`.

    Returns
    -------
    ndarray (link, 2) of int
        One link less than there are components.
    """
    order = np.argsort(component, kind="stable")
    whole = np.split(order, np.cumsum(np.bincount(component))[:-1])
    # Of large graphs, every n-th member of a component.
    some = [members[:: -(-len(nodes) // ASKED)] for members in whole]
    by_size = sorted(range(len(some)), key=lambda c: -len(whole[c]))
    large, small = (
        [some[c] for c in part] for part in (by_size[:MOST_COMPONENTS], by_size[MOST_COMPONENTS:])
    )
    tree = minimum_spanning_tree(_distances(nodes, large)).tocoo()
    links = [_closest(nodes, large[a], large[b]) for a, b in zip(*tree.coords, strict=True)]
    if small:
        first, targets = np.array([members[0] for members in small]), np.concatenate(large)
        nearest = exact_search(nodes[targets], nodes[first], 1).places[:, 0]
        links += zip(first, targets[nearest], strict=True)
    return np.array(links, np.int64).reshape(-1, 2)


def _distances(nodes: Nodes, members: list[NDArray[np.int64]]) -> Float[np.ndarray, "c c"]:
    """Least squared distances between components; none is 0, which would mean no link."""
    order = np.concatenate(members)
    own = np.repeat(np.arange(len(members)), [len(m) for m in members])
    starts = np.searchsorted(own, np.arange(len(members)))
    rows = nodes[order]
    lengths = np.einsum("nd,nd->n", rows, rows)
    least = np.full((len(members), len(members)), np.inf, np.float32)
    size = max(1, BLOCK_NUMBERS // len(rows))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        squared = lengths[part, None] - 2.0 * (rows[part] @ rows.T) + lengths
        np.minimum.at(least, own[part], np.minimum.reduceat(squared, starts, axis=1))
    np.maximum(least, np.finfo(np.float32).tiny, out=least)
    np.fill_diagonal(least, 0.0)
    return least


def _closest(nodes: Nodes, ones: NDArray[np.int64], others: NDArray[np.int64]) -> tuple[int, int]:
    """The closest pair of two components."""
    found = exact_search(nodes[others], nodes[ones], 1)
    best = int(found.squared[:, 0].argmin())
    return int(ones[best]), int(others[found.places[best, 0]])
