"""Every learner: deterministic, row by row, finite; and each against an oracle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
import sklearn.cluster
import sklearn.decomposition
from sklearn.datasets import load_digits

from metaplastic.errors import InputError
from metaplastic.learners import (
    PCA,
    Autoencoder,
    KMeansTriangle,
    PrototypicalNetwork,
    RandomNetwork,
    Raw,
    VariationalAutoencoder,
    VICReg,
    WithInputs,
    plain_learner,
)
from metaplastic.models import fit_presentation, freeze, init_mlp
from metaplastic.rules.hebb import Hebb

LEARNERS = {
    "raw": Raw(),
    "raw_scaled": Raw("scaled"),
    "pca": PCA(4),
    "kmeans": KMeansTriangle(6, presentation="scaled"),
    "random": RandomNetwork((8, 4)),
    "rule": plain_learner(Hebb(), hidden_sizes=(8,), n_components=4, n_steps=7, batch_size=20),
    "autoencoder": Autoencoder((8,), 4, n_steps=7, batch_size=20),
    "vae": VariationalAutoencoder((8,), 4, n_steps=7, batch_size=20, likelihood="gaussian"),
    "vicreg": VICReg((8,), 4, n_steps=7, batch_size=20, projector_sizes=(6, 6)),
    "prototypical": PrototypicalNetwork(init_mlp((64, 8, 4), key=jax.random.key(0))),
}


@pytest.fixture(scope="module")
def digits():
    return load_digits().data[:300]


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
def test_contract(name, digits):
    learner = LEARNERS[name]
    encoder = learner.fit(digits, seed=1)
    features = encoder(digits)
    assert features.dtype == np.float32 and features.ndim == 2 and len(features) == len(digits)
    assert np.all(np.isfinite(features)) and features.std() > 0
    np.testing.assert_array_equal(learner.fit(digits, seed=1)(digits), features)
    np.testing.assert_allclose(encoder(digits[7:8]), features[7:8], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(encoder(digits[::-1]), features[::-1], rtol=1e-4, atol=1e-4)
    assert learner.name and learner.label


@pytest.mark.parametrize("name", LEARNERS)
def test_sparse_equals_dense(name, digits):
    sparse = scipy.sparse.csr_matrix(digits)
    found = LEARNERS[name].fit(sparse, seed=1)(sparse)
    expected = LEARNERS[name].fit(digits, seed=1)(digits)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", LEARNERS)
def test_nan_is_refused(name, digits):
    with pytest.raises(InputError, match="NaN"):
        LEARNERS[name].fit(np.where(digits > 15, np.nan, digits), seed=0)


def test_raw_is_the_input_and_bytes_become_unit_range(digits):
    np.testing.assert_array_equal(Raw().fit(digits, seed=0)(digits), digits.astype(np.float32))
    image = np.array([[0, 255], [51, 102]], np.uint8)
    np.testing.assert_allclose(Raw().fit(image, seed=0)(image), [[0, 1], [0.2, 0.4]], rtol=1e-6)


def test_scaled_presentation_is_that_of_the_base_model(digits):
    expected = fit_presentation(jnp.asarray(digits, jnp.float32))(jnp.asarray(digits, jnp.float32))
    found = Raw("scaled").fit(digits, seed=0)(digits)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_pca_equals_scikit_learn(digits):
    oracle = sklearn.decomposition.PCA(4, random_state=0).fit_transform(digits)
    found = PCA(4).fit(digits, seed=0)(digits)
    np.testing.assert_allclose(np.abs(found), np.abs(oracle), rtol=1e-2, atol=1e-2)


def test_pca_gives_what_a_small_pool_has(digits):
    assert PCA(32).fit(digits[:5], seed=0)(digits).shape == (300, 5)


def test_triangle_features_equal_their_formula(digits):
    means = sklearn.cluster.KMeans(6, n_init=1, random_state=2).fit(digits.astype(np.float32))
    distance = means.transform(digits.astype(np.float32))
    expected = np.maximum(distance.mean(1, keepdims=True) - distance, 0)
    found = KMeansTriangle(6).fit(digits, seed=2)(digits)
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)


def test_kmeans_has_no_more_centres_than_rows(digits):
    assert KMeansTriangle(32).fit(digits[:5], seed=0)(digits).shape == (300, 5)


def test_large_pools_are_clustered_in_mini_batches(monkeypatch, digits):
    monkeypatch.setattr("metaplastic.learners.classical.FREEZE_ROWS", 100)
    found = KMeansTriangle(6).fit(digits, seed=0)(digits)
    assert found.shape == (300, 6) and found.std() > 0


def test_random_network_is_the_base_model_untrained(digits):
    model = init_mlp(
        (64, 8, 4),
        key=jax.random.key(5),
        presentation=fit_presentation(jnp.asarray(digits, jnp.float32)),
    )
    expected = freeze(model, digits)(digits)
    found = RandomNetwork((8, 4)).fit(digits, seed=5)(digits)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_inputs_beside_features_weigh_as_much(digits):
    learner = WithInputs(PCA(5))
    assert learner.label == "pca-5 + inputs"
    encoder = learner.fit(digits, seed=0)
    found = encoder(digits)
    assert found.shape == (300, 69) and found.dtype == np.float32
    np.testing.assert_allclose([found[:, :64].var(0).sum(), found[:, 64:].var(0).sum()], 1, 1e-3)
    pca = PCA(5).fit(digits, seed=0)(digits)
    np.testing.assert_allclose(found[:, 64:], pca / np.sqrt(pca.var(0).sum()), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(encoder(digits[3:4]), found[3:4], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PCA(0),
        lambda: KMeansTriangle(0),
        lambda: KMeansTriangle(3, n_init=0),
        lambda: RandomNetwork(()).fit(np.eye(4), seed=0),
        lambda: RandomNetwork((4,), "cube").fit(np.eye(4), seed=0),
    ],
)
def test_bad_configurations_are_refused(make):
    with pytest.raises(InputError):
        make()
