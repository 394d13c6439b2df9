"""Sources draw what they promise, on the device."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from metaplastic.data import (
    GaussianMixture,
    HiddenManifold,
    ImageSource,
    MixedTable,
    Prototypes,
    SparseTopics,
)
from metaplastic.errors import InputError

SYNTHETIC = {
    "gaussian": GaussianMixture(12, 3),
    "manifold": HiddenManifold(20, 3),
    "table": MixedTable(20, 3),
    "topics": SparseTopics(60, 3),
    "prototypes": Prototypes(25, 3),
}


@eqx.filter_jit
def draw_task(source, key):
    return source.draw_task(key=key)


@eqx.filter_jit
def draw(source, task, labels, key):
    return source.draw(task, labels, key=key)


@pytest.fixture(scope="module")
def images():
    """Class c holds images full of the value 10 c + (0, 1, 2)."""
    labels = np.repeat([4, 1, 7, 2], 3)
    values = 10 * labels + np.tile([0, 1, 2], 4)
    return np.broadcast_to(values[:, None, None], (12, 4, 4)).astype(np.uint8).copy(), labels


@pytest.mark.slow
def test_images_come_from_the_class_asked_for(images):
    source = ImageSource.create(*images, n_classes=3)
    task = draw_task(source, jax.random.key(0))
    assert len(set(np.asarray(task).tolist())) == 3
    labels = jnp.tile(jnp.arange(3), 40)
    drawn = np.asarray(draw(source, task, labels, jax.random.key(1)))
    assert drawn.shape == (120, 4, 4)
    values = np.round(drawn[:, 0, 0] * 255).astype(int)
    classes = np.array([1, 2, 4, 7])[np.asarray(task)]
    np.testing.assert_array_equal(values // 10, classes[np.asarray(labels)])
    # Every rendering of a class is drawn.
    assert set((values % 10).tolist()) == {0, 1, 2}


def test_image_data_are_leaves_not_constants(images):
    source = ImageSource.create(*images, n_classes=2)
    assert any(leaf.dtype == jnp.uint8 for leaf in jax.tree.leaves(source))


@pytest.mark.parametrize(
    "bad",
    [
        (np.zeros((5, 4, 4)), np.arange(5), 2),
        (np.zeros((5, 16), np.uint8), np.arange(5), 2),
        (np.zeros((5, 4, 4), np.uint8), np.arange(4), 2),
        (np.zeros((5, 4, 4), np.uint8), np.zeros(5, int), 2),
        (np.zeros((5, 4, 4), np.uint8), np.arange(5), 1),
    ],
)
def test_bad_images_are_refused(bad):
    with pytest.raises(InputError):
        ImageSource.create(*bad)


@pytest.mark.slow
@pytest.mark.parametrize("name", SYNTHETIC)
def test_synthetic_tasks_are_learnable_and_differ(name):
    source = SYNTHETIC[name]
    labels = jnp.tile(jnp.arange(3), 100)
    scores, means = [], []
    for seed in range(4):
        task = draw_task(source, jax.random.key(seed))
        x, again, other = (
            np.asarray(draw(source, task, labels, jax.random.key(s))) for s in (10, 10, 11)
        )
        np.testing.assert_array_equal(x, again)
        assert np.all(np.isfinite(x))
        scale = x.std(0) + 1e-3
        model = LogisticRegression(max_iter=2000).fit(x / scale, labels)
        scores.append(model.score(other / scale, labels))
        means.append(x.mean(0))
    # Chance is a third; the generators are not trivial either.
    assert np.mean(scores) > 0.55, scores
    assert np.abs(means[0] - means[1]).max() > 0


@pytest.mark.slow
def test_topics_are_sparse_counts():
    source = SparseTopics(400, 4)
    task = draw_task(source, jax.random.key(0))
    x = np.asarray(draw(source, task, jnp.tile(jnp.arange(4), 50), jax.random.key(1)))
    assert np.all(x == np.round(x))
    assert x.min() == 0
    assert (x == 0).mean() > 0.5


@pytest.mark.slow
def test_prototypes_are_grey_values():
    source = SYNTHETIC["prototypes"]
    task = draw_task(source, jax.random.key(0))
    x = np.asarray(draw(source, task, jnp.tile(jnp.arange(3), 50), jax.random.key(1)))
    assert x.min() >= 0
    assert x.max() <= 1


@pytest.mark.parametrize("sizes", [(1, 3), (5, 1)])
def test_too_small_synthetic_tasks_are_refused(sizes):
    with pytest.raises(InputError, match="at least 2"):
        GaussianMixture(*sizes)
