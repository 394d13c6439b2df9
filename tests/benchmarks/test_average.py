"""The mean of rules, by hand, and what has none."""

import jax
import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.rules import LocalRule, Oja
from metaplastic.trees import count_parameters


@pytest.fixture
def average(benchmark):
    return benchmark("average").average


def test_numbers_are_the_mean_and_fields_stay(average):
    rules = [LocalRule.create(key=jax.random.key(i), settle=100) for i in range(3)]
    mean = average(rules)
    assert isinstance(mean, LocalRule) and mean.settle == 100
    stacked = zip(*(jax.tree.leaves(rule) for rule in rules), strict=True)
    for found, leaves in zip(jax.tree.leaves(mean), stacked, strict=True):
        np.testing.assert_allclose(found, np.mean(leaves, axis=0), atol=1e-6)
    assert count_parameters(mean) == count_parameters(rules[0])


def test_rules_with_other_fields_have_no_mean(average):
    here, there = (LocalRule.create(key=jax.random.key(0), settle=s) for s in (0, 100))
    for other in (there, Oja()):
        with pytest.raises(InputError, match="same fields"):
            average([here, other])
