"""The inner problem of a rule that hears labels."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.data import GaussianMixture
from metaplastic.errors import InputError
from metaplastic.meta.executor import Bucket
from metaplastic.meta.hearing import HearingProblem, guesses
from metaplastic.meta.problem import RuleProblem, split_rule
from metaplastic.meta.validation import Validator
from metaplastic.objectives import FewShotRidge, LabelSpreading
from metaplastic.rules import LocalRule
from metaplastic.tasks import SourceTasks

RULE = LocalRule.create(key=jax.random.key(0), hidden=3, with_labels=True)
GUIDE = LocalRule.create(key=jax.random.key(1), hidden=3)


def make(**changes):
    settings = {
        "tasks": SourceTasks.create(GaussianMixture(8, 3)),
        "objective": FewShotRidge(),
        "rule": split_rule(RULE)[1],
        "sizes": (8, 6, 4),
        "activation": "relu",
        "batch_size": 16,
        "shots": 2,
        "steps_per_loss": 2,
        "horizons": (2, 40),
        "queries": 4,
        "second": LabelSpreading((2,), n_neighbors=3),
    }
    return HearingProblem(RuleProblem(**(settings | changes)), GUIDE, 3)


@pytest.mark.slow
def test_the_meta_loss_says_how_to_listen():
    problem, (theta, _) = make(), split_rule(RULE)

    def loss(theta, carry):
        after, found, diverged = problem.step(theta, carry, key=jax.random.key(3))
        return found, (after, diverged)

    carry = eqx.filter_jit(problem.init)(theta, key=jax.random.key(2))
    assert carry.known.shape == (6, 8)
    run = eqx.filter_jit(eqx.filter_value_and_grad(loss, has_aux=True))
    (found, (after, diverged)), slope = run(theta, carry)
    assert np.isfinite(found) and not diverged
    assert float(after.state) == 2
    for matrix in (slope.element_in, slope.element_out, slope.top_element_out):
        assert np.all(np.isfinite(matrix))
        assert np.max(np.abs(matrix[:, -1])) > 1e-6, "nothing is learned of labels"
    np.testing.assert_array_equal(after.known, carry.known)
    told = Validator([Bucket("one", problem, 1, 1.0)], inner_steps=2, n_tasks=1)(RULE, 0)
    assert 0.0 <= told["validation_accuracy"] <= 1.0


def test_known_rows_are_told_and_others_guessed_from_their_neighbours():
    labels = jnp.tile(jnp.arange(3), 8)
    features = 9.0 * jax.nn.one_hot(labels, 3) + jax.random.normal(jax.random.key(0), (24, 3))
    found = np.asarray(guesses(features, 6, 3))
    truth = np.eye(3)[labels] - 1.0 / 3.0
    np.testing.assert_allclose(found[:6], truth[:6], atol=1e-6)
    np.testing.assert_allclose(found.sum(1), 0.0, atol=1e-5)
    assert np.all(found.argmax(1) == np.asarray(labels))
    assert np.all(found[6:].max(1) < 2.0 / 3.0), "a guess is as sure as a label"


def test_batches_hold_as_many_other_rows_as_known_ones():
    with pytest.raises(InputError, match=r"6 known rows .* batches of at least 12 rows, got 10"):
        make(batch_size=10)
    with pytest.raises(InputError, match="guide_steps"):
        HearingProblem(make().plain, GUIDE, 0)
