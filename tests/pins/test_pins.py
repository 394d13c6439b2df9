"""Features of commit a2037f3, pinned: a refactoring must not change a bit of them."""

import numpy as np
import pytest

from pins.cases import CASES, digest, summary
from pins.machine import machine, read


@pytest.mark.parametrize("name", list(CASES))
def test_features_are_those_that_were_pinned(name):
    features, pinned = CASES[name](), read()[name]
    assert list(features.shape) == pinned["shape"]
    if machine() in pinned["digests"]:
        assert digest(features) == pinned["digests"][machine()]
    # On another machine sums are taken in another order.
    np.testing.assert_allclose(summary(features), pinned["summary"], rtol=2e-2, atol=2e-2)
