"""Teaching: what is compared, who leads, what gradients see; and that a student learns."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.data import GaussianMixture
from metaplastic.errors import InputError
from metaplastic.gradients import TruncatedBackprop
from metaplastic.meta.executor import Bucket, LocalExecutor
from metaplastic.meta.problem import split_rule
from metaplastic.meta.teaching import Lesson, TeachingProblem, mismatch, turned
from metaplastic.meta.train import OuterConfig, meta_train
from metaplastic.models import Layer, init_mlp
from metaplastic.rules import LocalRule, Metz2018
from metaplastic.rules.hebb import Hebb
from metaplastic.rules.oja import Oja
from metaplastic.tasks import SourceTasks

WEIGHTS_ALONE = Lesson(feedback=0.0, bias=0.0)


def make(teacher, student, **changes):
    theta, rest = split_rule(student)
    settings = {
        "tasks": SourceTasks.create(GaussianMixture(6, 3)),
        "sizes": (6, 5, 4),
        "activation": "relu",
        "batch_size": 12,
        "horizons": (5, 20),
    }
    return theta, TeachingProblem(teacher=teacher, student=rest, **(settings | changes))


def one_step(teacher, student, **changes):
    """The problem, its carry and what one step made of it."""
    theta, problem = make(teacher, student, **changes)
    carry = eqx.filter_jit(problem.init)(theta, key=jax.random.key(1))
    found = eqx.filter_jit(problem.step)(theta, carry, key=jax.random.key(2))
    return problem, carry, *found


@pytest.mark.slow
def test_a_rule_is_its_own_best_student():
    _, _, _, loss, diverged = one_step(Oja(), Oja())
    assert abs(float(loss)) < 1e-5
    assert not diverged


def test_mismatch_adds_up_parts_by_their_weights():
    generator = np.random.default_rng(0)
    wanted = Layer(*(jnp.asarray(generator.normal(size=s)) for s in ((3, 2), (2,), (3, 2))))
    same = mismatch(wanted, wanted, Lesson())
    double = mismatch(wanted, jax.tree.map(lambda a: 2 * a, wanted), Lesson(1.0, 0.5, 0.25, 0.5))
    turned_round = mismatch(wanted, jax.tree.map(jnp.negative, wanted), Lesson(size=0.0))
    np.testing.assert_allclose([same, double, turned_round], [0.0, 0.5 * 1.75, 2 * 1.75], atol=1e-5)


def test_a_part_that_is_not_to_change_counts_for_nothing():
    silent = jax.tree.map(jnp.zeros_like, Layer(jnp.ones((3, 2)), jnp.ones(2), jnp.ones((3, 2))))
    change = jax.tree.map(lambda a: a + 1.0, silent)
    loss, gradient = jax.value_and_grad(lambda given: mismatch(silent, given, Lesson()))(change)
    assert float(loss) == 0.0
    assert all(np.all(np.asarray(g) == 0) for g in jax.tree.leaves(gradient))


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_one_of_the_two_leads(share):
    teacher, student = Oja(learning_rate=0.5), Hebb(learning_rate=0.2)
    lesson = dataclasses.replace(WEIGHTS_ALONE, student=share)
    problem, carry, after, _, _ = one_step(teacher, student, lesson=lesson)
    data_key = jax.random.split(jax.random.key(2), 4)[0]
    batch = eqx.filter_jit(problem.tasks.unlabelled)(carry.task, 12, key=data_key)
    trace = carry.model.trace(batch)

    def changed(rule, state):
        delta = rule.update(carry.model, trace, state, key=jax.random.key(0))[0]
        return carry.model.apply(delta).layers[0].weight

    own, aim = changed(student, carry.student), changed(teacher, carry.teacher)
    lengths = np.linalg.norm(own, axis=0)
    expected = own if share else aim / np.linalg.norm(aim, axis=0) * lengths
    np.testing.assert_allclose(after.model.layers[0].weight, expected, atol=1e-5)


def test_lengths_are_no_part_of_what_is_compared():
    model = init_mlp((5, 4), key=jax.random.key(0), initialisation="published")
    layer = model.layers[0]
    longer = eqx.tree_at(lambda m: m.layers[0].weight, model, 3.0 * layer.weight)
    delta = (Layer(0.1 * layer.feedback, jnp.ones(4), 0.5 * layer.feedback),)
    thrice = (Layer(0.3 * layer.feedback, jnp.ones(4), 0.5 * layer.feedback),)
    one, other = turned(model, delta)[0], turned(longer, thrice)[0]
    np.testing.assert_allclose(one.weight, other.weight, atol=1e-6)
    np.testing.assert_allclose(one.feedback, 0.0, atol=1e-6)


@pytest.mark.slow
def test_no_gradient_passes_from_step_to_step():
    theta, problem = make(Oja(), Hebb(learning_rate=0.2))
    carry = eqx.filter_jit(problem.init)(theta, key=jax.random.key(1))

    def second(theta, middle):
        return problem.step(theta, middle, key=jax.random.key(4))[1]

    def through(theta):
        middle = problem.step(theta, carry, key=jax.random.key(3))[0]
        return second(theta, middle)

    middle = eqx.filter_jit(problem.step)(theta, carry, key=jax.random.key(3))[0]
    found, alone = jax.jit(jax.grad(through))(theta), jax.jit(jax.grad(second))(theta, middle)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(alone), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_student_comes_to_have_its_teachers_rate():
    theta, problem = make(Oja(learning_rate=0.5), Oja(learning_rate=0.1), lesson=WEIGHTS_ALONE)
    executor = LocalExecutor([Bucket("g", problem, 2)], TruncatedBackprop(1, checkpoint=False))
    config = OuterConfig(n_updates=150, learning_rate=0.02, warmup=1, b2=0.9)
    rule = eqx.combine(theta, problem.student)
    *_, (state, report) = meta_train(rule, executor, config, weights=[1.0])
    assert report["diverged"] == 0
    assert float(state.theta.learning_rate) == pytest.approx(0.5, abs=0.05)


@pytest.mark.slow
def test_a_teacher_sees_weights_of_unit_norm_whatever_the_students_are():
    problem, carry, after, loss, _ = one_step(
        Oja(),
        Metz2018.create(key=jax.random.key(0), n_top=4, equivariant=True, learning_rate=0.01),
        lesson=WEIGHTS_ALONE,
    )
    known = problem._as_taught(carry.model)
    assert np.linalg.norm(carry.model.layers[0].weight, axis=0).max() < 0.1
    for layer in known.layers:
        np.testing.assert_allclose(np.linalg.norm(layer.weight, axis=0), 1.0, atol=1e-4)
    assert 0 < float(loss) < 3
    assert np.linalg.norm(after.model.layers[0].weight, axis=0).max() < 0.2


def test_what_cannot_be_taught_is_refused():
    published = Metz2018.create(key=jax.random.key(0), n_top=4)
    with pytest.raises(InputError, match="cannot teach Oja, whose networks start as 'unit_norm'"):
        make(published, Oja())
    with pytest.raises(InputError, match="1 <= low <= high"):
        make(Oja(), Oja(), horizons=(0, 5))
    with pytest.raises(InputError, match="the 6 features of the tasks"):
        make(Oja(), Oja(), sizes=(7, 4))
    with pytest.raises(InputError, match="share of steps from 0 to 1"):
        Lesson(student=1.5)
    with pytest.raises(InputError, match="one of the first three above it"):
        Lesson(0.0, 0.0, 0.0)


@pytest.mark.slow
def test_theta_of_a_local_student_is_reached_by_the_gradient():
    theta, problem = make(
        LocalRule.create(key=jax.random.key(5), hidden=6),
        LocalRule.create(key=jax.random.key(0), hidden=3),
    )
    carry = eqx.filter_jit(problem.init)(theta, key=jax.random.key(1))
    gradient = jax.jit(jax.grad(lambda t: problem.step(t, carry, key=jax.random.key(2))[1]))(theta)
    # Nothing has slowed down at the first step, so the decay says nothing yet.
    *reached, similarity = (x for x in jax.tree.leaves(gradient) if x is not gradient.decay)
    assert similarity.shape == ()
    for leaf in reached:
        assert np.any(np.asarray(leaf) != 0)
