"""The prototypical loss against its equations and scikit-learn's nearest centroid."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.neighbors import NearestCentroid

from metaplastic.objectives import Prototypical


@pytest.fixture(scope="module")
def episode():
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(4), 12)
    x = 1.5 * rng.normal(size=(4, 6))[labels] + rng.normal(size=(48, 6))
    return x[:20], labels[:20], x[20:], labels[20:]


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_loss_is_that_of_its_equations(episode, scale):
    support, a, query, b = episode
    prototypes = np.stack([support[a == c].mean(0) for c in range(4)])
    squares = np.square(query[:, None] - prototypes).sum(-1)
    expected = -log_softmax(-scale * squares, axis=1)[np.arange(len(b)), b].mean()
    given = (jnp.asarray(support, jnp.float32), jnp.asarray(a, jnp.int32))
    given += (jnp.asarray(query, jnp.float32), jnp.asarray(b, jnp.int32))
    loss, metrics = Prototypical(scale)(*given, n_classes=4)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    nearest = NearestCentroid().fit(support, a).score(query, b)
    np.testing.assert_allclose(metrics["accuracy"], nearest, rtol=1e-6)
