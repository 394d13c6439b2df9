"""The inner problem: theta reaches the loss, randomness is the key's, memory is rematerialised."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.data import GaussianMixture, HiddenManifold
from metaplastic.errors import InputError
from metaplastic.meta.problem import RuleProblem, split_rule
from metaplastic.models import DirectSettings, PresentationSettings
from metaplastic.objectives import FewShotRidge, LabelSpreading
from metaplastic.rules import LocalRule, apply_rule
from metaplastic.rules.oja import Oja
from metaplastic.tasks import SourceTasks


def make(**changes):
    theta, rest = split_rule(LocalRule.create(key=jax.random.key(0), hidden=4))
    settings = {
        "tasks": SourceTasks.create(GaussianMixture(8, 3)),
        "objective": FewShotRidge(),
        "rule": rest,
        "sizes": (8, 6, 4),
        "activation": "relu",
        "batch_size": 10,
        "shots": 4,
        "steps_per_loss": 2,
        "horizons": (2, 40),
    }
    return theta, RuleProblem(**(settings | changes))


@pytest.fixture(scope="module")
def start():
    theta, problem = make()
    return theta, problem, eqx.filter_jit(problem.init)(theta, key=jax.random.key(1))


WHITENED = PresentationSettings(whitening=0.25)


@pytest.mark.slow
@pytest.mark.parametrize(("n_columns", "expected"), [(WHITENED.components, False), (60, True)])
def test_inputs_are_whitened_where_it_is_asked_for(n_columns, expected):
    tasks = SourceTasks.create(HiddenManifold(n_columns, 3))
    theta, problem = make(tasks=tasks, sizes=(n_columns, 6, 4), presentation=WHITENED)
    carry = eqx.filter_jit(problem.init)(theta, key=jax.random.key(1))
    scaling = carry.model.presentation
    assert (scaling.whitening is not None) is expected
    if expected:
        x = tasks.unlabelled(carry.task, 500, key=jax.random.key(2))
        found = [np.linalg.eigvalsh(np.cov(s.T))[::-1] for s in (scaling.scaled(x), scaling(x))]
        plain, whitened = (v[0] / v[WHITENED.components] for v in found)
        assert whitened < plain**0.7


@pytest.mark.slow
def test_a_step_is_the_rule_applied_and_then_scored(start):
    theta, problem, carry = start
    key = jax.random.key(2)
    after, loss, diverged = eqx.filter_jit(problem.step)(theta, carry, key=key)
    step_key, loss_key = jax.random.split(key)
    model, state = carry.model, carry.state
    draw, apply = eqx.filter_jit(problem.tasks.unlabelled), eqx.filter_jit(apply_rule)
    rule = LocalRule.create(key=jax.random.key(0), hidden=4)
    for inner_key in jax.random.split(step_key, 2):
        data_key, rule_key = jax.random.split(inner_key)
        batch = draw(carry.task, 10, key=data_key)
        model, state, _ = apply(rule, model, state, batch, key=rule_key)
    np.testing.assert_allclose(after.model.layers[0].weight, model.layers[0].weight, atol=1e-5)
    score = eqx.filter_jit(problem.score)(carry.task, model, key=loss_key)[0]
    np.testing.assert_allclose(loss, score, atol=1e-4)
    assert not diverged
    assert float(after.state) == 2


def gradient_of_two_steps(theta, problem, carry):
    def loss(theta):
        keys = jax.random.split(jax.random.key(3), 2)
        return jax.lax.scan(lambda c, key: problem.step(theta, c, key=key)[:2], carry, keys)[
            1
        ].sum()

    return jax.tree.leaves(jax.jit(jax.grad(loss))(theta))


@pytest.mark.slow
def test_gradient_reaches_every_meta_parameter(start):
    assert all(np.any(np.asarray(leaf) != 0) for leaf in gradient_of_two_steps(*start))


@pytest.mark.slow
def test_gradient_is_the_same_without_checkpoints(start):
    theta, rest = split_rule(Oja(learning_rate=0.3))
    problem = dataclasses.replace(start[1], rule=rest)
    plain = dataclasses.replace(problem, checkpoint=False)
    carry = eqx.filter_jit(problem.init)(theta, key=jax.random.key(1))
    found, expected = (gradient_of_two_steps(theta, p, carry) for p in (problem, plain))
    np.testing.assert_allclose(found, expected, rtol=2e-3)
    assert found[0] != 0


@pytest.mark.slow
@pytest.mark.parametrize("most", [8, 3])
def test_readouts_see_direct_inputs_where_it_is_asked_for(start, monkeypatch, most):
    monkeypatch.setattr("metaplastic.meta.problem.MAX_DIRECT", most)
    _, problem, carry = start
    seen = []

    class Spy(FewShotRidge):
        def __call__(self, support, *arguments, **options):
            seen.append(np.asarray(support))
            return super().__call__(support, *arguments, **options)

    for direct in (None, DirectSettings(components=most)):
        own = dataclasses.replace(problem, objective=Spy(), direct=direct)
        own.score(carry.task, carry.model, key=jax.random.key(5))
    plain, both = seen
    assert plain.shape[1] == 4 and both.shape[1] == most + 4
    # The learned half is the same but for its scale and centre.
    learned = both[:, most:]
    for a, b in zip(plain.T, learned.T, strict=True):
        assert np.corrcoef(a, b)[0, 1] > 0.9999
    x, _ = problem.tasks.labelled(carry.task, 8, key=jax.random.key(5))
    inputs = np.asarray(carry.model.presentation(x))[: len(both)]
    direct = both[:, :most]
    design = np.column_stack([direct, np.ones(len(direct))])
    missing = np.sum(np.square(design @ np.linalg.pinv(design) @ inputs - inputs))
    variances = np.square(np.linalg.svd(inputs - inputs.mean(0))[1])
    # All inputs, or about as much of them as so many numbers can hold.
    least = np.sum(variances[most:])
    assert missing == pytest.approx(least, rel=0.3, abs=1e-3)


@pytest.mark.slow
def test_a_second_objective_has_its_share_and_always_sees_inputs(start):
    _, problem, carry = start
    key, seen = jax.random.key(5), []

    class Spy(LabelSpreading):
        def __call__(self, support, support_labels, query, *arguments, **options):
            seen.append((support.shape, query.shape))
            return super().__call__(support, support_labels, query, *arguments, **options)

    def score(share, second=None):
        own = dataclasses.replace(problem, queries=5, second=second or Spy((1,), 3), share=share)
        return own.score(carry.task, carry.model, key=key)

    first, second, both = (score(share) for share in (0.0, 1.0, 0.25))
    assert seen == [((12, 8 + 4), (15, 8 + 4))] * 3
    alone = dataclasses.replace(problem, queries=5).score(carry.task, carry.model, key=key)
    np.testing.assert_allclose(first[0], alone[0], rtol=1e-6)
    assert abs(float(second[0] - first[0])) > 1e-3
    for a, b, mixed in zip(*map(jax.tree.leaves, (first, second, both)), strict=True):
        np.testing.assert_allclose(mixed, 0.75 * a + 0.25 * b, rtol=1e-5)


def test_divergence_is_reported_not_raised(start):
    theta, problem, carry = start
    broken = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan), theta)
    _, _, diverged = eqx.filter_jit(problem.step)(broken, carry, key=jax.random.key(0))
    assert diverged


def test_horizons_are_log_uniform_in_problem_steps(start):
    _, problem, _ = start
    drawn = jax.vmap(lambda k: problem.horizon(key=k))(jax.random.split(jax.random.key(0), 2000))
    assert drawn.min() == 1
    assert drawn.max() == 20
    # The median of a log-uniform variable is the geometric mean of its ends.
    assert 3 <= np.median(drawn) <= 6


@pytest.mark.parametrize(
    "bad",
    [
        {"batch_size": 1},
        {"shots": 0},
        {"steps_per_loss": 0},
        {"horizons": (1, 40)},
        {"horizons": (50, 40)},
        {"sizes": (9, 6, 4)},
        {"activation": "cube"},
        {"queries": -1},
        {"share": 1.5},
    ],
)
def test_bad_problems_are_refused(bad):
    with pytest.raises(InputError):
        make(**bad)
