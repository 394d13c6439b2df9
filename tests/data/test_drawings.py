"""Drawn things: what the pen leaves, and what a task keeps of it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from metaplastic.data import PenStrokes, Silhouettes
from metaplastic.data.drawings import _SPLINE, _distance
from metaplastic.errors import InputError

SOURCES = (PenStrokes, Silhouettes)


@eqx.filter_jit
def drawn(source, task, labels, key):
    """One program for a drawing; operation by operation it would compile hundreds."""
    return source.draw(task, labels, key=key)


@eqx.filter_jit
def task_of(source, key):
    return source.draw_task(key=key)


def draw(source, task, labels, seed=1):
    return np.asarray(drawn(source, task, labels, jax.random.key(seed)))


def draw_task(source, seed=0):
    return task_of(source, jax.random.key(seed))


def test_the_distance_is_that_of_the_nearest_piece():
    grid = np.linspace(-1.2, 1.2, 9)
    y, x = (jnp.asarray(a, jnp.float32)[None] for a in np.meshgrid(grid, grid, indexing="ij"))
    # A cross of two strokes, the lower one with a corner.
    strokes = jnp.array(
        [[[[0.0, -1.0], [0.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [1.0, 0.0], [1.0, 1]]]]
    )
    found = np.asarray(_distance(strokes, y, x))[0]
    ways = np.concatenate([np.linspace(s[i], s[i + 1], 400) for s in strokes[0] for i in (0, 1)])
    wanted = np.min(np.hypot(y[0][..., None] - ways[:, 0], x[0][..., None] - ways[:, 1]), axis=-1)
    np.testing.assert_allclose(found, wanted, atol=4e-3)


def test_a_spline_begins_and_ends_at_its_outer_knots_and_keeps_straight_lines():
    np.testing.assert_allclose(_SPLINE.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(_SPLINE[[0, -1]][:, [0, -1]], np.eye(2), atol=1e-6)
    ends = np.array([[-1.0, 0.5], [0.6, -0.2]])
    line = ends[0] + np.linspace(0, 1, _SPLINE.shape[1])[:, None] * (ends[1] - ends[0])
    points = _SPLINE @ line
    across = np.array([[0.0, -1.0], [1.0, 0.0]]) @ (ends[1] - ends[0])
    away = (points - ends[0]) @ across
    np.testing.assert_allclose(away, 0.0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SOURCES)
def test_a_finer_grid_shows_the_same_drawing(kind):
    coarse, fine = kind(12, 3), kind(48, 3)
    task = draw_task(fine, 2)
    labels = jnp.arange(12) % 3
    small = draw(coarse, task, labels)
    large = draw(fine, task, labels)
    assert small.shape == (12, 12, 12)
    assert min(small.min(), large.min()) >= 0 and max(small.max(), large.max()) <= 1
    # Grids share their corners, so every fourth pixel is only nearly at the same place.
    shrunk = large.reshape(12, 12, 4, 12, 4).mean(axis=(2, 4))
    for a, b in zip(small, shrunk, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("kind", SOURCES)
def test_classes_can_be_told_apart_and_tasks_differ(kind):
    source = kind(14, 3)
    labels = jnp.tile(jnp.arange(3), 60)
    scores, means = [], []
    for seed in range(4):
        task = draw_task(source, seed)
        x, again, other = (
            draw(source, task, labels, s).reshape(len(labels), -1) for s in (10, 10, 11)
        )
        np.testing.assert_array_equal(x, again)
        assert np.abs(x - other).max() > 0.5
        scores.append(LogisticRegression(max_iter=500).fit(x, labels).score(other, labels))
        means.append(x.mean(axis=0))
    assert np.mean(scores) > 0.6, scores
    assert np.abs(means[0] - means[1]).max() > 0.1


@pytest.mark.slow
def test_strokes_that_a_character_lacks_leave_no_ink():
    source = PenStrokes(16, 40)
    forms, there, moves, pen = draw_task(source)
    labels = jnp.arange(40)
    assert set(np.asarray(there).sum(axis=1)) == {1, 2, 3}
    moved = jnp.where(there[:, None, :, None, None], forms, 0.3)
    drawn = draw(source, (forms, there, moves, pen), labels)
    same = draw(source, (moved, there, moves, pen), labels)
    np.testing.assert_array_equal(drawn, same)
    assert np.all(drawn.max(axis=(1, 2)) > 0.5)


@pytest.mark.slow
def test_only_mirrored_things_have_two_equal_halves():
    source = Silhouettes(16, 8)
    forms, fat, _, tone, looks = draw_task(source)
    plain = looks.at[4:].set(0.0)  # Stripes and gradients fall on one side.
    labels = jnp.arange(8)
    for mirrored in (True, False):
        task = (forms, fat, jnp.full(8, mirrored), tone, plain)
        x = draw(source, task, labels)
        uneven = np.abs(x - x[:, :, ::-1]).max(axis=(1, 2))
        assert np.all(uneven < 1e-4) if mirrored else np.all(uneven > 0.1)


@pytest.mark.slow
def test_the_tone_of_a_thing_is_its_samples_own():
    """As long as nothing else varies, samples of a class differ by one factor."""
    source = Silhouettes(16, 3)
    forms, fat, mirrored, tone, _ = draw_task(source)
    looks = jnp.array([0.0, 0.0, 0.0, 0.4, 0.0, 0.0])
    task = (forms, fat, mirrored, 0.1 * tone, looks)
    x = draw(source, task, jnp.zeros(6, int))
    factors = x.max(axis=(1, 2))
    for image, factor in zip(x, factors, strict=True):
        np.testing.assert_allclose(image / factor, x[0] / factors[0], atol=1e-5)
    assert factors.max() > 1.2 * factors.min()


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("sizes", [(3, 2), (8, 1)])
def test_too_small_drawings_are_refused(kind, sizes):
    with pytest.raises(InputError, match="at least 4 pixels and 2 classes"):
        kind(*sizes)
