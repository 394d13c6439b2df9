"""Labels spread in closed form, against NumPy; gradients; what the loss means."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.objectives import LabelSpreading, soft_graph, spread_each

N_CLASSES, SHOTS, QUERIES, K = 3, 4, 6, 5


def make(separation, seed=1):
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(N_CLASSES), SHOTS + QUERIES)
    centres = separation * rng.normal(size=(N_CLASSES, 4))
    rows = centres[labels] + rng.normal(size=(len(labels), 4))
    return rows.astype(np.float32), labels.astype(np.int32)


def loss_of(objective, rows, labels):
    n = SHOTS * N_CLASSES
    rows, labels = jnp.asarray(rows), jnp.asarray(labels)
    return objective(rows[:n], labels[:n], rows[n:], labels[n:], n_classes=N_CLASSES)


def graph_by_hand(rows):
    """Weights, row by row."""
    rows = rows.astype(np.float64)
    squared = ((rows[:, None] - rows) ** 2).sum(2)
    one_way = np.zeros_like(squared)
    for i, own in enumerate(squared):
        last = np.sort(np.delete(own, i))[K - 1] + 1e-3 * squared.mean()
        one_way[i] = np.maximum(np.exp(-4 * own / last) - np.exp(-6), 0)
    np.fill_diagonal(one_way, 0)
    return (one_way + one_way.T) / 2


def loss_by_hand(rows, labels, k, leak):
    """One system for every draw of labelled rows."""
    weights = graph_by_hand(rows)
    degrees = weights.sum(1)
    matrix = np.diag((1 + leak) * degrees) - weights
    wanted = np.eye(N_CLASSES)[labels] - 1 / N_CLASSES
    cosines, hits = [], []
    for draw in range(SHOTS // k):
        known = np.arange(len(labels))[draw * k * N_CLASSES :][: k * N_CLASSES]
        sources = np.zeros_like(wanted)
        sources[known, labels[known]] = 1 / k
        scores = np.linalg.solve(matrix, sources - (degrees / degrees.sum())[:, None])
        scores -= scores.mean(1, keepdims=True)
        rest = np.setdiff1d(np.arange(len(labels)), known)
        s, w = scores[rest], wanted[rest]
        cosines += list((s * w).sum(1) / np.linalg.norm(s, axis=1) / np.linalg.norm(w, axis=1))
        hits += list(s.argmax(1) == labels[rest])
    return 1 - np.mean(cosines), np.mean(hits)


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 2])
def test_the_loss_agrees_with_linear_systems_in_numpy(k):
    rows, labels = make(1.0)
    loss, metrics = loss_of(LabelSpreading((k,), K, leak=0.05), rows, labels)
    expected, hits = loss_by_hand(rows, labels, k, 0.05)
    np.testing.assert_allclose(loss, expected, atol=1e-4)
    np.testing.assert_allclose(metrics["accuracy"], hits, atol=1e-6)


def test_several_numbers_of_labels_are_averaged_and_too_large_ones_left_out():
    rows, labels = make(1.0)
    single = [loss_of(LabelSpreading((k,), K), rows, labels)[0] for k in (1, 2)]
    both = loss_of(LabelSpreading((1, 2, 50), K), rows, labels)[0]
    np.testing.assert_allclose(both, np.mean(single), rtol=1e-5)
    most = loss_of(LabelSpreading((50,), K), rows, labels)[0]
    np.testing.assert_allclose(most, loss_of(LabelSpreading((SHOTS,), K), rows, labels)[0])


def test_loss_falls_to_zero_as_classes_separate_whatever_scale_and_shift():
    losses = [
        float(loss_of(LabelSpreading((1,), K), *make(separation))[0]) for separation in (0, 2, 20)
    ]
    assert losses[0] > 0.8 > losses[1] > losses[2]
    assert losses[2] < 1e-2
    rows, labels = make(2.0)
    moved = loss_of(LabelSpreading((1,), K), 7 * rows + 3, labels)[0]
    np.testing.assert_allclose(moved, losses[1], rtol=1e-3)


def test_what_spreads_has_no_mean_and_weights_are_those_of_the_graph():
    rows, _ = make(1.0)
    weights = soft_graph(jnp.asarray(rows), K)
    np.testing.assert_allclose(weights, graph_by_hand(rows), atol=1e-4)
    spread = spread_each(weights, 3, 0.01)
    np.testing.assert_allclose(weights.sum(1) @ spread, 0, atol=1e-3)


FORMS = {
    "plain": lambda x: x,
    "duplicates": lambda x: x.at[:25].set(x[0]),
    "dead": lambda x: x.at[:, 1:].set(0.0),
    "all equal": lambda x: jnp.zeros_like(x),
    "far apart": lambda x: x.at[0].set(1e4),
}


@jax.jit
@jax.value_and_grad
def loss_and_slope(rows, labels):
    return loss_of(LabelSpreading((1, 3), K), rows, labels)[0]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_gradients_are_finite(form):
    rows, labels = make(1.0)
    rows = FORMS[form](jnp.asarray(rows))
    loss, slope = loss_and_slope(rows, labels)
    assert np.isfinite(loss) and np.isfinite(slope).all()
    assert form == "all equal" or np.abs(slope).max() > 0


@pytest.mark.slow
def test_the_gradient_agrees_with_differences():
    with jax.enable_x64(True):
        rows, labels = make(1.0)
        rows = jnp.asarray(rows, jnp.float64)
        direction = jnp.asarray(np.random.default_rng(2).normal(size=rows.shape))

        def loss(step):
            return loss_and_slope(rows + step * direction, labels)[0]

        slope = jnp.sum(loss_and_slope(rows, labels)[1] * direction)
        np.testing.assert_allclose(slope, (loss(1e-7) - loss(-1e-7)) / 2e-7, rtol=1e-4)


@pytest.mark.parametrize("bad", [{"labels": ()}, {"labels": (0,)}, {"n_neighbors": 0}, {"leak": 0}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(InputError):
        LabelSpreading(**bad)
