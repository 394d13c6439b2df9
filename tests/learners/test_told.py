"""What networks hear of labels: the batches, the targets, and who refuses."""

import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.learners import RuleLearner
from metaplastic.learners.pool import Shuffled, draw_batches
from metaplastic.learners.told import Draws, told
from metaplastic.presets import plain_preset
from metaplastic.rules import Oja

X = np.arange(40, dtype=np.float32).reshape(20, 2)
KNOWN, NUMBERS = np.array([3, 5, 8]), np.array([0, 1, 1])


@pytest.fixture
def heard():
    return told(np.tile([0.3, 0.7], (20, 1)), KNOWN, NUMBERS)


def test_labels_are_certain_and_guesses_as_they_are(heard):
    np.testing.assert_allclose(heard.targets[[3, 5]], [[0.5, -0.5], [-0.5, 0.5]])
    np.testing.assert_allclose(heard.targets[0], [-0.2, 0.2], atol=1e-7)


def test_labelled_rows_go_with_every_batch(heard):
    batches, targets = Draws(X, 8, heard, seed=0).take(5)
    assert batches.shape == (5, 8, 2) and targets.shape == (5, 8, 2)
    rows = (batches[..., 0] / 2).astype(int)
    for each, of in zip(rows, targets, strict=True):
        assert sorted(each[:3]) == sorted(KNOWN)
        np.testing.assert_array_equal(of, heard.targets[each])
    assert len(np.unique(rows[:, 3:])) == 20  # an epoch of the others


def test_labelled_rows_take_half_of_a_batch_at_most(heard):
    batches, _ = Draws(X, 4, heard, seed=0).take(6)
    rows = (batches[..., 0] / 2).astype(int)
    assert all(set(each[:2]) <= set(KNOWN) for each in rows)
    assert set(rows[:, :2].ravel()) == set(KNOWN)


def test_without_labels_batches_are_as_they_were():
    batches, targets = Draws(X, 8, None, seed=3).take(4)
    np.testing.assert_array_equal(batches, draw_batches(X, Shuffled(20, seed=3), 4, 8))
    assert targets is None


def test_rules_that_hear_nothing_refuse(heard):
    preset = plain_preset(Oja(), n_networks=1, n_components=2, hidden_sizes=(3,))
    with pytest.raises(InputError, match="hear no labels"):
        RuleLearner(preset).fit_with_snapshots(X, seed=0, told=heard)
