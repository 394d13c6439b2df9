"""Rows of a pool, a block at a time."""

import numpy as np
import scipy.sparse

from metaplastic.models import rows, share_of_least


def test_the_least_of_columns_that_vary_is_counted(monkeypatch):
    x = np.array([[0, 5, 1], [0, 5, 0], [0, 5, 0], [2, 5, 0]])  # the middle column is constant
    for pool in (x, scipy.sparse.csr_array(x), 3.0 * x - [1, 0, 7]):
        assert share_of_least(pool) == 6 / 8
    assert share_of_least(np.ones((4, 2))) == 0.0
    monkeypatch.setattr(rows, "LEAST_ROWS", 2)
    assert share_of_least(x) == 1 / 2  # of rows 0 and 2, where the last column alone varies
