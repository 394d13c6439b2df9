"""The training loop: pieces, snapshots, divergence, small pools, one compilation."""

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.errors import DivergenceError, InputError, MetaplasticError
from metaplastic.learners import RuleLearner, rule_learner, train
from metaplastic.learners.pool import pool_presentation
from metaplastic.models import MLP, Delta, Readout, Trace, freeze
from metaplastic.rules import AbstractUpdateRule, LocalRule
from metaplastic.rules.hebb import Hebb
from metaplastic.rules.oja import Oja
from metaplastic.types import Locality


class Exploding(AbstractUpdateRule):
    """Overflows after a few steps."""

    locality: ClassVar[Locality] = "synapse"
    growth: jax.Array

    def init(self, model: MLP, *, key) -> tuple:
        return ()

    def update(self, model: MLP, trace: Trace, state: tuple, *, key) -> tuple[Delta, tuple]:
        return jax.tree.map(lambda w: self.growth * w, model.layers), state


class Noisy(AbstractUpdateRule):
    """Adds noise from its key: shows which key reached which step."""

    locality: ClassVar[Locality] = "synapse"
    scale: jax.Array

    def init(self, model: MLP, *, key) -> tuple:
        return ()

    def update(self, model: MLP, trace: Trace, state: tuple, *, key) -> tuple[Delta, tuple]:
        noise = self.scale * jax.random.normal(key)
        return jax.tree.map(lambda w: jnp.full_like(w, noise), model.layers), state


class ReadAfter(Noisy):
    """Its features are those of the top layer after the nonlinearity."""

    readout: ClassVar[Readout] = "post"


@pytest.fixture(scope="module")
def pool():
    return np.random.default_rng(0).normal(size=(90, 6)).astype(np.float32)


def learner(**changes):
    options = {"rule": Noisy(jnp.float32(0.1)), "hidden_sizes": (5,), "n_components": 3}
    options |= {"n_networks": 1}
    return RuleLearner(**{**options, "n_steps": 60, "batch_size": 16, **changes})


def test_training_in_pieces_equals_training_at_once(pool):
    model, state, key = learner().start(pool_presentation(pool), seed=0)
    rows = np.random.default_rng(1).integers(0, 90, (70, 16))
    rule = Noisy(jnp.float32(0.1))
    whole, _ = train(rule, model, state, pool[rows], key=key)
    part, state = train(rule, model, state, pool[rows[:33]], key=key)
    part, _ = train(rule, part, state, pool[rows[33:]], key=key, first_step=33)
    assert eqx.tree_equal(whole, part)


def test_another_number_of_steps_or_another_theta_compiles_nothing(pool):
    learner().fit(pool, seed=0)
    compiled = rule_learner._scan._cached._cache_size()
    learner(n_steps=17, rule=Noisy(jnp.float32(0.2))).fit(2 * pool, seed=1)
    assert rule_learner._scan._cached._cache_size() == compiled


def test_snapshots_show_every_asked_step_and_change_nothing(pool):
    seen = {}
    encoder = learner().fit_with_snapshots(
        pool,
        seed=0,
        snapshot_steps=(0, 1, 37, 60, 500),
        on_snapshot=lambda step, models, states: seen.update({step: models[0]}),
    )
    assert list(seen) == [0, 1, 37, 60]
    plain = learner().fit(pool, seed=0)
    np.testing.assert_array_equal(encoder(pool), plain(pool))
    np.testing.assert_array_equal(freeze(seen[60], pool)(pool), plain(pool))
    shorter = learner(n_steps=37).fit(pool, seed=0)
    np.testing.assert_array_equal(freeze(seen[37], pool)(pool), shorter(pool))


def test_no_steps_leave_the_model_as_it_starts(pool):
    model = learner().start(pool_presentation(pool), seed=3)[0]
    np.testing.assert_array_equal(
        learner(n_steps=0).fit(pool, seed=3)(pool), freeze(model, pool)(pool)
    )


def test_several_networks_are_the_single_ones_side_by_side(pool):
    several = learner(rule=Hebb(), n_networks=2, hidden_sizes=(5, 4), activation="tanh")
    networks = several.networks(pool, seed=7)
    assert [(each.n_networks, each.n_components) for each, _ in networks] == [(1, 2), (1, 2)]
    assert networks[0][1] == 7
    parts = [each.fit(pool, seed=own)(pool) for each, own in networks]
    together = np.concatenate(parts, axis=1)[:, :3]
    np.testing.assert_allclose(several.fit(pool, seed=7)(pool), together, atol=1e-5)
    assert not np.allclose(parts[0][:, 0], parts[1][:, 0], atol=0.1)


def test_networks_of_several_nonlinearities_are_the_single_ones_side_by_side(pool):
    several = learner(
        rule=Oja(), n_networks=4, n_components=8, hidden_sizes=(6, 4), activation="relu+tanh"
    )
    networks = several.networks(pool, seed=7)
    assert [each.activation for each, _ in networks] == ["relu", "relu", "tanh", "tanh"]
    parts = [each.fit(pool, seed=own)(pool) for each, own in networks]
    encoder = several.fit(pool, seed=7)
    assert encoder.activation == "relu+tanh"
    np.testing.assert_allclose(encoder(pool), np.concatenate(parts, axis=1), atol=1e-5)
    hidden = encoder.layer_outputs(pool, 1)
    assert hidden[:, :12].min() == 0.0 > hidden[:, 12:].min() > -1.0
    with pytest.raises(InputError, match="call the encoder"):
        encoder.layer_outputs(pool, 3)


def test_half_of_the_networks_are_tanh_where_inputs_are_mostly_zero(pool):
    few = np.random.default_rng(1).poisson(0.05, size=(90, 6)).astype(np.float32)
    for inputs, names in ((pool, "relu"), (few, "relu+tanh"), (5 * few - 1, "relu+tanh")):
        auto = learner(rule=Oja(), n_networks=2, n_components=4, n_steps=3)
        assert auto.activation == "auto"
        encoder = auto.fit(inputs, seed=0)
        assert encoder.activation == names
        same = dataclasses.replace(auto, activation=names).fit(inputs, seed=0)
        np.testing.assert_array_equal(encoder(inputs), same(inputs))
    # What cannot be halved stays as it is, without complaint.
    three = learner(n_networks=3, n_components=6, n_steps=1)
    uneven = learner(rule=ReadAfter(jnp.float32(0.1)), n_networks=2, n_components=5, n_steps=1)
    for odd in (three, uneven):
        assert odd.fit(few, seed=0).activation == "relu"


def test_a_rule_may_bring_another_for_inputs_that_are_mostly_zero(pool):
    rule, other = (LocalRule.create(key=jax.random.key(i), hidden=4) for i in (0, 1))
    pair = dataclasses.replace(rule, sparse=other)
    few = np.random.default_rng(1).poisson(0.05, size=(90, 6)).astype(np.float32)
    for inputs, used in ((pool, rule), (few, other)):
        encoders = [learner(rule=r, n_steps=3).fit(inputs, seed=0) for r in (pair, used)]
        np.testing.assert_array_equal(encoders[0](inputs), encoders[1](inputs))
        # With no other beside it, so that it shares the program of any rule of its shape.
        same = jax.tree.structure(learner(rule=pair).suited(inputs).rule)
        assert same == jax.tree.structure(used)
    # What is asked of the pair is asked of the other, too.
    asked = dataclasses.replace(pair, with_inputs=True, settle=9).suited(sparse=True)
    assert asked.direct and asked.settle == 9


def test_a_rule_may_bring_another_for_bounded_nonlinearities(pool):
    rule, other = (LocalRule.create(key=jax.random.key(i), hidden=4) for i in (0, 1))
    pair = dataclasses.replace(rule, bounded=other)
    for activation, used in (("relu", rule), ("elu", rule), ("sine", other), ("step", other)):
        encoders = [
            learner(rule=r, n_steps=3, activation=activation).fit(pool, seed=0)
            for r in (pair, used)
        ]
        np.testing.assert_array_equal(encoders[0](pool), encoders[1](pool))
    # Beside one another, each network has its own.
    both = [
        learner(rule=r, n_steps=3, n_components=6, n_networks=2, activation="relu+tanh")
        for r in (pair, rule, other)
    ]
    mixed, first, second = (each.fit(pool, seed=0)(pool) for each in both)
    np.testing.assert_array_equal(mixed[:, :3], first[:, :3])
    np.testing.assert_array_equal(mixed[:, 3:], second[:, 3:])
    assert np.abs(mixed[:, 3:] - first[:, 3:]).max() > 1e-3


def test_inputs_are_whitened_for_the_networks_and_not_among_the_features():
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    wide = ((rng.normal(size=(60, 40)) * 9.0 / np.arange(1, 41)) @ turn).astype(np.float32)
    plain = LocalRule.create(key=jax.random.key(0), hidden=4, with_inputs=True)
    rules = (plain, dataclasses.replace(plain, whiten=0.25))
    sizes = {"n_networks": 2, "n_components": 12, "n_steps": 3}
    made = [learner(rule=rule, **sizes).fit(wide, seed=0) for rule in rules]
    n_direct = learner(rule=plain, n_components=12).n_direct(40)
    assert 0 < n_direct < 12
    old, new = (encoder(wide) for encoder in made)
    np.testing.assert_array_equal(old[:, :n_direct], new[:, :n_direct])
    differs = np.abs(old - new).max(0)[n_direct:] > 1e-3
    # Of two networks the second sees inputs as they are.
    first = -(-len(differs) // 2)
    assert differs[:first].all() and not differs[first:].any()


@pytest.mark.parametrize(("share", "names"), [(0.895, ("relu", "tanh")), (0.825, ("relu",))])
def test_the_bound_is_between_words_and_letters(share, names):
    """Least and most zeros of validation pools of real words and of letters."""
    x = np.random.default_rng(0).random((2000, 40)) > share
    auto = learner(rule=Oja(), n_networks=2, n_components=4)
    assert auto.nonlinearities(x.astype(np.float32)) == names


def test_nonlinearities_that_cannot_share_the_features_are_refused(pool):
    with pytest.raises(InputError, match="multiple of 2"):
        learner(n_networks=3, n_components=6, activation="relu+tanh")
    # Three features leave three of the four networks.
    few = learner(n_networks=4, n_components=3, activation="relu+tanh")
    with pytest.raises(InputError, match="cannot be shared"):
        few.fit(pool, seed=0)


def test_no_more_networks_than_features(pool):
    assert len(learner(n_networks=8).networks(np.zeros((4, 6)), seed=0)) == 3


@pytest.mark.slow
@pytest.mark.parametrize(("n_components", "n_direct"), [(20, 6), (30, 12), (7, 3)])
def test_direct_features_are_the_presented_inputs_or_components(pool, n_components, n_direct):
    rule = LocalRule.create(key=jax.random.key(0), hidden=4, with_inputs=True)
    own = learner(rule=rule, n_components=n_components, n_networks=2, n_steps=2)
    assert pool.shape[1] == 6
    assert own.n_direct(6) == n_direct
    encoder = own.fit(pool, seed=0)
    features, inputs = encoder(pool), encoder.layer_outputs(pool, 0)
    assert features.shape == (len(pool), n_components) and encoder.n_features_out == n_components
    direct, learned = features[:, :n_direct], features[:, n_direct:]
    # All inputs can be read from their components exactly if none is missing.
    error = np.abs(direct @ np.linalg.pinv(direct) @ inputs - inputs).max()
    assert error > 0.1 if n_direct < 6 else error < 1e-4
    gram = encoder.direct.T @ encoder.direct
    copies = max(1, n_direct // 6)
    expected = np.tile(np.eye(n_direct // copies), (copies, copies))
    np.testing.assert_allclose(gram, gram[0, 0] * expected, atol=1e-5)
    assert 0.5 < direct.var(0).sum() / learned.var(0).sum() < 2.0
    assert own.n_direct(rule_learner.FEW + 1) < own.n_direct(1)
    plain = learner(
        rule=dataclasses.replace(rule, with_inputs=False),
        n_components=n_components - n_direct,
        n_networks=2,
        n_steps=2,
    )
    np.testing.assert_array_equal(plain.fit(pool, seed=0)(pool), learned)


def test_divergence_says_where_and_what_to_do(pool):
    with pytest.raises(DivergenceError, match=r"between inner steps 0 and 50.*use fewer steps"):
        learner(rule=Exploding(jnp.float32(1e6))).fit(pool, seed=0)
    assert issubclass(DivergenceError, MetaplasticError) and issubclass(
        DivergenceError, RuntimeError
    )


def test_a_pool_smaller_than_the_batch_is_its_own_batch(pool):
    features = learner(batch_size=512).fit(pool[:5], seed=0)(pool)
    assert features.shape == (90, 3) and np.all(np.isfinite(features))


def test_no_hidden_layer_and_another_activation(pool):
    features = learner(hidden_sizes=(), activation="tanh", rule=Oja()).fit(pool, seed=0)(pool)
    assert features.shape == (90, 3) and np.all(np.isfinite(features))


def test_seeds_differ(pool):
    one, two = (learner(rule=Hebb()).fit(pool, seed=s)(pool) for s in (0, 1))
    assert not np.allclose(one, two)


def test_label_is_the_alias_or_the_rule():
    assert learner(rule=Hebb()).label == "Hebb"
    assert learner(rule=Hebb(), alias="hebb, wide").label == "hebb, wide"


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_sizes": (0,)},
        {"n_components": 0},
        {"activation": "cube"},
        {"activation": "relu+cube"},
        {"activation": "relu+relu"},
        {"n_steps": -1},
        {"batch_size": 1},
    ],
)
def test_bad_configurations_are_refused(changes):
    with pytest.raises(InputError):
        learner(**changes)
