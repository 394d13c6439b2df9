"""A pool as points of a plane, near to each other where their features are."""

from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.manifold import TSNE

from metaplastic.readings.neighbours import exact_search, leading_components

LANDMARKS = 1000
"""Rows whose places are found by t-SNE; others stand between the nearest of them."""

PERPLEXITY = 30.0
STEPS = 400
NEAREST = 3
FEW = 12
"""Rows below which their two principal components do."""


def places_in_plane(
    features: Float[np.ndarray, "row dim"], seed: int = 0
) -> Float[np.ndarray, "row 2"]:
    """Places `(n, 2)` within 0 to 1 of all rows `(n, d)`.

    t-SNE (van der Maaten, Hinton 2008) of a sample of rows. It keeps who is near to whom, not how
    far groups are apart.
    """
    rows = np.ascontiguousarray(features, np.float32)
    short = leading_components(rows - rows.mean(0))
    if len(rows) < FEW:
        return _within_one(_two_components(short))
    count = min(LANDMARKS, len(rows))
    chosen = np.sort(np.random.default_rng(seed).choice(len(rows), count, replace=False))
    start = 1e-4 * _within_one(_two_components(short[chosen]))
    options: Any = {"init": start.astype(np.float32), "max_iter": STEPS, "random_state": seed}
    tsne = TSNE(perplexity=min(PERPLEXITY, (count - 1) / 3), **options)
    landmarks = np.asarray(tsne.fit_transform(short[chosen]), np.float64)
    near = exact_search(short[chosen], short, min(NEAREST, count))
    weights = 1.0 / (near.squared + 1e-3 * near.squared.mean() + 1e-9)
    weights /= weights.sum(1, keepdims=True)
    places = np.einsum("nk,nkd->nd", weights, landmarks[near.places])
    places[chosen] = landmarks
    return _within_one(places)


def _two_components(short: Float[np.ndarray, "row dim"]) -> Float[np.ndarray, "row 2"]:
    centred = short.astype(np.float64) - short.mean(0, dtype=np.float64)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    components = (left * size)[:, :2]
    return np.pad(components, [(0, 0), (0, 2 - components.shape[1])])


def _within_one(places: Float[np.ndarray, "row 2"]) -> Float[np.ndarray, "row 2"]:
    low, high = places.min(0), places.max(0)
    return (places - low) / np.where(high > low, high - low, 1.0)
