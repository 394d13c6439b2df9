import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

from metaplastic.errors import InputError
from metaplastic.learners.pool import (
    Shuffled,
    check_pool,
    pool_presentation,
    subsample,
)
from metaplastic.models import fit_presentation, row_blocks


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(5), "two dimensions"),
        (np.zeros((3, 2, 2)), "two dimensions"),
        (np.zeros((1, 4)), "at least 2 rows"),
        (np.zeros((4, 0)), "1 column"),
        (np.full((4, 2), "a"), "dtype"),
        (np.full((4, 2), 1j), "dtype"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), "NaN"),
        (np.array([[1.0, np.inf], [0.0, 1.0]]), "infinity"),
        (np.array([[1.0, 1e300], [0.0, 1.0]]), "float32"),
    ],
)
def test_bad_pools_are_refused(x, message):
    with pytest.raises(InputError, match=message):
        check_pool(x)


def test_lists_and_sparse_matrices_of_any_format_are_taken():
    assert check_pool([[1, 2], [3, 4]]).shape == (2, 2)
    sparse = check_pool(scipy.sparse.coo_matrix(np.eye(4)))
    np.testing.assert_array_equal(np.concatenate(list(row_blocks(sparse))), np.eye(4))


def test_scaling_of_the_pool_is_that_of_one_batch_dense_or_sparse():
    x = np.random.default_rng(0).poisson(0.3, (9000, 7)) * np.arange(7)
    expected = fit_presentation(jnp.asarray(x, jnp.float32))
    for pool in (x, scipy.sparse.csr_array(x)):
        found = pool_presentation(pool)
        np.testing.assert_allclose(found.shift, expected.shift, rtol=1e-5)
        np.testing.assert_allclose(found.scale, expected.scale, rtol=1e-4)
        np.testing.assert_allclose(found.gain, expected.gain, rtol=1e-4)


def test_an_epoch_holds_every_row_once_and_pieces_make_no_difference():
    rows = Shuffled(10, seed=3)
    taken = np.concatenate([rows.take(4), rows.take(4), rows.take(12)])
    assert sorted(taken[:10]) == sorted(taken[10:]) == list(range(10))
    np.testing.assert_array_equal(taken, Shuffled(10, seed=3).take(20))
    assert not np.array_equal(taken, Shuffled(10, seed=4).take(20))


def test_subsample_keeps_small_pools_and_draws_rows_of_large_ones_once():
    x = np.arange(20).reshape(10, 2)
    assert subsample(x, 10, seed=0) is x
    some = subsample(x, 4, seed=0)
    assert len(np.unique(some[:, 0])) == 4
    np.testing.assert_array_equal(some, subsample(x, 4, seed=0))
