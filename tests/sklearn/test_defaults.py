"""Sizes are said once, by the preset, and the estimators leave them to it."""

import inspect

import pytest

from metaplastic.evaluation.registry import Network
from metaplastic.learners import RandomNetwork
from metaplastic.presets import NetworkSettings, load_preset
from metaplastic.sklearn import FewShotClassifier, RuleTransformer
from metaplastic.sklearn.fitting import make_learner
from metaplastic.sklearn.parameters import NETWORKS


@pytest.mark.parametrize("estimator", [RuleTransformer, FewShotClassifier])
def test_estimators_leave_the_networks_to_the_preset(estimator):
    parameters = inspect.signature(estimator).parameters
    assert [parameters[name].default for name in NETWORKS] == ["auto"] * len(NETWORKS)
    assert parameters["preset"].default == parameters["rule"].default == "base"


def test_what_is_left_to_the_preset_is_what_it_says():
    base = load_preset("base")
    found = make_learner("base", base, dict.fromkeys(NETWORKS, "auto")).preset
    assert found.networks == base.networks
    small = base.with_networks(n_steps=7, n_networks=2, activation="tanh")
    found = make_learner("base", small, dict.fromkeys(NETWORKS, "auto") | {"n_steps": 5}).preset
    assert (found.networks.n_steps, found.networks.n_networks) == (5, 2)
    assert found.networks.activation == "tanh"


def test_base_has_the_sizes_that_other_learners_have_by_default():
    base, own = load_preset("base").networks, NetworkSettings()
    for name in NETWORKS:
        assert getattr(base, name) == getattr(own, name) == getattr(Network(), name)


def test_the_random_network_has_the_default_shape():
    assert RandomNetwork().sizes == (*NetworkSettings.hidden_sizes, NetworkSettings.n_components)
