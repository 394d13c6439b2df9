"""The training loop: pieces, snapshots, divergence, small pools, one compilation."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.errors import DivergenceError, InputError, MetaplasticError
from metaplastic.learners import RuleLearner, inner_loop, plain_learner, rule_learner, train
from metaplastic.learners.rule_learner import start, starts
from metaplastic.models import MLP, Delta, DirectSettings, PresentationSettings, Trace, freeze
from metaplastic.presets import Preset, plain_preset
from metaplastic.rules import AbstractUpdateRule, LocalRule, RuleSet
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


@pytest.fixture(scope="module")
def pool():
    return np.random.default_rng(0).normal(size=(90, 6)).astype(np.float32)


SIZES = {"hidden_sizes": (5,), "n_components": 3, "n_networks": 1, "n_steps": 60, "batch_size": 16}


def learner(rule=None, **changes):
    """A learner of one rule and small sizes."""
    return plain_learner(Noisy(jnp.float32(0.1)) if rule is None else rule, **(SIZES | changes))


def of_rules(rules, **changes):
    """A learner of several rules."""
    preset = Preset("several", rules, mostly_zero=0.86).with_networks(**(SIZES | changes))
    return RuleLearner(preset)


def first_start(own, pool, seed):
    plan = own.preset.plan(pool, seed)
    return starts(plan, pool, own.preset.networks.hidden_sizes)[0]


@pytest.mark.slow
def test_training_in_pieces_equals_training_at_once(pool):
    model, state, key = first_start(learner(), pool, seed=0)
    rows = np.random.default_rng(1).integers(0, 90, (70, 16))
    rule = Noisy(jnp.float32(0.1))
    whole, _ = train(rule, model, state, pool[rows], key=key)
    part, state = train(rule, model, state, pool[rows[:33]], key=key)
    part, _ = train(rule, part, state, pool[rows[33:]], key=key, first_step=33)
    assert eqx.tree_equal(whole, part)


def test_another_number_of_steps_or_another_theta_compiles_nothing(pool):
    learner().fit(pool, seed=0)
    compiled = inner_loop._scan.program._cached._cache_size()
    learner(Noisy(jnp.float32(0.2)), n_steps=17).fit(2 * pool, seed=1)
    assert inner_loop._scan.program._cached._cache_size() == compiled


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
    model = first_start(learner(), pool, seed=3)[0]
    np.testing.assert_array_equal(
        learner(n_steps=0).fit(pool, seed=3)(pool), freeze(model, pool)(pool)
    )


def single(own, member, pool):
    """What one member of a plan makes alone, from the training of its own rows."""
    one = own.preset.with_networks(
        n_networks=1, n_components=member.units, activation=member.activation
    )
    return RuleLearner(one).fit(pool, seed=member.seed)(pool)


def test_several_networks_are_the_single_ones_side_by_side(pool):
    several = learner(Hebb(), n_networks=2, hidden_sizes=(5, 4), activation="tanh")
    members = several.preset.plan(pool, 7).members
    parts = [single(several, member, pool) for member in members]
    together = np.concatenate(parts, axis=1)[:, :3]
    np.testing.assert_allclose(several.fit(pool, seed=7)(pool), together, atol=1e-5)
    assert not np.allclose(parts[0][:, 0], parts[1][:, 0], atol=0.1)


@pytest.mark.slow
def test_networks_of_several_nonlinearities_are_the_single_ones_side_by_side(pool):
    several = learner(
        Oja(), n_networks=4, n_components=8, hidden_sizes=(6, 4), activation="relu+tanh"
    )
    members = several.preset.plan(pool, 7).members
    parts = [single(several, member, pool) for member in members]
    encoder = several.fit(pool, seed=7)
    assert encoder.activation == "relu+tanh"
    np.testing.assert_allclose(encoder(pool), np.concatenate(parts, axis=1), atol=1e-5)
    hidden = encoder.layer_outputs(pool, 1)
    assert hidden[:, :12].min() == 0.0 > hidden[:, 12:].min() > -1.0
    with pytest.raises(InputError, match="call the encoder"):
        encoder.layer_outputs(pool, 3)


@pytest.mark.slow
def test_each_network_is_trained_by_the_rule_that_the_plan_says(pool):
    rules = [LocalRule.create(key=jax.random.key(i), hidden=4) for i in (0, 1)]
    pair = RuleSet(rules[0], bounded=rules[1])
    sizes = {"n_steps": 3, "n_components": 6, "n_networks": 2, "activation": "relu+tanh"}
    both = [of_rules(each, **sizes) for each in (pair, *map(RuleSet, rules))]
    mixed, first, second = (each.fit(pool, seed=0)(pool) for each in both)
    np.testing.assert_array_equal(mixed[:, :3], first[:, :3])
    np.testing.assert_array_equal(mixed[:, 3:], second[:, 3:])
    assert np.abs(mixed[:, 3:] - first[:, 3:]).max() > 1e-3


@pytest.mark.slow
def test_mostly_zero_inputs_get_their_rule_and_their_nonlinearities(pool):
    rules = [LocalRule.create(key=jax.random.key(i), hidden=4) for i in (0, 1)]
    few = np.random.default_rng(1).poisson(0.05, size=(90, 6)).astype(np.float32)
    sizes = {"n_networks": 2, "n_components": 4, "n_steps": 3, "sparse": "relu+tanh"}
    pair = of_rules(RuleSet(rules[0], sparse=rules[1]), **sizes)
    for inputs, used, names in ((pool, 0, "relu"), (few, 1, "relu+tanh")):
        encoder = pair.fit(inputs, seed=0)
        assert encoder.activation == names
        same = learner(rules[used], **{**sizes, "activation": names}).fit(inputs, seed=0)
        np.testing.assert_array_equal(encoder(inputs), same(inputs))


@pytest.mark.slow
def test_inputs_are_whitened_for_the_networks_and_not_among_the_features():
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    wide = ((rng.normal(size=(60, 40)) * 9.0 / np.arange(1, 41)) @ turn).astype(np.float32)
    rules = RuleSet(LocalRule.create(key=jax.random.key(0), hidden=4))
    sizes = {**SIZES, "n_networks": 2, "n_components": 12, "n_steps": 3}
    made = [
        RuleLearner(
            Preset(
                "own", rules, presentation, dense_direct=DirectSettings(0.5, 0.25, weight=3.0)
            ).with_networks(**sizes)
        ).fit(wide, seed=0)
        for presentation in (PresentationSettings(), PresentationSettings(whitening=0.25))
    ]
    old, new = (encoder(wide) for encoder in made)
    np.testing.assert_array_equal(old[:, :3], new[:, :3])
    differs = np.abs(old - new).max(0)[3:] > 1e-3
    # Of two networks the second sees inputs as they are.
    first = -(-len(differs) // 2)
    assert differs[:first].all() and not differs[first:].any()


@pytest.mark.parametrize(("n_components", "n_direct"), [(20, 6), (30, 12), (7, 3)])
def test_direct_features_are_the_presented_inputs_or_components(pool, n_components, n_direct):
    sizes = {**SIZES, "n_components": n_components, "n_networks": 2, "n_steps": 2}
    preset = Preset(
        "own", RuleSet(Hebb()), dense_direct=DirectSettings(0.5, 0.25, weight=3.0)
    ).with_networks(**sizes)
    assert preset.plan(pool, 0).n_direct == n_direct
    encoder = RuleLearner(preset).fit(pool, seed=0)
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
    assert 1.5 < direct.var(0).sum() / learned.var(0).sum() < 6.0
    plain = learner(Hebb(), n_components=n_components - n_direct, n_networks=2, n_steps=2)
    np.testing.assert_array_equal(plain.fit(pool, seed=0)(pool), learned)


def test_a_large_pool_is_frozen_with_some_of_its_rows(pool, monkeypatch):
    monkeypatch.setattr(rule_learner, "FREEZE_ROWS", 40)
    own = learner(n_steps=1)
    encoder, again = own.fit(pool, seed=0), own.fit(pool, seed=0)
    np.testing.assert_array_equal(encoder(pool), again(pool))
    monkeypatch.setattr(rule_learner, "FREEZE_ROWS", 90)
    assert not np.array_equal(own.fit(pool, seed=0)(pool), encoder(pool))


def test_divergence_says_where_and_what_to_do(pool):
    with pytest.raises(DivergenceError, match=r"between inner steps 0 and 50.*use fewer steps"):
        learner(Exploding(jnp.float32(1e6))).fit(pool, seed=0)
    assert issubclass(DivergenceError, MetaplasticError) and issubclass(
        DivergenceError, RuntimeError
    )


def test_a_pool_smaller_than_the_batch_is_its_own_batch(pool):
    features = learner(batch_size=512).fit(pool[:5], seed=0)(pool)
    assert features.shape == (90, 3) and np.all(np.isfinite(features))


def test_no_hidden_layer_and_another_activation(pool):
    features = learner(Oja(), hidden_sizes=(), activation="tanh").fit(pool, seed=0)(pool)
    assert features.shape == (90, 3) and np.all(np.isfinite(features))


def test_seeds_differ(pool):
    one, two = (learner(Hebb()).fit(pool, seed=s)(pool) for s in (0, 1))
    assert not np.allclose(one, two)


def test_label_is_the_alias_or_the_name_of_the_preset():
    assert learner(Hebb()).label == "Hebb"
    assert plain_learner(Hebb(), alias="hebb, wide").label == "hebb, wide"
    assert RuleLearner(Preset("mine", RuleSet(Hebb()))).label == "mine"


def test_anything_but_a_preset_is_refused():
    with pytest.raises(InputError, match="preset must be a preset, got Hebb"):
        RuleLearner(Hebb())


def test_a_model_starts_as_its_member_says(pool):
    preset = plain_preset(Hebb(), **SIZES)
    plan = preset.plan(pool, 5)
    model, state, _ = first_start(RuleLearner(preset), pool, seed=5)
    assert model.sizes == (6, 5, 3) and model.activation == plan.members[0].activation == "relu"
    again = start(plan.members[0], model.presentation, (5,))
    assert eqx.tree_equal((again[0], again[1]), (model, state))
