"""The estimators beside other people's settings: constant inputs, global options, forks, files."""

import os
import subprocess
import sys

import jax
import joblib
import numpy as np
import pytest
import scipy.sparse as sp

from metaplastic.sklearn import RuleTransformer
from sklearn import config_context


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


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_the_classifier_reads_arrays_whatever_scikit_learn_gives(make_classifier, blobs, output):
    x, y = blobs[0][:60], blobs[1][:60]
    plain = make_classifier().fit(x, y)
    with config_context(transform_output=output):
        found = make_classifier().fit(x, y)
        np.testing.assert_array_equal(found.predict(x), plain.predict(x))
        np.testing.assert_array_equal(plain.predict_proba(x), found.predict_proba(x))
        assert type(found.transformer_.transform(x)) is np.ndarray


def test_a_seed_means_the_same_features_with_and_without_x64(make_transformer, blobs):
    x = blobs[0][:60].astype(np.float32)
    plain = make_transformer().fit(x)
    wanted, continued = plain.transform(x), plain.partial_fit(x[:40]).transform(x)
    with jax.enable_x64(True):
        wide = make_transformer().fit(x)
        np.testing.assert_array_equal(wide.transform(x), wanted)
        np.testing.assert_array_equal(wide.partial_fit(x[:40]).transform(x), continued)
    # Begun under one setting, continued under the other.
    turned = make_transformer().fit(x)
    with jax.enable_x64(True):
        np.testing.assert_array_equal(turned.partial_fit(x[:40]).transform(x), continued)
        stream = make_transformer().partial_fit(x)
    np.testing.assert_array_equal(
        stream.transform(x), make_transformer().partial_fit(x).transform(x)
    )
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(wide.models_))


IN_CHILDREN = """
import multiprocessing, sys, warnings
import numpy as np
from metaplastic.sklearn import FewShotClassifier, RuleTransformer

warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)
context = multiprocessing.get_context("fork")
x = np.random.default_rng(0).normal(size=(40, 8))
y = np.arange(40) % 2
settings = dict(rule="hebb", hidden_sizes=(4,), n_components=2, n_steps=1, batch_size=16,
                n_networks=1, random_state=0)
transformer, classifier = RuleTransformer(**settings), FewShotClassifier(**settings)

def call(connection, function):
    try:
        connection.send(function())
    except (ValueError, RuntimeError) as error:
        connection.send(f"{type(error).__name__}: {error}")

def child(function):
    here, there = context.Pipe()
    process = context.Process(target=call, args=(there, function))
    process.start()
    assert here.poll(60), "the child hangs"
    found = here.recv()
    process.join()
    return found

def jax_alone():
    import jax.numpy
    return float((jax.numpy.ones(3) + 1).sum())

before = child(lambda: transformer.fit(x).transform(x))
jax_alone()  # JAX runs, though nothing of this package has used it yet.
refused = child(lambda: transformer.fit(x))
features, classes = transformer.fit(x).transform(x), classifier.fit(x, y).predict(x)
np.testing.assert_array_equal(before, features)
np.testing.assert_array_equal(child(lambda: transformer.transform(x)), features)
np.testing.assert_array_equal(child(lambda: classifier.predict(x)), classes)
for function in (lambda: transformer.fit(x), lambda: transformer.partial_fit(x),
                 lambda: classifier.fit(x, y)):
    said = child(function)
    assert said.startswith("ConfigurationError: this process was forked"), said
assert refused == said, refused

# The rule that comes with the package needs NumPy alone.
settings["rule"] = "base"
own = RuleTransformer(**settings)
features = child(lambda: own.fit(x).transform(x))
np.testing.assert_array_equal(features, own.fit(x).transform(x))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
@pytest.mark.slow
def test_forked_children_predict_and_refuse_to_fit():
    done = subprocess.run(
        [sys.executable, "-c", IN_CHILDREN],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def kept_by_joblib(estimator, folder):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


def kept_by_skops(estimator, folder):
    skops = pytest.importorskip("skops.io")
    path = folder / "estimator.skops"
    skops.dump(estimator, path)
    needed = skops.get_untrusted_types(file=path)
    # As docs/export.md says.
    assert all(name.startswith("metaplastic.") for name in needed)
    return skops.load(path, trusted=needed)


FITTED = {
    "fit": lambda transformer, _, x, y: transformer().fit(x),
    "one pass": lambda transformer, _, x, y: transformer(n_steps=None).fit(x),
    "partial_fit, waiting": lambda transformer, _, x, y: transformer().partial_fit(x[:40]),
    "partial_fit, trained": lambda transformer, _, x, y: transformer().partial_fit(x),
    "ridge": lambda _, classifier, x, y: classifier().fit(x, y),
    "logistic": lambda _, classifier, x, y: classifier(head="logistic").fit(x, y),
}


@pytest.mark.slow
@pytest.mark.parametrize("keep", [kept_by_joblib, kept_by_skops])
@pytest.mark.parametrize("how", FITTED)
def test_fitted_estimators_are_the_same_after_a_file(
    make_transformer, make_classifier, blobs, tmp_path, how, keep
):
    x, y = blobs[0][:1200], blobs[1][:1200]
    fitted = FITTED[how](make_transformer, make_classifier, x, y)
    again = keep(fitted, tmp_path)
    if isinstance(fitted, RuleTransformer):
        np.testing.assert_array_equal(again.transform(x), fitted.transform(x))
        fitted.partial_fit(x[:50]), again.partial_fit(x[:50])
        np.testing.assert_array_equal(again.transform(x), fitted.transform(x))
    else:
        np.testing.assert_array_equal(again.predict_proba(x), fitted.predict_proba(x))
        np.testing.assert_array_equal(again.classes_, fitted.classes_)


def test_an_encoder_needs_one_type_to_be_trusted(make_transformer, blobs):
    skops = pytest.importorskip("skops.io")
    x = blobs[0][:60]
    encoder = make_transformer().fit(x).encoder_
    kept = skops.dumps(encoder)
    needed = skops.get_untrusted_types(data=kept)
    assert [name.rpartition(".")[2] for name in needed] == ["FrozenMLP"]
    np.testing.assert_array_equal(skops.loads(kept, trusted=needed)(x), encoder(x))
