"""Measurements of single learners: kept, found again, never mistaken for another's."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import scipy.sparse

from metaplastic.data import Dataset
from metaplastic.learners import PCA, Raw, RuleLearner, plain_learner
from metaplastic.presets import load_preset
from metaplastic.presets.io import PARTS
from metaplastic.rules import LocalRule, RuleSet
from metaplastic.rules.catalog import load_rule
from metaplastic.studies._trajectory import AtStep, Trajectory
from metaplastic.studies.paper.common import measure
from metaplastic.studies.paper.experiment import Progress, preset_digest
from metaplastic.studies.paper.kept import Kept, measurement_key

RNG = np.random.default_rng(0)
SET = Dataset("toy", RNG.normal(size=(30, 5)), np.arange(30) % 2, None, "", "")
HOW = {"shots": (2,), "n_draws": 2, "seeds": (0,), "permute": True}
SIZES = {"hidden_sizes": (4,), "n_components": 3, "n_networks": 1, "n_steps": 2}
OJA = plain_learner(load_rule("oja"), **SIZES)


def key(learner):
    return measurement_key(learner, SET, HOW)


def with_rate(rate):
    return plain_learner(dataclasses.replace(load_rule("oja"), learning_rate=rate), **SIZES)


def test_a_learner_is_told_by_its_settings_and_arrays():
    assert key(OJA) == key(plain_learner(load_rule("oja"), **SIZES))
    at_0, at_2 = (AtStep(Trajectory(OJA, (0, 2)), step) for step in (0, 2))
    learners = (OJA, with_rate(0.5), with_rate(0.25), at_0, at_2, Raw(), PCA(2), PCA(3))
    assert len({key(learner) for learner in learners}) == len(learners)


def test_a_field_that_came_later_counts_only_where_it_changes_something(monkeypatch):
    def of(**fields):
        return key(plain_learner(LocalRule.create(key=jax.random.key(0), hidden=2, **fields)))

    now, settled = of(), of(settle=5)
    monkeypatch.setattr(LocalRule, "later_fields", LocalRule.later_fields - {"settle"})
    assert of(settle=5) == settled != now != of()


def test_a_rule_set_without_a_rule_for_pictures_has_the_key_that_it_had(monkeypatch):
    def of(**rules):
        preset = dataclasses.replace(OJA.preset, rules=RuleSet(load_rule("oja"), **rules))
        return key(RuleLearner(preset))

    without, pictured = of(), of(pictures=load_rule("hebb"))
    monkeypatch.setattr(RuleSet, "later_fields", frozenset())
    assert of(pictures=load_rule("hebb")) == pictured != without != of()


OTHER = {
    "order": 6,
    "shape": "ranks",
    "activation": "relu",
    "dense": "tanh",
    "pictures": "tanh",
    "sparse": "tanh",
    "name": "other",
    "mostly_zero": 0.5,
    "hidden_sizes": (128, 127),
}
"""Other values of settings; a number is halved, a truth denied."""


def other(name, value):
    if name in OTHER:
        return OTHER[name]
    if isinstance(value, tuple):
        return (*value[:-1], value[-1] + 0.5)
    return not value if isinstance(value, bool) else type(value)(value / 2 or 0.125)


def changed_presets(preset):
    """The preset with one setting changed, for every setting that there is."""
    for field in dataclasses.fields(preset):
        value = getattr(preset, field.name)
        if field.name in PARTS:
            for part in dataclasses.fields(value):
                now = other(part.name, getattr(value, part.name))
                changed = dataclasses.replace(value, **{part.name: now})
                yield dataclasses.replace(preset, **{field.name: changed})
        elif field.name == "rules":
            for role, rule in value.named().items():
                moved = dataclasses.replace(rule, rates=rule.rates + 0.125)
                yield dataclasses.replace(preset, rules=dataclasses.replace(value, **{role: moved}))
            yield dataclasses.replace(preset, rules=RuleSet(value.main))
        else:
            yield dataclasses.replace(preset, **{field.name: other(field.name, value)})


def test_every_single_setting_of_a_preset_makes_another_measurement():
    presets = [load_preset("base"), *changed_presets(load_preset("base"))]
    assert len(presets) > 25
    assert len({key(RuleLearner(preset)) for preset in presets}) == len(presets)
    assert len({preset_digest(preset) for preset in presets}) == len(presets)
    rules = load_preset("base").rules
    turned = RuleSet(rules.main, bounded=rules.sparse, sparse=rules.bounded)
    swapped = dataclasses.replace(load_preset("base"), rules=turned)
    assert preset_digest(swapped) not in {preset_digest(preset) for preset in presets}


def test_rows_labels_and_protocol_count_too():
    other_rows = dataclasses.replace(SET, inputs=SET.x + 1)
    other_labels = dataclasses.replace(SET, labels=1 - SET.y)
    sparse = dataclasses.replace(SET, inputs=scipy.sparse.csr_matrix(SET.x))
    names = dataclasses.replace(SET, labels=np.array(["a", "b"], object)[SET.y])
    sets = (SET, other_rows, other_labels, sparse, names)
    found = {measurement_key(OJA, each, HOW) for each in sets}
    found |= {
        measurement_key(OJA, SET, {**HOW, key: change})
        for key, change in {"shots": (1,), "n_draws": 3, "seeds": (1,), "permute": False}.items()
    }
    assert len(found) == len(sets) + 4


def test_what_was_measured_is_not_measured_again(tmp_path, monkeypatch):
    kept = Kept(tmp_path / "kept", tmp_path / "none.json")
    how = {"shots": (2,), "n_draws": 2, "seeds": (0,)}
    first = measure({"raw": Raw()}, SET, **how, progress=Progress(print, kept), step=1)
    # The result of an experiment does as well as the folder, even if it has rows several times.
    twice = [*first, *({**row, "step": 3} for row in first)]
    (tmp_path / "result.json").write_text(json.dumps({"result": {"inner": [{"rows": twice}]}}))
    earlier = Kept(tmp_path / "new", tmp_path / "result.json")
    monkeypatch.setattr("metaplastic.studies.paper.common.evaluate", None)
    for source in (kept, earlier):
        progress = Progress(print, source)
        again = measure({"other": Raw()}, SET, **how, progress=progress, step=2)
        assert again == [{**row, "learner": "other", "step": 2} for row in json_of(first)]
        assert source.seconds == first[0]["seconds"]
        assert source.commits == {first[0]["commit"]}
        with pytest.raises(TypeError):
            measure({"raw": Raw()}, SET, **how, progress=progress, keep=False)


def json_of(rows):
    return json.loads(json.dumps(rows))


@pytest.mark.parametrize("damage", ["", "{", "[1]", "{}", '[{"key": "a", "mean": 0.5}]'])
def test_damaged_files_count_as_none(tmp_path, damage):
    kept = Kept(tmp_path, tmp_path / "a.json")
    (tmp_path / "a.json").write_text(damage)
    assert kept.read("a") is None and kept.read("b") is None
    (tmp_path / "result.json").write_text(damage)
    assert Kept(tmp_path, tmp_path / "result.json").read("a") is None
