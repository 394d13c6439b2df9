"""Tests of the cases by which readings are combined."""

import numpy as np
import pytest

from laboratory.combining import kind_of, rows_of


@pytest.mark.parametrize(("n", "whole", "large"), [(1500, 1000, 0), (2500, 1000, 2500)])
def test_large_pools_have_more_rows_and_small_pools_no_large_variant(n, whole, large):
    labels = np.arange(n) % 3
    for variant, expected in (("whole", whole), ("large", large)):
        rows = rows_of(variant, labels, np.random.default_rng(0))
        assert len(rows) == len(set(rows.tolist())) == expected


def test_the_first_kind_that_fits_a_name_counts():
    names = ("pool-glyphs_14x14-0", "pool-manifold-0", "keel-ring", "wl-text", "counts-text")
    assert [kind_of(name) for name in names] == [
        "images",
        "other drawn tasks",
        "tables",
        "embeddings of texts",
        "counts of words",
    ]
