"""Estimators prepare inputs as the rows of `fit` ask for, in a stream as its first rows do."""

import dataclasses

import numpy as np
import pytest
from sklearn.base import clone

from metaplastic.errors import InputError
from metaplastic.models import PreparationSettings, load_encoder, save_encoder
from metaplastic.presets import load_preset, save_preset


@pytest.fixture(scope="module")
def words():
    """Counts `(1200, 8)` of two topics in documents of very different lengths, and the topics."""
    generator = np.random.default_rng(0)
    y = np.arange(1200) % 2
    rates = np.where(y[:, None] == np.arange(8) % 2, 0.3, 0.01)
    return generator.poisson(rates * generator.integers(1, 9, size=(1200, 1))), y


@pytest.fixture(scope="module")
def preparing(plain, tmp_path_factory):
    """A file of the plain preset that prepares its inputs."""
    path = tmp_path_factory.mktemp("presets") / "preparing.safetensors"
    settings = PreparationSettings(count_zeros=0.4, n_components=8, tail=2.5, dead=1e-3)
    save_preset(path, dataclasses.replace(load_preset(plain), preparation=settings), {})
    return str(path)


def test_what_was_done_is_told_and_can_be_switched_off(make_transformer, preparing, words):
    x, _ = words
    on, off = (make_transformer(preset=preparing, prepare=p).fit(x) for p in (True, False))
    assert "counts" in on.preparation_ and on.n_features_in_ == 8
    assert off.preparation_ == "none"
    np.testing.assert_array_equal(off.transform(x), make_transformer().fit(x).transform(x))
    assert not np.array_equal(on.transform(x), off.transform(x))
    # Documents of other lengths: twice as long means nothing new.
    same = np.abs(on.transform(x) - on.transform(3 * x)).mean()
    assert same < 0.5 * np.abs(off.transform(x) - off.transform(3 * x)).mean()


def test_prepared_rows_stand_alone_and_travel_in_files(
    make_transformer, preparing, words, tmp_path
):
    x, _ = words
    fitted = make_transformer(preset=preparing).fit(x)
    whole = fitted.transform(x)
    np.testing.assert_array_equal(whole[5:9], fitted.transform(x[5:9]))
    save_encoder(tmp_path / "encoder.safetensors", fitted.encoder_, {})
    encoder, _ = load_encoder(tmp_path / "encoder.safetensors")
    np.testing.assert_array_equal(encoder(x), whole)


def test_a_stream_is_prepared_as_its_first_rows_ask(make_transformer, preparing, words):
    x, _ = words
    whole, cut = (make_transformer(preset=preparing) for _ in range(2))
    whole.partial_fit(x)
    for rows in np.split(x, [10, 700, 1111]):
        cut.partial_fit(rows)
    assert whole.preparation_ == cut.preparation_ != "none"
    np.testing.assert_array_equal(whole.transform(x), cut.transform(x))
    one_pass = make_transformer(preset=preparing, n_steps=None).fit(x)
    np.testing.assert_array_equal(one_pass.transform(x), whole.transform(x))


def test_training_goes_on_with_the_preparation_of_fit(make_transformer, preparing, words):
    x, _ = words
    fitted = make_transformer(preset=preparing).fit(x[:600])
    before = fitted.encoder_.preparation
    after = fitted.partial_fit(x[600:]).encoder_.preparation
    assert before is after


def test_negative_entries_later_are_refused_and_leave_no_trace(make_transformer, preparing, words):
    x, _ = words
    fitted = make_transformer(preset=preparing).fit(x)
    before = fitted.transform(x)
    with pytest.raises(InputError, match="prepare=False"):
        fitted.transform(-x)
    with pytest.raises(InputError, match="prepare=False"):
        fitted.partial_fit(np.concatenate([x, -x]))
    np.testing.assert_array_equal(fitted.transform(x), before)
    # In `fit` they say that these are no counts.
    assert "counts" not in clone(fitted).fit(np.concatenate([x, -x])).preparation_


def test_a_column_constant_in_the_pool_carries_nothing_later(make_transformer, preparing, blobs):
    x = blobs[0][:600].copy()
    x[:, 3] = 5.0
    fitted = make_transformer(preset=preparing).fit(x)
    other = x.copy()
    other[:, 3] = np.arange(600)
    np.testing.assert_array_equal(fitted.transform(other), fitted.transform(x))


def test_classifiers_prepare_too(make_classifier, preparing, words):
    x, y = words
    some = np.where(np.arange(1200) < 20, y, -1)
    on, off = (make_classifier(preset=preparing, prepare=p, head="ridge") for p in (True, False))
    assert on.fit(x, some).transformer_.preparation_ != "none"
    assert off.fit(x, some).transformer_.preparation_ == "none"
    assert on.score(x, y) > 0.7


def test_prepare_is_true_or_false(make_transformer, words):
    with pytest.raises(InputError, match="prepare is True or False"):
        make_transformer(prepare="counts").fit(words[0])
