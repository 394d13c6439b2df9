"""A meta-trained network: it learns to learn, and belongs to its columns."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.data import HiddenManifold
from metaplastic.errors import InputError
from metaplastic.learners import PrototypicalNetwork, prototypical
from metaplastic.objectives import Prototypical
from metaplastic.tasks import SourceTasks

TASKS = SourceTasks.create(HiddenManifold(20, 4))
sample, labelled = map(eqx.filter_jit, (SourceTasks.sample, SourceTasks.labelled))
SHAPE = {"hidden_sizes": (16,), "n_components": 8, "n_tasks": 2}


def train(n_steps, **changes):
    settings = SHAPE | {"n_steps": n_steps, "learning_rate": 1e-2} | changes
    return PrototypicalNetwork.meta_train(TASKS, key=jax.random.key(0), **settings)


def accuracy(learner, seed):
    """On a task that training does not draw, its pool unlabelled."""
    task = sample(TASKS, key=jax.random.key(1000 + seed))
    x, labels = labelled(TASKS, task, 60, key=jax.random.key(seed))
    features = jnp.asarray(learner.fit(np.asarray(x), seed=0)(np.asarray(x)))
    _, metrics = Prototypical()(features[:20], labels[:20], features[20:], labels[20:], n_classes=4)
    return float(metrics["accuracy"])


@pytest.mark.slow
def test_meta_training_helps_on_new_tasks():
    learners = [train(n) for n in (0, 200)]
    before, after = (np.mean([accuracy(each, s) for s in range(6)]) for each in learners)
    assert after > before + 0.02


def test_permutation_is_off_unless_asked_for(monkeypatch):
    seen = []

    def keep(loss, parameters, take, **settings):
        seen.append((loss.tasks.permute, take(2)))
        return parameters

    monkeypatch.setattr(prototypical, "minimise", keep)
    assert TASKS.permute
    train(2)
    train(2, permute=True)
    assert [permute for permute, _ in seen] == [False, True]
    np.testing.assert_array_equal(seen[0][1], [[0, 1], [2, 3]])


def test_another_width_is_refused():
    network = train(0)
    assert network.fit(np.eye(20), seed=0)(np.eye(20)).shape == (20, 8)
    with pytest.raises(InputError, match="takes 20 columns, got 19"):
        network.fit(np.eye(19), seed=0)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_sizes": (0,)},
        {"n_components": 0},
        {"activation": "cube"},
        {"n_steps": -1},
        {"learning_rate": -1.0},
        {"shots": 0},
        {"queries": 0},
        {"n_tasks": 0},
    ],
)
def test_bad_settings_are_refused(changes):
    with pytest.raises(InputError):
        train(**{"n_steps": 1} | changes)
