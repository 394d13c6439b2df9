"""Defaults are said in several signatures and must be the same in all."""

import inspect

import pytest

from metaplastic.learners import RandomNetwork, RuleLearner
from metaplastic.sklearn import FewShotClassifier, RuleTransformer

SHARED = ("hidden_sizes", "n_components", "activation", "n_steps", "batch_size", "n_networks")


@pytest.mark.parametrize("estimator", [RuleTransformer, FewShotClassifier])
@pytest.mark.parametrize("name", SHARED)
def test_estimators_have_the_defaults_of_the_learner(estimator, name):
    assert inspect.signature(estimator).parameters[name].default == getattr(RuleLearner, name)


def test_the_random_network_has_the_default_shape():
    assert RandomNetwork().sizes == (*RuleLearner.hidden_sizes, RuleLearner.n_components)
