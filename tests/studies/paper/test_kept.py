"""Measurements of single learners: kept, found again, never mistaken for another's."""

import dataclasses
import json

import jax
import numpy as np
import pytest
import scipy.sparse

from metaplastic.data import Dataset
from metaplastic.learners import PCA, Raw, RuleLearner, rule_learner
from metaplastic.rules import KINDS, LocalRule
from metaplastic.rules.catalog import load_rule
from metaplastic.studies._trajectory import AtStep, Trajectory
from metaplastic.studies.paper import kept as kept_module
from metaplastic.studies.paper.common import measure
from metaplastic.studies.paper.experiment import Progress
from metaplastic.studies.paper.kept import Kept, measurement_key

RNG = np.random.default_rng(0)
SET = Dataset("toy", RNG.normal(size=(30, 5)), np.arange(30) % 2, None, "", "")
HOW = {"shots": (2,), "n_draws": 2, "seeds": (0,), "permute": True}
OJA = RuleLearner(load_rule("oja"), hidden_sizes=(4,), n_components=3, n_networks=1, n_steps=2)


def with_rate(rate):
    return dataclasses.replace(OJA, rule=dataclasses.replace(OJA.rule, learning_rate=rate))


def test_a_learner_is_told_by_its_settings_and_arrays():
    same = RuleLearner(load_rule("oja"), hidden_sizes=(4,), n_components=3, n_networks=1, n_steps=2)
    assert measurement_key(OJA, SET, HOW) == measurement_key(same, SET, HOW)
    at_0, at_2 = (AtStep(Trajectory(OJA, (0, 2)), step) for step in (0, 2))
    learners = (OJA, with_rate(0.5), with_rate(0.25), at_0, at_2, Raw(), PCA(2), PCA(3))
    assert len({measurement_key(learner, SET, HOW) for learner in learners}) == len(learners)


def test_a_field_that_came_later_counts_only_where_it_changes_something(monkeypatch):
    def key(**fields):
        rule = LocalRule.create(key=jax.random.key(0), hidden=2, **fields)
        return measurement_key(dataclasses.replace(OJA, rule=rule), SET, HOW)

    now, settled = key(), key(settle=5)
    local = KINDS["LocalRule"]
    older = dataclasses.replace(local, younger=local.younger - {"settle"})
    monkeypatch.setattr(kept_module, "KINDS", {**KINDS, "LocalRule": older})
    assert key(settle=5) == settled != now != key()


def test_the_share_of_inputs_counts_where_there_are_any(monkeypatch):
    def keys():
        direct = LocalRule.create(key=jax.random.key(0), hidden=2, with_inputs=True)
        both = (OJA, dataclasses.replace(OJA, rule=direct, n_components=40))
        return [measurement_key(learner, SET, HOW) for learner in both]

    before = keys()
    monkeypatch.setattr(rule_learner, "DIRECT_SHARES", (0.25, 0.25))
    after = keys()
    assert before[0] == after[0] and before[1] != after[1]


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
