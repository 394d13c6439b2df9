"""`partial_fit`: rows that come piece by piece."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from metaplastic.presets import Preset
from metaplastic.rules import LocalRule, RuleSet
from metaplastic.sklearn import stream
from metaplastic.sklearn.stream import Reservoir


def streamed(transformer, x, size):
    for start in range(0, len(x), size):
        transformer.partial_fit(x[start : start + size])
    return transformer


@pytest.mark.parametrize("size", [1, 100, 1023, 1025])
def test_cuts_of_the_stream_do_not_matter(make_transformer, blobs, size):
    x = blobs[0][: 60 if size == 1 else None]
    whole, cut = make_transformer().partial_fit(x), streamed(make_transformer(), x, size)
    assert whole.n_steps_ == cut.n_steps_ == len(x) // 16
    np.testing.assert_array_equal(whole.transform(x), cut.transform(x))
    for name in ("shift_", "scale_", "gain_"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(cut, name))


def test_looking_at_the_encoder_changes_nothing(make_transformer, blobs):
    x, _ = blobs
    whole, looked_at = make_transformer().partial_fit(x), make_transformer()
    seen = []
    for start in range(0, len(x), 500):
        seen.append(looked_at.partial_fit(x[start : start + 500]).transform(x))
        assert looked_at.encoder_ is looked_at.encoder_
    np.testing.assert_array_equal(seen[-1], whole.transform(x))
    assert not np.array_equal(seen[-1], seen[-2])


def test_order_of_rows_matters(make_transformer, blobs):
    x, _ = blobs
    forwards, backwards = (make_transformer().partial_fit(rows) for rows in (x, x[::-1]))
    assert not np.array_equal(forwards.transform(x), backwards.transform(x))


def test_presentation_is_that_of_the_first_rows(make_transformer, blobs):
    x, _ = blobs
    transformer = streamed(make_transformer(), x, 300)
    np.testing.assert_allclose(transformer.shift_, x[:1024].mean(0), atol=1e-5)


def test_memory_is_constant(make_transformer, blobs, monkeypatch):
    monkeypatch.setattr(stream, "RESERVOIR_ROWS", 300)
    x, _ = blobs
    transformer, sizes = make_transformer(), []
    for _ in range(6):
        transformer.partial_fit(x[:2000])
        sizes.append(len(pickle.dumps(transformer)))
    assert transformer.n_steps_ == 6 * 2000 // 16
    assert max(sizes) - min(sizes) < 200  # the pickle spells larger counts with more bytes
    assert sizes[0] < 300 * 8 * 4 + 20_000


def test_statistics_of_the_encoder_are_those_of_the_stream(make_transformer, blobs):
    x, _ = blobs
    features = streamed(make_transformer(), x, 700).transform(x)
    np.testing.assert_allclose(features.var(0), 1.0, rtol=1e-3)  # the reservoir holds all rows


def test_learns_what_fit_learns(make_transformer, blobs):
    """Features of the streamed and of the fitted network span about the same of the classes."""
    x, y = blobs
    for transformer in (make_transformer().fit(x), streamed(make_transformer(), x, 256)):
        features = transformer.transform(x)
        centres = np.stack([features[y == c].mean(0) for c in range(4)])
        nearest = np.argmin(((features[:, None] - centres) ** 2).sum(-1), axis=1)
        assert np.mean(nearest == y) > 0.9


def test_few_rows_give_defined_features(make_transformer, blobs):
    x, _ = blobs
    transformer = make_transformer().partial_fit(x[:1])
    assert transformer.n_steps_ == 0
    features = transformer.transform(x[:5])
    assert np.all(np.isfinite(features))
    np.testing.assert_array_equal(features, features[:1].repeat(5, 0))
    assert len(np.unique(transformer.partial_fit(x[1:9]).transform(x[:5]), axis=0)) == 5
    assert transformer.n_steps_ == 0
    assert transformer.partial_fit(x[9:17]).n_steps_ == 1


def test_goes_on_from_fit(make_transformer, blobs):
    x, _ = blobs
    transformer = make_transformer().fit(x)
    fitted, shift = transformer.transform(x), transformer.shift_
    transformer.partial_fit(x[:15] + 1.0)
    assert transformer.n_steps_ == 10
    np.testing.assert_array_equal(transformer.transform(x), fitted)  # no step yet
    transformer.partial_fit(x[15:1000] + 1.0)
    assert transformer.n_steps_ == 10 + 1000 // 16
    assert not np.array_equal(transformer.transform(x), fitted)
    np.testing.assert_array_equal(transformer.shift_, shift)
    features = transformer.transform(x[:1000] + 1.0 * (np.arange(1000) >= 0)[:, None])
    np.testing.assert_allclose(features.var(0), 1.0, rtol=1e-3)


@pytest.mark.slow
def test_the_rule_for_sparse_inputs_is_used_from_the_first_rows_on(make_transformer):
    rule, other = (LocalRule.create(key=jax.random.key(i), hidden=4) for i in (0, 1))
    preset = Preset("pair", RuleSet(rule, sparse=other), mostly_zero=0.86)
    pair = {"rule": "base", "preset": preset}
    alone = {"rule": other}
    x = np.random.default_rng(1).poisson(0.05, size=(1300, 8)).astype(np.float32)
    # Looked at early, in a stream, and going on from fit.
    for fits in ((20,), (700, 600), (1100, 200)):
        found = [make_transformer(n_steps=3, **each) for each in (pair, alone)]
        for transformer in found:
            begin = 0
            for count in fits:
                transformer.partial_fit(x[begin : begin + count])
                begin += count
        np.testing.assert_array_equal(*(t.transform(x[:9]) for t in found))
    gone_on = [make_transformer(n_steps=3, **each).fit(x) for each in (pair, alone)]
    np.testing.assert_array_equal(*(t.partial_fit(x[:64]).transform(x[:9]) for t in gone_on))


def test_fit_forgets_the_stream(make_transformer, blobs):
    x, _ = blobs
    transformer = make_transformer().partial_fit(x[:, :5]).fit(x)
    assert transformer.n_features_in_ == 8
    np.testing.assert_array_equal(transformer.transform(x), make_transformer().fit_transform(x))


def test_fit_without_a_number_of_steps_is_one_pass_in_order(make_transformer, blobs):
    x, _ = blobs
    fitted, chunks = make_transformer(n_steps=None).fit(x), streamed(make_transformer(), x, 321)
    assert fitted.n_steps_ == chunks.n_steps_ == len(x) // 16
    np.testing.assert_array_equal(fitted.transform(x), chunks.transform(x))
    for name in ("shift_", "scale_", "gain_", "input_shape_"):
        np.testing.assert_array_equal(getattr(fitted, name), getattr(chunks, name))
    # Both go on alike.
    for each in (fitted, chunks):
        each.partial_fit(x[::-1])
    np.testing.assert_array_equal(fitted.transform(x), chunks.transform(x))
    # A second fit starts anew.
    np.testing.assert_array_equal(
        fitted.fit(x).transform(x), make_transformer(n_steps=None).fit_transform(x)
    )


def test_the_classifier_takes_one_pass_too(make_classifier, blobs):
    x, y = blobs
    classifier = make_classifier(n_steps=None, n_components=12).fit(x, np.where(y >= 0, y, -1))
    assert classifier.transformer_.n_steps_ == len(x) // 16
    assert classifier.score(x, y) > 0.85


def test_an_iterator_of_chunks(make_transformer, blobs):
    x, _ = blobs
    chunks = (x[start : start + 200] for start in range(0, len(x), 200))
    transformer = make_transformer().partial_fit(chunks)
    np.testing.assert_array_equal(
        transformer.transform(x), make_transformer().partial_fit(x).transform(x)
    )
    assert next(chunks, None) is None
    with pytest.raises(ValueError, match="expecting 8 features"):
        transformer.partial_fit(iter([x[:50], x[:50, :3]]))


@pytest.mark.slow
def test_a_million_rows_of_a_file_within_900_mebibytes(tmp_path: Path, record_property):
    script = Path(__file__).with_name("long_run.py")
    command = [sys.executable, str(script), str(tmp_path / "rows.npy")]
    # Optimised programs: this one takes a thousand steps.
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    for how, run in found.items():
        for name in ("rows_per_second", "rows_per_cpu_second", "peak_mib"):
            record_property(f"{how}_{name}", run[name])
            print(f"{how} {name}: {run[name]:,.0f}")
        assert run["steps"] == 1_000_000 // 1024
        assert run["peak_mib"] < 900
        assert np.ptp(run["features"], axis=0).min() > 0
    np.testing.assert_array_equal(found["chunks"]["features"], found["fit"]["features"])


class TestReservoir:
    def test_keeps_everything_at_first(self):
        reservoir = Reservoir(1, seed=0)
        rows = np.arange(4096, dtype=np.float32)[:, None]
        reservoir.add(rows[:10])
        reservoir.add(rows[10:])
        np.testing.assert_array_equal(reservoir.rows, rows)

    def test_is_a_uniform_sample(self, monkeypatch):
        monkeypatch.setattr(stream, "RESERVOIR_ROWS", 100)
        counts = np.zeros(1000)
        for seed in range(300):
            reservoir = Reservoir(1, seed)
            for part in np.split(np.arange(1000, dtype=np.float32)[:, None], [30, 150, 900]):
                reservoir.add(part)
            kept = reservoir.rows[:, 0].astype(int)
            assert len(np.unique(kept)) == 100
            counts[kept] += 1
        # Each row is kept with probability 0.1; means over tenths of the stream have an error of
        # about sqrt(300 * 100 * 0.1 * 0.9) / (300 * 100) = 0.0017.
        np.testing.assert_allclose(counts.reshape(10, 100).mean(1) / 300, 0.1, atol=0.008)

    @pytest.mark.parametrize(
        ("columns", "capacity"), [(1, 4096), (8192, 4096), (32768, 1024), (2**20, 256)]
    )
    def test_wide_rows_are_fewer(self, columns, capacity):
        assert Reservoir(columns, seed=0).capacity == capacity
