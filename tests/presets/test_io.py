"""Presets in files: what is saved is loaded, nothing else is, and old rule files still are."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from safetensors.numpy import load, save

from fuzz import damaged
from metaplastic import files
from metaplastic.errors import FileFormatError, InputError
from metaplastic.learners import RuleLearner
from metaplastic.models import (
    NO_DIRECT,
    DirectSettings,
    PictureSettings,
    PreparationSettings,
    PresentationSettings,
    load_encoder,
)
from metaplastic.presets import NetworkSettings, Preset, load_preset, plain_preset, save_preset
from metaplastic.presets.io import BASE, is_preset, list_presets, resolve, settings_of
from metaplastic.readings.settings import STATISTICS, ReadingSettings
from metaplastic.rules import Hebb, LocalRule, Metz2018, Oja, RuleSet, load_rule, save_rule
from metaplastic.rules.io import load_rule_file
from metaplastic.sklearn import RuleTransformer

OLD_RULE = Path(__file__).parents[1] / "pins" / "files" / "rule-0.1.safetensors"
METADATA = {"licence": "Apache-2.0", "study": "none"}
ROWS = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)


def local(seed: int, **fields: Any) -> LocalRule:
    return LocalRule.create(key=jax.random.key(seed), hidden=4, **fields)


def small() -> Preset:
    return Preset(
        "small",
        RuleSet(local(0), bounded=local(1, with_outputs=True), sparse=local(2, settle=9)),
        presentation=PresentationSettings(4, 2.5, 0.25, 3, 0.02),
        sparse_presentation=PresentationSettings(clip=5.0),
        direct=DirectSettings(0.5, 0.25, few=40, components=7, rows=50),
        networks=NetworkSettings((5,), 8, 2, "relu+tanh", n_steps=3, batch_size=16),
        reading=ReadingSettings(
            7, linear=(0.25,) * len(STATISTICS), sharpness=(0.5,) * len(STATISTICS)
        ),
        mostly_zero=0.7,
        whiten_in_turn=False,
        preparation=PreparationSettings(0.6, 9, 1.5, 40, 2.0, 2.5, "ranks", 16, 0.01),
        pictures=PictureSettings(9, 0.4, 0.7),
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_preset(path, small(), METADATA)
    return path


def assert_equal_rules(a: RuleSet, b: RuleSet) -> None:
    assert a.named().keys() == b.named().keys()
    for one, other in zip(a.named().values(), b.named().values(), strict=True):
        assert jax.tree.structure(one) == jax.tree.structure(other)
        for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_array_equal(x, y)


def assert_equal(a: Preset, b: Preset) -> None:
    assert settings_of(a) == settings_of(b)
    assert_equal_rules(a.rules, b.rules)


def rewrite(path: Path, change=lambda fields: None, tensors=None, **described: str) -> None:
    """Change a file and make its checksum fit, as someone who means harm would."""
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    text = header["__metadata__"]
    fields = json.loads(text["fields"])
    change(fields)
    text |= {"fields": json.dumps(fields), **described}
    found = load(content) | (tensors or {})
    text["sha256"] = files._checksum(found, text)
    path.write_bytes(save(found, metadata=text))


def refused(path: Path) -> str:
    with pytest.raises(FileFormatError) as caught:
        load_preset(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


@pytest.mark.slow
def test_a_preset_comes_back_and_makes_the_same_features(saved: Path):
    made, found = small(), load_preset(saved)
    assert_equal(found, made)
    assert load_preset(str(saved)).name == "small"
    plans = [preset.plan(ROWS, 3) for preset in (made, found)]
    described = [
        (
            (plan.presentation, plan.n_direct, plan.n_learned),
            [(m.activation, m.whitened, m.seed, m.units) for m in plan.members],
        )
        for plan in plans
    ]
    assert described[0] == described[1]
    features = [RuleLearner(preset).fit(ROWS, seed=3)(ROWS) for preset in (made, found)]
    np.testing.assert_array_equal(*features)


def test_a_rule_alone_comes_back_too(tmp_path: Path):
    path = tmp_path / "plain.safetensors"
    save_preset(path, plain_preset(Oja(0.125), n_networks=3), {})
    found = load_preset(path)
    assert list(found.rules.named()) == ["main"] and found.networks.n_networks == 3
    assert_equal(found, plain_preset(Oja(0.125), n_networks=3))


def test_equal_presets_are_equal_files(saved: Path):
    again = saved.with_name("again.safetensors")
    save_preset(again, load_preset(saved), METADATA)
    assert again.read_bytes() == saved.read_bytes()


def test_a_preset_file_is_taken_for_its_main_rule(saved: Path):
    rule, metadata = load_rule_file(saved)
    assert_equal_rules(RuleSet(rule), RuleSet(local(0)))
    assert metadata == METADATA


def test_what_cannot_be_saved_leaves_the_old_file(saved: Path):
    before = saved.read_bytes()
    with pytest.raises(InputError, match=r"main\.learning_rate holds NaN"):
        save_preset(saved, plain_preset(Oja(float("nan"))), {})
    with pytest.raises(InputError, match="plain JSON"):
        save_preset(saved, small(), {"made": object()})
    assert saved.read_bytes() == before


def test_names_and_objects():
    assert list_presets() == [BASE, "base-0.1", "small"]
    base = load_preset("base")
    assert load_preset(base) is base and base.name == BASE
    with pytest.raises(InputError, match="unknown preset 'bass'; did you mean base"):
        load_preset("bass")
    with pytest.raises(InputError, match="choose one of base"):
        load_preset("xyzzy")
    with pytest.raises(InputError, match="a preset is a name, a path or a preset object, got int"):
        load_preset(3)  # pyright: ignore[reportArgumentType]


def test_small_is_base_with_smaller_rules_for_dense_inputs():
    base, small = load_preset("base"), load_preset("small")
    assert settings_of(small) == {**settings_of(base), "name": "small"}
    assert small.rules.named().keys() == base.rules.named().keys() - {"pictures", "labels"}
    for role in ("main", "bounded"):
        rule = small.rules.named()[role]
        assert isinstance(rule, LocalRule)
        assert rule.hidden == 8 and rule.with_outputs == base.rules.named()[role].with_outputs
    assert small.rules.sparse is not None and base.rules.sparse is not None
    assert_equal_rules(RuleSet(small.rules.sparse), RuleSet(base.rules.sparse))


def former_rules_as_now() -> Preset:
    """The settings of `base` with the rules that version 0.1 had."""
    return dataclasses.replace(load_preset("base"), rules=load_preset("base-0.1").rules)


def test_a_rule_file_of_version_0_1_has_its_rules_and_the_settings_of_base():
    expected = former_rules_as_now()
    assert_equal_rules(RuleSet(load_rule(OLD_RULE)), RuleSet(expected.rules.main))
    found = load_preset(OLD_RULE)
    assert found.name == "rule-0.1"
    assert_equal(dataclasses.replace(found, name="base"), expected)
    assert_equal(resolve(OLD_RULE), expected)


@pytest.mark.slow
def test_an_estimator_takes_a_rule_file_of_version_0_1():
    sizes = {"hidden_sizes": (8,), "n_components": 16, "n_networks": 2, "batch_size": 16}
    ways = {"rule": OLD_RULE}, {"preset": former_rules_as_now()}, {"preset": str(OLD_RULE)}
    old, new, named = (
        RuleTransformer(n_steps=2, random_state=0, **sizes, **which).fit_transform(ROWS)
        for which in ways
    )
    np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(named, new)


@pytest.mark.parametrize(
    ("fields", "direct", "whitening"),
    [
        ({"with_inputs": False, "whiten": 0.125}, False, 0.125),
        ({"with_inputs": True}, True, 0.0),
        ({"with_inputs": False, "whiten": 0.0, "sparse": False, "bounded": False}, False, 0.0),
    ],
)
def test_an_old_rule_file_brings_its_presentation(tmp_path: Path, fields, direct, whitening):
    path = tmp_path / "old.safetensors"
    save_rule(path, local(0), {})
    rewrite(path, lambda described: described["fields"].update(fields))
    for found in (resolve(path), load_preset(path)):
        assert_equal_rules(found.rules, RuleSet(local(0)))
        assert (found.direct != NO_DIRECT) is direct
        assert found.presentation.whitening == whitening
        assert found.networks == load_preset("base").networks
    assert_equal_rules(RuleSet(load_rule(path)), RuleSet(local(0)))


@pytest.mark.parametrize(
    "fields",
    [
        {"with_inputs": 1},
        {"with_inputs": None},
        {"with_inputs": True, "whiten": 0.75},
        {"with_inputs": True, "whiten": -0.1},
        {"with_inputs": True, "whiten": 1},
        {"with_inputs": True, "whiten": "0.25"},
        {"whiten": 0.25},
        {"sparse": False},
        {"with_inputs": True, "sparse": True},
        {"with_inputs": True, "sparse": "yes"},
        {"with_inputs": True, "bounded": 1},
        {"more": True, "with_inputs": True},
    ],
)
def test_old_rule_files_that_do_not_fit_are_refused(tmp_path: Path, fields):
    path = tmp_path / "old.safetensors"
    save_rule(path, local(0), {})
    rewrite(path, lambda described: described["fields"].update(fields))
    refused(path)
    with pytest.raises(FileFormatError) as caught:
        resolve(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_new_rule_file_is_a_rule_and_no_preset(tmp_path: Path):
    path = tmp_path / "rule.safetensors"
    save_rule(path, local(5), {})
    assert "give it as a rule, to be used with a preset" in refused(path)
    found, base = resolve(path), load_preset("base")
    assert_equal_rules(found.rules, RuleSet(local(5)))
    assert settings_of(found) == settings_of(base)


def test_rule_and_preset_together(saved: Path):
    base = load_preset("base")
    assert_equal(resolve(), base)
    assert_equal(resolve("base", saved), small())
    oja = resolve("oja", saved)
    assert_equal_rules(oja.rules, RuleSet(load_rule("oja")))
    assert settings_of(oja) == settings_of(small())
    own = Hebb(0.125)
    assert resolve(own).rules.main is own and resolve(own).direct == base.direct
    # A preset file as the rule gives its rules, under the settings of the other.
    assert_equal_rules(resolve(saved).rules, small().rules)
    assert settings_of(resolve(saved)) == settings_of(base)
    with pytest.raises(InputError, match="did you mean hebb"):
        resolve("hep")


@pytest.mark.slow
def test_a_rule_for_one_number_of_top_units_makes_all_features():
    rule = Metz2018.create(key=jax.random.key(0), n_top=8)
    assert resolve(rule).direct == NO_DIRECT != resolve(local(0)).direct


def without(*path: str):
    def change(fields: dict) -> None:
        for key in path[:-1]:
            fields = fields[key]
        del fields[path[-1]]

    return change


def put(value: Any, *path: str):
    def change(fields: dict) -> None:
        for key in path[:-1]:
            fields = fields[key]
        fields[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put(1, "more"), "more"),
        (put(1, "direct", "more"), "more"),
        (put(1, "networks", "n_heads"), "n_heads"),
        (without("mostly_zero"), "mostly_zero"),
        (without("name"), "name"),
        (without("presentation"), "presentation"),
        (without("presentation", "clip"), "clip"),
        (without("rules"), "main rule"),
        (without("rules", "main"), "main rule"),
        (put({}, "rules", "dense"), "main rule"),
        (without("rules", "sparse"), "tensors of no rule"),
        (put([], "presentation"), "no table"),
        (put(3, "name"), "preset.name must be of type str"),
        (put(True, "networks", "n_steps"), "n_steps must be of type int"),
        (put(1.5, "networks", "n_steps"), "n_steps must be of type int"),
        (put(3, "presentation", "clip"), "clip must be of type float"),
        (put(1, "whiten_in_turn"), "whiten_in_turn must be of type bool"),
        (put("5", "networks", "hidden_sizes"), "a list of at most 100"),
        (put([5.0], "networks", "hidden_sizes"), "must be of type int"),
        (put([5] * 101, "networks", "hidden_sizes"), "a list of at most 100"),
        (put(2**31, "networks", "n_steps"), "n_steps must be of type int"),
        (put(-1, "networks", "n_steps"), "n_steps takes integers of at least 0"),
        (put([0], "networks", "hidden_sizes"), "hidden_sizes takes integers of at least 1"),
        (put("cube", "networks", "dense"), "cube"),
        (put(0.75, "presentation", "whitening"), "whitening must be from 0"),
        (put(1.5, "mostly_zero"), "a share from 0 to 1"),
        (put(1.0, "direct", "share"), "shares must be"),
        (put([0.0], "reading", "graph"), "finite numbers"),
        (put(0, "reading", "n_neighbors"), "n_neighbors"),
        (put("Unheard", "rules", "main", "class"), "unknown class of rules"),
        (put(5000, "rules", "main", "fields", "hidden"), "hidden"),
        (put(5, "rules", "main", "fields", "hidden"), "must be float32 of shape"),
    ],
)
def test_wrong_descriptions_are_refused_in_spite_of_a_right_checksum(saved: Path, change, says):
    rewrite(saved, change)
    assert says in refused(saved)


def test_fields_that_came_later_may_be_missing(saved: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(PresentationSettings, "later_fields", {"floor"}, raising=False)
    monkeypatch.setattr(Preset, "later_fields", frozenset({"pictures", "mostly_zero"}))
    for names in (("presentation", "floor"), ("pictures",), ("mostly_zero",)):
        rewrite(saved, without(*names))
    found, fresh = load_preset(saved), Preset("fresh", RuleSet(local(0)))
    assert found.presentation == dataclasses.replace(small().presentation, floor=0.01)
    assert (found.pictures, found.mostly_zero) == (fresh.pictures, fresh.mostly_zero)
    rewrite(saved, without("presentation", "clip"))
    assert "missing fields ['clip']" in refused(saved)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(saved: Path, number: str):
    fields: dict = {}
    rewrite(saved, fields.update)
    rewrite(saved, put(float(number.replace("1e999", "inf")), "mostly_zero"))
    assert "must be finite" in refused(saved)


@pytest.mark.parametrize(
    "tensors",
    [
        {"main.decay": np.zeros(3, np.float32)},
        {"bounded.decay": np.zeros(2, np.float64)},
        {"sparse.decay": np.array([0.0, np.nan], np.float32)},
        {"main.more": np.zeros(2, np.float32)},
        {"other.decay": np.zeros(2, np.float32)},
        {"decay": np.zeros(2, np.float32)},
    ],
)
def test_wrong_arrays_are_refused_in_spite_of_a_right_checksum(saved: Path, tensors: dict):
    rewrite(saved, tensors=tensors)
    refused(saved)


def test_truncated_changed_newer_and_other_files_are_refused(saved: Path):
    content = saved.read_bytes()
    for broken in (b"", content[:7], content[:200], content[:-1], b"no preset at all"):
        saved.write_bytes(broken)
        refused(saved)
    changed = bytearray(content)
    changed[-3] ^= 1
    saved.write_bytes(bytes(changed))
    assert "checksum does not match" in refused(saved)
    saved.write_bytes(content)
    rewrite(saved, format_version="2")
    assert "upgrade metaplastic" in refused(saved)
    saved.write_bytes(content)
    rewrite(saved, format="metaplastic-encoder")
    refused(saved)
    with pytest.raises(FileFormatError, match="expected a file of format 'metaplastic-encoder'"):
        saved.write_bytes(content)
        load_encoder(saved)
    assert "cannot read" in refused(saved.with_name("missing.safetensors"))


@pytest.mark.slow
def test_damaged_files_are_refused_or_equal(saved: Path):
    """Of 2,000 damaged files none crashes, hangs or loads silently wrong."""
    made, count = small(), 0
    again = saved.with_name("again.safetensors")
    for how in damaged(saved, 2000, seed=2):
        try:
            found = load_preset(saved)
        except FileFormatError as error:
            count += 1
            assert str(saved) in str(error) and "\n" not in str(error)
            continue
        if how == "mutate":
            assert_equal(found, made)
            continue
        # Whoever makes the checksum fit may write a preset of their own: then it is a whole one.
        for rule in found.rules.named().values():
            assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(rule))
        save_preset(again, found, {})
        assert_equal(load_preset(again), found)
    assert count > 1800


@pytest.mark.parametrize("name", [name for name in list_presets() if name != BASE])
def test_a_preset_is_no_rule(name: str):
    with pytest.raises(InputError, match=f"{name!r} is no rule but a preset"):
        resolve(name)


def test_a_file_is_named_by_a_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine", BASE, "base-0.1"):
        save_preset(name, small(), {})
        assert load_preset(f"./{name}").name == "small"
    assert is_preset("./base-0.1") and is_preset("base-0.1") and not is_preset("oja")
    with pytest.raises(InputError, match="unknown preset ''"):
        load_preset("")


def test_what_is_no_preset_is_not_saved(tmp_path: Path):
    with pytest.raises(InputError, match="preset must be a Preset, got str"):
        save_preset(tmp_path / "mine.safetensors", "base", {})  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "fields",
    [
        {"n_networks": 2.5},
        {"n_networks": "2"},
        {"n_steps": None},
        {"hidden_sizes": 5},
        {"hidden_sizes": (True,)},
        {"activation": 3},
        {"dense": 3},
    ],
)
def test_settings_of_networks_are_of_their_types(fields: dict[str, Any]):
    with pytest.raises(InputError):
        NetworkSettings(**fields)


def test_integers_of_numpy_can_be_saved(tmp_path: Path):
    given = NetworkSettings((np.int32(8),), np.int64(4), np.int8(2), n_steps=np.uint8(3))
    preset = dataclasses.replace(small(), networks=given)
    save_preset(tmp_path / "mine.safetensors", preset, {})
    loaded = load_preset(tmp_path / "mine.safetensors").networks
    assert loaded == NetworkSettings((8,), 4, 2, n_steps=3)
