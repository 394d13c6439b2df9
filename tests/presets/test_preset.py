"""What a preset decides: rules, nonlinearities, presentation and sizes of the networks."""

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax
import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.models import (
    NO_DIRECT,
    DirectSettings,
    PictureSettings,
    PreparationSettings,
    PresentationSettings,
    Readout,
)
from metaplastic.presets import NetworkSettings, Preset, load_preset, plain_preset
from metaplastic.rules import Hebb, LocalRule, Metz2018, Oja, RuleSet

WHITENED = PresentationSettings(whitening=0.25)


class ReadAfter(Oja):
    """Its features are those of the top layer after the nonlinearity."""

    readout: ClassVar[Readout] = "post"


def local(seed):
    return LocalRule.create(key=jax.random.key(seed), hidden=4)


@pytest.fixture(scope="module")
def rules():
    return RuleSet(local(0), bounded=local(1), sparse=local(2))


@pytest.fixture(scope="module")
def pool():
    return np.random.default_rng(0).normal(size=(90, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def few():
    """Mostly zeros, as bags of words are."""
    return np.random.default_rng(1).poisson(0.05, size=(90, 6)).astype(np.float32)


def preset(rule=None, **networks):
    """As `base` decides, but of another rule and small."""
    rules = rule if isinstance(rule, RuleSet) else RuleSet(rule or Oja())
    sizes = {"hidden_sizes": (5,), "n_components": 4, "n_networks": 2, "sparse": "relu+tanh"}
    return Preset(
        "own",
        rules,
        presentation=WHITENED,
        networks=NetworkSettings(**(sizes | networks)),
        mostly_zero=0.86,
    )


def activations(plan):
    return [member.activation for member in plan.members]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "sparse", "role"),
    [
        ("relu", False, "main"),
        ("elu", False, "main"),
        ("tanh", False, "bounded"),
        ("sine", False, "bounded"),
        ("step", False, "bounded"),
        ("relu", True, "sparse"),
        ("step", True, "sparse"),
    ],
)
def test_a_rule_set_has_a_rule_for_every_network_and_input(rules, activation, sparse, role):
    assert rules.rule_for(activation, sparse=sparse) is getattr(rules, role)


def test_what_a_rule_set_lacks_its_other_rules_do():
    main, bounded, sparse = local(0), local(1), local(2)
    assert RuleSet(main).rule_for("tanh", sparse=True) is main
    # Without a rule for sparse inputs the others train their networks there too.
    assert RuleSet(main, bounded=bounded).rule_for("tanh", sparse=True) is bounded
    assert RuleSet(main, bounded=bounded).rule_for("relu", sparse=True) is main
    assert RuleSet(main, sparse=sparse).rule_for("tanh", sparse=False) is main
    assert list(RuleSet(main, sparse=sparse).named()) == ["main", "sparse"]


def test_a_rule_for_pictures_trains_their_networks_unless_they_are_bounded_or_hear():
    main, bounded, labels, pictures = local(0), local(1), local(2), local(3)
    rules = RuleSet(main, bounded=bounded, pictures=pictures, labels=labels)
    assert rules.rule_for("relu", sparse=False, pictures=True) is pictures
    assert rules.rule_for("tanh", sparse=False, pictures=True) is bounded
    assert rules.rule_for("relu", sparse=False, pictures=True, heard=True) is labels
    assert rules.rule_for("relu", sparse=False) is main
    assert RuleSet(main).rule_for("relu", sparse=False, pictures=True) is main


def test_a_function_of_all_rules_keeps_their_roles(rules):
    moved = rules.map(lambda rule: dataclasses.replace(rule, settle=7))
    assert [rule.settle for rule in moved.named().values()] == [7, 7, 7]
    assert RuleSet(local(0)).map(lambda rule: rule).bounded is None


def test_a_plan_gives_every_network_its_rule(rules, pool, few):
    dense = preset(rules, activation="relu+tanh").plan(pool, 0)
    assert activations(dense) == ["relu", "tanh"]
    assert [member.rule for member in dense.members] == [rules.main, rules.bounded]
    sparse = preset(rules).plan(few, 0)
    assert activations(sparse) == ["relu", "tanh"]
    assert [member.rule for member in sparse.members] == [rules.sparse, rules.sparse]


def test_all_rules_of_base_share_the_program_of_any_rule_of_their_shape():
    rules = load_preset("base").rules
    assert jax.tree.structure(rules.main) == jax.tree.structure(rules.sparse)
    named = rules.named().values()
    assert all(isinstance(rule, LocalRule) and rule.settle == 100 for rule in named)
    assert [rule.with_outputs for rule in named] == [False, True, False, False, False]


def test_networks_share_the_features_and_the_first_has_the_seed(pool):
    plan = preset(n_networks=2, n_components=3).plan(pool, 7)
    assert [member.units for member in plan.members] == [2, 2]
    assert plan.n_learned == 3 and plan.n_direct == 0
    assert plan.members[0].seed == 7 != plan.members[1].seed
    again, other = (preset(n_networks=2, n_components=3).plan(pool, seed) for seed in (7, 8))
    assert [m.seed for m in again.members] == [m.seed for m in plan.members]
    assert [m.seed for m in other.members] != [m.seed for m in plan.members]


def test_nonlinearities_stand_in_rows(pool):
    plan = preset(n_networks=4, n_components=8, activation="relu+tanh").plan(pool, 0)
    assert activations(plan) == ["relu", "relu", "tanh", "tanh"]


def test_no_more_networks_than_features(pool):
    assert len(preset(n_networks=8, n_components=3).plan(pool, 0).members) == 3


def test_half_of_the_networks_are_tanh_where_inputs_are_mostly_zero(pool, few):
    for inputs, names in ((pool, "relu"), (few, "relu+tanh"), (5 * few - 1, "relu+tanh")):
        assert "+".join(dict.fromkeys(activations(preset().plan(inputs, 0)))) == names
    # What cannot be halved stays as it is, without complaint.
    three = preset(n_networks=3, n_components=6)
    uneven = preset(ReadAfter(), n_networks=2, n_components=5)
    for odd in (three, uneven):
        assert set(activations(odd.plan(few, 0))) == {"relu"}
    # A cut does not matter where features are drives.
    assert set(activations(preset(n_components=5).plan(few, 0))) == {"relu", "tanh"}


@pytest.mark.parametrize(("share", "names"), [(0.895, ["relu", "tanh"]), (0.825, ["relu"] * 2)])
def test_the_bound_of_base_is_between_words_and_letters(share, names):
    """Least and most zeros of validation pools of real words and of letters."""
    x = np.repeat(np.random.default_rng(0).random((2000, 20)) > share, 2, axis=1)
    own = load_preset("base").with_networks(n_networks=2, n_components=24)
    assert activations(own.plan(x.astype(np.float32), 0)) == names


def test_sparse_inputs_have_a_presentation_of_their_own(pool, few):
    assert preset().plan(pool, 0).presentation == WHITENED
    assert preset().plan(few, 0).presentation == PresentationSettings()


def test_every_other_network_sees_inputs_as_they_are(pool):
    def turns(own):
        return [member.whitened for member in own.plan(pool, 0).members]

    assert turns(preset(n_networks=4)) == [True, False, True, False]
    assert turns(dataclasses.replace(preset(n_networks=4), whiten_in_turn=False)) == [True] * 4


def test_direct_features_leave_the_others_to_the_networks(pool):
    direct = dataclasses.replace(
        preset(n_components=20), dense_direct=DirectSettings(share_few=0.5, share=0.25)
    )
    plan = direct.plan(pool, 0)
    assert (plan.n_direct, plan.n_learned) == (6, 14)
    assert [member.units for member in plan.members] == [7, 7]
    without = direct.without_direct()
    assert without.dense_direct == NO_DIRECT and without.plan(pool, 0).n_direct == 0


def test_pictures_and_sparse_inputs_have_direct_features_of_their_own(few):
    """Networks tell which direct features stand beside them."""
    pictures = PictureSettings(least_columns=10, share=0.5, likeness=0.3)
    kinds = {"direct": DirectSettings(share=0.25, few=2)}
    kinds["dense_direct"] = DirectSettings(share=0.5, few=2, components=9, weight=3.0)
    own = dataclasses.replace(preset(n_components=20), pictures=pictures, **kinds)
    generator = np.random.default_rng(0)
    noise = generator.random((300, 30)).astype(np.float32)
    alike = (0.5 * noise + 0.5 * noise[:, :1]).clip(0.25, 0.75)
    for x, prepared, kind in (
        (alike, False, "direct"),
        (alike[:, ::-1], False, "direct"),
        (alike, True, "dense_direct"),
        (noise, False, "dense_direct"),
        (few, False, "direct"),
    ):
        plan = own.plan(x, 0, prepared=prepared)
        found = own.direct_beside(x.shape[1], [member.units for member in plan.members])
        assert found == (plan.n_direct, kinds[kind])
    with pytest.raises(InputError, match=r"no plan .* networks of \[3, 3\] top units"):
        own.direct_beside(30, [3, 3])


def test_nonlinearities_that_cannot_share_the_features_are_refused(pool):
    with pytest.raises(InputError, match="multiple of 2"):
        preset(n_networks=3, n_components=6, activation="relu+tanh")
    # Three features leave three of the four networks.
    with pytest.raises(InputError, match="cannot be shared"):
        preset(n_networks=4, n_components=3, activation="relu+tanh").plan(pool, 0)


def test_a_plain_preset_is_one_rule_and_nothing_else(pool):
    own = plain_preset(Hebb(), n_networks=3, n_components=6)
    assert own.name == "Hebb" and own.direct == NO_DIRECT
    assert own.presentation == own.sparse_presentation == PresentationSettings()
    plan = own.plan(np.eye(50, dtype=np.float32), 0)
    assert activations(plan) == ["relu"] * 3 and plan.n_direct == 0
    assert all(member.rule is own.rules.main for member in plan.members)


def test_base_is_what_experiments_decided():
    base = load_preset("base")
    assert (base.networks.n_components, base.networks.n_networks) == (512, 4)
    assert (base.networks.n_steps, base.networks.batch_size) == (100, 128)
    assert (base.presentation.order, base.presentation.whitening) == (8, 0.25)
    assert base.sparse_presentation.whitening == 0.0
    assert (base.direct.share_few, base.direct.share, base.direct.few) == (0.5, 0.25, 32)
    assert not isinstance(base.rules.main, Metz2018)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_sizes": (0,)},
        {"hidden_sizes": (2.5,)},
        {"n_components": 0},
        {"n_networks": 0},
        {"activation": "cube"},
        {"activation": "relu+cube"},
        {"activation": "relu+relu"},
        {"dense": "cube"},
        {"sparse": "auto"},
        {"n_steps": -1},
        {"batch_size": 1},
    ],
)
def test_bad_networks_are_refused(changes):
    with pytest.raises(InputError):
        load_preset("base").with_networks(**changes)


@pytest.mark.parametrize("mostly_zero", [-0.1, 1.1, float("nan")])
def test_a_bound_that_is_no_share_is_refused(mostly_zero):
    with pytest.raises(InputError, match="a share from 0 to 1"):
        dataclasses.replace(load_preset("base"), mostly_zero=mostly_zero)


def test_pictures_get_their_own_nonlinearities_whatever_the_order_of_pixels():
    seen = PictureSettings(least_columns=10, range=0.5, share=0.5)
    own = dataclasses.replace(preset(dense="tanh", pictures="relu"), pictures=seen)
    generator = np.random.default_rng(2)
    pixels = np.clip(generator.normal(0.3, 0.5, size=(90, 12)), 0, 1).astype(np.float32)
    embedded = generator.normal(size=(90, 12)).astype(np.float32)
    for x, names in (
        (pixels, {"relu"}),
        (pixels[:, ::-1], {"relu"}),
        (255 * pixels, {"relu"}),
        (embedded, {"tanh"}),
        (pixels[:, :9], {"tanh"}),
        (pixels * np.arange(1, 13, dtype=np.float32) ** 3, {"tanh"}),
    ):
        assert set(activations(own.plan(x, 0))) == names
    assert own.with_networks(activation="elu").plan(pixels, 0).members[0].activation == "elu"


def test_a_rule_for_pictures_trains_networks_on_pictures_alone():
    seen = PictureSettings(least_columns=10, range=0.5, share=0.5)
    rules = RuleSet(local(0), pictures=local(1))
    own = dataclasses.replace(preset(), rules=rules, pictures=seen)
    generator = np.random.default_rng(2)
    pixels = np.clip(generator.normal(0.3, 0.5, size=(90, 12)), 0, 1).astype(np.float32)
    embedded = generator.normal(size=(90, 12)).astype(np.float32)
    for x, prepared, rule in (
        (pixels, False, rules.pictures),
        (pixels, True, rules.main),
        (embedded, False, rules.main),
    ):
        assert all(member.rule is rule for member in own.plan(x, 0, prepared=prepared).members)


def test_pictures_are_not_prepared_and_a_preset_may_prepare_nothing(pool):
    heavy = np.exp(3 * pool)
    settings = PreparationSettings(tail=2.5)
    own = dataclasses.replace(preset(), preparation=settings, pictures=PictureSettings())
    assert own.prepare(heavy) is not None and own.prepare(pool) is None
    assert own.without_preparation().prepare(heavy) is None
    pictures = PictureSettings(share=0.0)
    assert dataclasses.replace(own, pictures=pictures).prepare(np.clip(heavy, 0, 1)) is None


def test_the_former_preset_is_there_by_a_name_with_a_dot():
    former, now = load_preset("base-0.1"), load_preset("base")
    assert (former.name, former.networks.n_networks, former.networks.dense) == (
        "base-0.1",
        8,
        "relu",
    )
    assert former.prepare(np.eye(50)) is None and former.direct == former.dense_direct
    assert former.rules.labels is None
    assert former.rules.pictures is None
    for role, rule in former.rules.named().items():
        assert eqx.tree_equal(rule, now.rules.named()[role])


def test_base_has_a_rule_that_hears_labels():
    base = load_preset("base")
    pool = np.random.default_rng(0).random((40, 50))
    assert base.rules.hear_labels
    assert all(member.rule.hears_labels for member in base.plan(pool, 0, heard=True).members)
    assert not any(member.rule.hears_labels for member in base.plan(pool, 0).members)
    with pytest.raises(InputError, match="preset 'small' hear no labels"):
        load_preset("small").plan(pool, 0, heard=True)
