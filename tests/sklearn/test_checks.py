"""scikit-learn's own checks of estimators, all of them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from metaplastic.rules import Oja
from metaplastic.sklearn import FewShotClassifier, RuleTransformer

SMALL = {"hidden_sizes": (16,), "n_components": 8, "n_steps": 10, "batch_size": 16, "n_networks": 1}

# A check fits two classes called -1 and 1, of which the classifier warns; another is skipped where
# an environment variable is not set.
pytestmark = [
    pytest.mark.filterwarnings("ignore:y holds -1 and 1 only:UserWarning"),
    pytest.mark.filterwarnings("ignore:Skipping check:sklearn.exceptions.SkipTestWarning"),
]


@pytest.mark.slow
@parametrize_with_checks(
    [
        RuleTransformer("oja", **SMALL),
        FewShotClassifier("hebb", **SMALL),
        FewShotClassifier("hebb", head="graph", **SMALL),
        FewShotClassifier("hebb", head="ridge", **SMALL),
        FewShotClassifier("hebb", head="logistic", **SMALL),
    ]
)
def test_scikit_learn(estimator, check):
    check(estimator)


# What the rule can change: features of the same or of other rows, numbers that are finite, state.
WITH_TRAINING = {
    "check_classifiers_train",
    "check_dict_unchanged",
    "check_estimator_sparse_array",
    "check_estimators_dtypes",
    "check_estimators_pickle",
    "check_fit2d_1feature",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_transformer_general",
}


def checks_with_training():
    for make in (RuleTransformer, FewShotClassifier):
        for estimator, check in estimator_checks_generator(make("local", **SMALL), mark=None):
            name = check.func.__name__
            if name in WITH_TRAINING:
                yield pytest.param(estimator, check, id=f"{make.__name__}-{name}")


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), list(checks_with_training()))
def test_scikit_learn_with_the_learned_rule(estimator, check):
    check(estimator)


def test_all_checks_that_train_are_there():
    found = {case.values[1].func.__name__ for case in checks_with_training()}
    assert found == WITH_TRAINING


@pytest.mark.parametrize("estimator", [RuleTransformer(), FewShotClassifier()])
@pytest.mark.parametrize(
    "name",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_estimators_unfitted",
        "check_get_params_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_defaults(estimator, name):
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)


def test_tags():
    transformer, classifier = get_tags(RuleTransformer()), get_tags(FewShotClassifier())
    assert transformer.transformer_tags.preserves_dtype == ["float32"]
    assert transformer.estimator_type is None
    assert classifier.estimator_type == "classifier"
    assert classifier.target_tags.required
    for tags in (transformer, classifier):
        assert tags.input_tags.sparse
        assert not tags.non_deterministic
        assert not tags.input_tags.allow_nan


def test_a_clone_of_a_rule_object_has_equal_constants():
    rule = Oja(learning_rate=0.5)
    copy = clone(RuleTransformer(rule))
    assert copy.rule is not rule
    assert np.asarray(copy.rule.learning_rate) == np.float32(0.5)
