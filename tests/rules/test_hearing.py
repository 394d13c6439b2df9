"""What labels tell the top layer, and a rule that hears it."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.models import init_mlp
from metaplastic.rules import LocalRule, apply_rule
from metaplastic.rules.hearing import label_message
from metaplastic.rules.local import told_labels, told_outputs, widened

CLASSES, BATCH, SIZES = 3, 12, (9, 7, 5)
step = eqx.filter_jit(apply_rule)


@pytest.fixture(scope="module")
def batch():
    """Drives `(BATCH, 4)`, and targets of the first eight rows."""
    drive = jax.random.normal(jax.random.key(0), (BATCH, 4))
    targets = jax.nn.one_hot(jnp.arange(BATCH) % CLASSES, CLASSES) - 1.0 / CLASSES
    return drive, targets.at[8:].set(0.0)


@pytest.fixture(scope="module")
def listening():
    """A rule to which labels matter, and a network."""
    rule = told_labels(LocalRule.create(key=jax.random.key(0), hidden=3, with_outputs=True))
    heard = (rule.element_in, rule.element_out, rule.top_element_out)
    heard = tuple(matrix.at[:, -1].set(0.7) for matrix in heard)
    rule = eqx.tree_at(lambda r: (r.element_in, r.element_out, r.top_element_out), rule, heard)
    return rule, init_mlp(SIZES, key=jax.random.key(2), activation="relu")


def test_a_message_is_the_error_of_a_guess_without_the_row_itself(batch):
    drive, targets = (np.asarray(a, np.float64) for a in batch)
    z = drive[:8] - drive[:8].mean(0)
    readout = z.T @ targets[:8] / 8
    guess = np.stack(
        [z[b] @ (readout - np.outer(z[b], targets[b]) / 8) for b in range(8)]  # left out in turn
    )
    fit = max((guess * targets[:8]).sum(), 0.0) / (guess**2).sum()
    expected = (targets[:8] - fit * guess) @ readout.T
    expected /= np.sqrt(np.mean(expected**2))
    found = label_message(*batch)
    np.testing.assert_allclose(found[:8], expected, rtol=1e-4, atol=1e-5)
    assert not np.any(found[8:]), "rows without a label are told something"


def test_the_order_of_classes_does_not_matter(batch):
    drive, targets = batch
    other = label_message(drive, targets[:, jnp.array([2, 0, 1])])
    np.testing.assert_allclose(other, label_message(drive, targets), atol=1e-5)


@pytest.mark.parametrize("known", [0, 1, 3])
def test_few_labels_and_none_are_finite(batch, known):
    drive, targets = batch
    few = targets.at[known:].set(0.0)
    message, slope = jax.value_and_grad(lambda z: jnp.sum(label_message(z, few) ** 3))(drive)
    assert np.isfinite(message) and np.all(np.isfinite(slope))
    assert (message == 0.0) == (known < 2)  # a single row has nothing to differ from


def test_a_rule_told_labels_does_the_same_until_it_listens(batch):
    made = LocalRule.create(key=jax.random.key(0), hidden=3, settle=9)
    told = told_labels(made)
    assert told.hears_labels and not made.hears_labels and told_labels(told) is told
    model = init_mlp(SIZES, key=jax.random.key(2), activation="relu")
    x = jax.random.normal(jax.random.key(3), (BATCH, SIZES[0]))
    key, start = jax.random.key(0), jnp.zeros(())
    plain = step(made, model, start, x, key=key)[0].layers
    for targets in (None, batch[1]):
        heard = step(told, model, start, x, key=key, targets=targets)[0].layers
        for old, new in zip(jax.tree.leaves(plain), jax.tree.leaves(heard), strict=True):
            np.testing.assert_allclose(new, old, atol=1e-6)
    assert widened(told, 5, key=key).with_labels
    with pytest.raises(InputError, match="tell it first"):
        told_outputs(told)


def test_labels_reach_every_layer(batch, listening):
    rule, model = listening
    x = jax.random.normal(jax.random.key(3), (BATCH, SIZES[0]))
    key, start = jax.random.key(0), jnp.zeros(())
    deaf = step(rule, model, start, x, key=key)[0].layers
    heard = step(rule, model, start, x, key=key, targets=batch[1])[0].layers
    for index in range(2):
        assert np.max(np.abs(heard[index].weight - deaf[index].weight)) > 1e-4


def test_units_and_samples_may_change_places(batch, listening):
    rule, model = listening
    x = jax.random.normal(jax.random.key(3), (BATCH, SIZES[0]))
    order, units = jnp.arange(BATCH)[::-1], jnp.array([3, 0, 4, 1, 2])
    key, start = jax.random.key(0), jnp.zeros(())
    top = model.layers[1]
    mixed = type(top)(top.weight[:, units], top.bias[units], top.feedback[:, units])
    moved = eqx.tree_at(lambda m: m.layers[1], model, mixed)
    expected = step(rule, model, start, x, key=key, targets=batch[1])[0].layers
    found = step(rule, moved, start, x[order], key=key, targets=batch[1][order])[0].layers
    np.testing.assert_allclose(found[0].weight, expected[0].weight, atol=2e-5)
    np.testing.assert_allclose(found[1].weight, expected[1].weight[:, units], atol=2e-5)


def test_what_is_heard_is_told_units_of_the_top_layer_alone(batch, listening):
    """The labels of a layer's trace count where they are given; a lower layer has none."""
    rule, model = listening
    x = jax.random.normal(jax.random.key(3), (BATCH, SIZES[0]))
    _, _, trace = step(rule, model, jnp.zeros(()), x, key=jax.random.key(0), targets=batch[1])
    assert trace[0].labels is None
    np.testing.assert_allclose(trace[1].labels, label_message(trace[1].drive, batch[1]), atol=1e-5)
    assert dataclasses.replace(trace[1], labels=None).labels is None
