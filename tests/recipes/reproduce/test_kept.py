"""Measurements of single learners: kept, found again, never mistaken for another's."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse

from metaplastic.data import Dataset
from metaplastic.learners import PCA, Raw, RuleLearner
from metaplastic.recipes._trajectory import AtStep, Trajectory
from metaplastic.recipes.reproduce import kept
from metaplastic.recipes.reproduce.common import measure
from metaplastic.recipes.reproduce.experiment import Progress
from metaplastic.rules.catalog import load_rule

RNG = np.random.default_rng(0)
SET = Dataset("toy", RNG.normal(size=(30, 5)), np.arange(30) % 2, None, "", "")
HOW = {"shots": (2,), "n_draws": 2, "seeds": (0,), "permute": True}
OJA = RuleLearner(load_rule("oja"), hidden_sizes=(4,), n_components=3, n_networks=1, n_steps=2)


def with_rate(rate):
    return dataclasses.replace(OJA, rule=dataclasses.replace(OJA.rule, learning_rate=rate))


def test_a_learner_is_told_by_its_settings_and_arrays():
    same = RuleLearner(load_rule("oja"), hidden_sizes=(4,), n_components=3, n_networks=1, n_steps=2)
    assert kept.key(OJA, SET, HOW) == kept.key(same, SET, HOW)
    at_0, at_2 = (AtStep(Trajectory(OJA, (0, 2)), step) for step in (0, 2))
    learners = (OJA, with_rate(0.5), with_rate(0.25), at_0, at_2, Raw(), PCA(2), PCA(3))
    assert len({kept.key(learner, SET, HOW) for learner in learners}) == len(learners)


def test_rows_labels_and_protocol_count_too():
    other_rows = dataclasses.replace(SET, inputs=SET.x + 1)
    other_labels = dataclasses.replace(SET, labels=1 - SET.y)
    sparse = dataclasses.replace(SET, inputs=scipy.sparse.csr_matrix(SET.x))
    names = dataclasses.replace(SET, labels=np.array(["a", "b"], object)[SET.y])
    sets = (SET, other_rows, other_labels, sparse, names)
    found = {kept.key(OJA, each, HOW) for each in sets}
    found |= {
        kept.key(OJA, SET, {**HOW, key: change})
        for key, change in {"shots": (1,), "n_draws": 3, "seeds": (1,), "permute": False}.items()
    }
    assert len(found) == len(sets) + 4


def test_what_was_measured_is_not_measured_again(tmp_path, monkeypatch):
    progress = Progress(lambda text: None, tmp_path / "kept")
    how = {"shots": (2,), "n_draws": 2, "seeds": (0,), "progress": progress}
    first = measure({"raw": Raw()}, SET, **how, step=1)
    monkeypatch.setattr("metaplastic.recipes.reproduce.common.evaluate", None)
    again = measure({"by another name": Raw()}, SET, **how, step=2)
    expected = [{**row, "learner": "by another name", "step": 2} for row in first]
    assert again == expected
    with pytest.raises(TypeError):
        measure({"raw": Raw()}, SET, **how, keep=False)


@pytest.mark.parametrize("damage", ["", "{", "[1]", "{}"])
def test_damaged_files_count_as_none(tmp_path, damage):
    kept.write(tmp_path, "a", [{"mean": 0.5}])
    assert kept.read(tmp_path, "a") == [{"mean": 0.5}]
    (tmp_path / "a.json").write_text(damage)
    assert kept.read(tmp_path, "a") is None
    assert kept.read(tmp_path, "b") is None and kept.read(None, "a") is None
