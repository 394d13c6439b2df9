"""Learners by name: every name makes one, of the shape that is asked for, and help tells of it."""

import dataclasses

import pytest

from metaplastic.cli import main
from metaplastic.errors import InputError
from metaplastic.evaluation.registry import LEARNERS, Network, learners
from metaplastic.learners import AbstractClassifier, AbstractLearner
from metaplastic.models import NO_DIRECT
from metaplastic.presets import load_preset, save_preset


def test_every_name_makes_a_learner_of_the_shape_that_is_asked_for():
    found = learners([], list(LEARNERS), Network(hidden_sizes=(7,), n_components=5))
    assert list(found) == list(LEARNERS)
    for learner in found.values():
        assert isinstance(learner, AbstractLearner | AbstractClassifier)
        fields = dataclasses.asdict(learner)
        assert fields.get("hidden_sizes", (7,)) == (7,)
        assert fields.get("n_components", 5) == 5
    assert found["vae-gaussian"].label == "vae-gaussian"


@pytest.mark.slow
def test_a_rule_made_for_one_top_layer_gets_networks_of_that_size():
    found = learners(["metz2018", "oja"], [], Network(n_components=24, n_networks=3))
    assert found["metz2018"].preset.networks.n_components == 3 * 32
    assert found["metz2018"].preset.direct == NO_DIRECT
    assert found["oja"].preset.networks.n_components == 24
    assert found["oja"].preset.direct == load_preset("base").direct
    assert [found[name].label for name in found] == ["metz2018", "oja"]


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="choose one of raw, pca"):
        learners([], ["svm"], Network())


def test_help_names_all(capsys):
    assert main.main(["evaluate", "--help"]) == 0
    shown = "".join(capsys.readouterr().out.split())
    assert all(name in shown for name in LEARNERS)


def test_a_preset_is_all_of_it(tmp_path):
    file = str(tmp_path / "copy.safetensors")
    save_preset(file, load_preset("base-0.1"), {})
    names = ["base-0.1", "small", file]
    found = learners(names, [], Network(n_steps=5), {"n_steps": 5})
    for name in names:
        own = load_preset(name)
        assert found[name].label == name
        assert found[name].preset.networks == dataclasses.replace(own.networks, n_steps=5)
        assert found[name].preset.rules.named().keys() == own.rules.named().keys()
        assert found[name].preset.preparation == own.preparation
