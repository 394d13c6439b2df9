"""Networks trained by NumPy: the same features as by JAX, whatever the number of cores."""

import os
import subprocess
import sys
import threading

import jax
import numpy as np
import pytest
import threadpoolctl

from metaplastic.learners import eager, inner_loop, rule_learner
from metaplastic.sklearn import RuleTransformer

SMALL = {"hidden_sizes": (16,), "n_components": 24, "n_networks": 4, "n_steps": 4, "batch_size": 32}


def rows(n=200, d=12):
    return np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)


def features(**more):
    return RuleTransformer(random_state=3, **{**SMALL, **more}).fit(rows()).transform(rows())


@pytest.fixture
def by_jax(monkeypatch):
    """As on a machine with a GPU."""
    monkeypatch.setattr(eager, "_on_cpu", lambda: False)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_seed_means_the_same_features_by_numpy_and_by_jax(request, activation):
    by_numpy = features(activation=activation)
    request.getfixturevalue("by_jax")
    calls = []
    original = inner_loop._scan
    request.getfixturevalue("monkeypatch").setattr(
        inner_loop, "_scan", lambda *a: calls.append(1) or original(*a)
    )
    np.testing.assert_allclose(features(activation=activation), by_numpy, atol=2e-3)
    assert len(calls) == SMALL["n_networks"]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d"), [(200, 12), (1500, 300)])
def test_any_number_of_threads_gives_the_same_bits(n, d):
    """Of 300 columns components are taken too, for networks and for direct features."""
    x, found = rows(n, d), []
    for threads in (1, 4):
        with threadpoolctl.threadpool_limits(threads, "blas"):
            found.append(RuleTransformer(random_state=3, **SMALL).fit(x).encoder_)
    for one, other in zip(*(jax.tree.leaves(vars(each)) for each in found), strict=True):
        np.testing.assert_array_equal(np.asarray(one, object), np.asarray(other, object))


@pytest.mark.parametrize("d", [101, 40])
def test_a_stream_is_the_same_to_the_last_bit_however_it_is_cut(d):
    """Inputs of so many columns are whitened, by products that round as their rows have it."""
    x = rows(1300, d)

    def make():
        sizes = {"hidden_sizes": (16,), "n_components": 80}
        return RuleTransformer(n_steps=None, random_state=0, **sizes)

    whole, pieces = make().fit(x), make()
    for piece in np.split(x, [1024, 1152]):
        pieces.partial_fit(piece)
    np.testing.assert_array_equal(whole.transform(x[:50]), pieces.transform(x[:50]))


def blas_threads():
    libraries = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
    return [library.num_threads for library in libraries]


def test_fits_that_overlap_leave_threads_as_they_were():
    before, inner, outer = blas_threads(), threading.Event(), threading.Event()

    def first():
        with eager.one_thread_each:
            inner.set()
            assert outer.wait(60)

    thread = threading.Thread(target=first)
    thread.start()
    assert inner.wait(60)
    with eager.one_thread_each:
        outer.set()
        thread.join()
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_an_interrupted_fit_leaves_threads_as_they_were(monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    before = blas_threads()
    monkeypatch.setattr(rule_learner, "train", interrupt)
    with pytest.raises(KeyboardInterrupt):
        features()
    assert blas_threads() == before


def test_calls_run_side_by_side_with_one_thread_each():
    barrier = threading.Barrier(2, timeout=60)

    def call():
        barrier.wait()  # Passed by two at once alone.
        blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
        return [library.num_threads for library in blas.lib_controllers]

    with threadpoolctl.threadpool_limits(2, "blas"):
        found = eager.at_once([call, call])
    assert found and all(number == 1 for own in found for number in own)


def test_an_error_of_one_network_is_raised(monkeypatch):
    def fail(*args, **kwargs):
        raise ValueError("of a network")

    monkeypatch.setattr(rule_learner, "train", fail)
    with pytest.raises(ValueError, match="of a network"):
        features()


def test_a_fit_starts_no_device_of_jax():
    """JAX is told of a platform that does not exist, so that any use of it would fail."""
    code = (
        "import numpy as np\n"
        "from metaplastic.sklearn import FewShotClassifier\n"
        "x = np.random.default_rng(0).normal(size=(60, 8))\n"
        "y = np.full(60, -1); y[:6] = [0, 1, 2, 0, 1, 2]\n"
        "print(FewShotClassifier(n_steps=2, random_state=0).fit(x, y).predict(x[:5]).shape)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "JAX_PLATFORMS": "none_such"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout == "(5,)\n", done.stderr
