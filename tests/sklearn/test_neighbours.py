"""The estimators beside other people's settings: constant inputs, global options, forks, files."""

import numpy as np
import pytest
import scipy.sparse as sp

from metaplastic.sklearn import RuleTransformer


def untrained(**changes):
    """The default rule, whose features are inputs in part, as initialised: nothing is compiled."""
    settings = {"hidden_sizes": (8,), "n_components": 64, "n_networks": 2, "n_steps": 0}
    return RuleTransformer(**{**settings, "random_state": 0, **changes})


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((40, 90)),
        np.full((200, 90), 7.0),
        np.ones((40, 5)),
        np.zeros((3, 1)),
        sp.csr_matrix((40, 90)),
        np.full((2, 90), 200, np.uint8),
    ],
    ids=["wide", "tall", "few columns", "one column", "empty sparse", "whole numbers"],
)
def test_constant_inputs_have_finite_equal_features(rows):
    features = untrained().fit_transform(rows)
    assert features.shape == (rows.shape[0], 64)
    assert np.all(np.isfinite(features))
    assert np.all(features == features[0])
    one = untrained().partial_fit(rows[:1])
    np.testing.assert_array_equal(
        one.transform(rows), np.repeat(one.transform(rows[:1]), len(features), 0)
    )
    n_direct = one.encoder_.direct.shape[1]
    assert not features[:, :n_direct].any() and not one.transform(rows)[:, :n_direct].any()
