"""Neighbours, the graph, labels spread over it, and the readings made of them."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from metaplastic.errors import InputError
from metaplastic.readings import ReadingPool, ReadingSettings, neighbours
from metaplastic.readings.evidence import weigh
from metaplastic.readings.graph import build_graph
from metaplastic.readings.neighbours import exact_search, nearest_to_all
from metaplastic.readings.poisson import rows_to_check, spread_labels
from metaplastic.readings.remembered import RememberedPool
from metaplastic.readings.settings import STATISTICS

SETTINGS = ReadingSettings(leak=1e-8, tolerance=1e-9)
HEADS = ("auto", "graph")


@pytest.fixture(scope="module")
def moons():
    """Two half circles `(300, 4)` that no line tells apart, and two columns of noise."""
    generator = np.random.default_rng(0)
    y = np.arange(300) % 2
    angle = generator.uniform(0, np.pi, 300)
    x = np.column_stack([np.cos(angle), np.sin(angle)])
    x = np.where(y[:, None] == 1, [1.0, 0.35] - x, x)
    x = np.concatenate([x, np.zeros((300, 2))], axis=1)
    return (x + 0.05 * generator.normal(size=x.shape)).astype(np.float32), y


def test_search_finds_the_nearest_whatever_comes_with_a_query():
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(500, 19)).astype(np.float32)
    rows[100:140] = rows[100]  # ties go by number
    found = exact_search(rows, rows, 7)
    oracle = NearestNeighbors(n_neighbors=7, algorithm="brute").fit(rows.astype(np.float64))
    distance = oracle.kneighbors(rows.astype(np.float64))[0]
    np.testing.assert_allclose(np.sqrt(found.squared), distance, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.places[120], np.arange(100, 107))
    for part in (slice(0, 1), slice(3, 40), slice(119, 500)):
        piece = exact_search(rows, rows[part], 7)
        np.testing.assert_array_equal(piece.places, found.places[part])
        np.testing.assert_array_equal(piece.squared, found.squared[part])


def test_beyond_the_limit_a_library_finds_most(monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr(neighbours, "EXACT_ROWS", 1000)
    monkeypatch.setattr(neighbours, "CELL_ROWS", 5)
    low = np.random.default_rng(0).normal(size=(1500, 4))
    rows = np.tanh(low @ np.random.default_rng(1).normal(size=(4, 80))).astype(np.float32)
    found, recall = nearest_to_all(rows, 10)
    assert recall > 0.9
    assert not np.any(found.places == np.arange(1500)[:, None])


def test_without_the_library_a_large_pool_is_read_by_a_part_of_it(monkeypatch, moons):
    x, y = moons
    monkeypatch.setattr(neighbours, "EXACT_ROWS", 200)
    monkeypatch.setattr("metaplastic.readings.pool.find_spec", lambda name: None)
    pool = ReadingPool(x)
    with pytest.warns(UserWarning, match=r"made of 200 of them.*metaplastic\[neighbours\]"):
        reading = pool.fit("graph", np.arange(40), y[:40])
    assert np.mean(reading.scores(x).argmax(1) == y) > 0.9


def test_spreading_solves_poissons_equation(moons):
    x, y = moons
    graph = build_graph(x, 10)
    few = np.array([0, 1, 2, 3])
    found = spread_labels(graph, few, y[few], SETTINGS).values
    weights = graph.weights.toarray()
    np.testing.assert_array_equal(weights, weights.T)
    sources = np.zeros((len(x), 2))
    sources[few] = np.eye(2)[y[few]] - 0.5
    oracle = np.linalg.pinv(np.diag(weights.sum(1)) - weights) @ sources
    # Only in the components that have labels of both classes.
    component = graph.component
    both = np.isin(component, np.intersect1d(component[[0, 2]], component[[1, 3]]))
    if both.any():
        gap, true = found[both, 0] - found[both, 1], oracle[both, 0] - oracle[both, 1]
        assert np.corrcoef(gap, true)[0, 1] > 0.999


def test_what_is_said_of_a_row_left_out_is_what_is_said_without_it(moons):
    x, y = moons
    graph = build_graph(np.concatenate([x, x[:, ::-1] + 0.01]), 12)
    few = np.arange(12)
    spread = spread_labels(graph, few, y[few], SETTINGS)
    for position, row in enumerate(spread.checked[:4]):
        rest = few[few != row]
        without = spread_labels(graph, rest, y[rest], SETTINGS).values[row]
        gap = spread.held_out[position] @ [1, -1]
        assert np.sign(gap) == np.sign(without @ [1, -1])


def test_rows_are_checked_class_by_class():
    labels = np.array([0, 0, 0, 1, 2, 2])
    np.testing.assert_array_equal(rows_to_check(labels), [0, 4, 1, 5, 2])


def test_components_of_one_class_say_it_and_links_tell_those_without_labels():
    generator = np.random.default_rng(0)
    centres = 1000.0 * np.array([0, 1, 3])[:, None]
    x = (np.repeat(centres, 30, 0) + generator.normal(size=(90, 1))).astype(np.float32)
    for kind in (ReadingPool, RememberedPool):
        pool = kind(x, ReadingSettings(n_neighbors=15))
        reading = pool.fit("graph", np.array([0, 30]), np.array([0, 1]))
        probabilities = reading.probabilities(x)
        assert np.all(probabilities[:30].argmax(1) == 0) and np.all(probabilities[30:60, 1] > 0.7)
        assert np.all(probabilities[60:].argmax(1) == 1)
        assert "3 components" in reading.explain()


def test_the_graph_reads_what_no_line_can(moons):
    x, y = moons
    pool = ReadingPool(x)
    few = np.array([0, 1, 2, 3])
    accuracy = {
        name: np.mean(pool.fit(name, few, y[few]).scores(x).argmax(1) == y)
        for name in ("ridge", "graph")
    }
    assert accuracy["graph"] > 0.97 > accuracy["ridge"] + 0.05


@pytest.mark.parametrize("head", HEADS)
def test_each_row_by_itself_and_files(head, moons):
    x, y = moons
    pool = ReadingPool(x[:200])
    reading = pool.fit(head, np.arange(20), y[:20])
    whole = reading.probabilities(x)
    for part in (slice(0, 1), slice(7, 8), slice(1, 130), slice(130, 300)):
        np.testing.assert_array_equal(reading.probabilities(x[part]), whole[part])
    np.testing.assert_array_equal(pool.scores(reading, np.arange(5)), reading.scores(x[:5]))
    np.testing.assert_allclose(whole.sum(1), 1.0)
    np.testing.assert_array_equal(whole.argmax(1), reading.scores(x).argmax(1))
    fields = json.loads(json.dumps(reading.fields()))
    copy = type(reading).restore(reading.arrays(), fields)
    np.testing.assert_array_equal(copy.probabilities(x), whole)
    assert copy.explain() == reading.explain()


@pytest.mark.parametrize("head", HEADS)
def test_duplicates_and_constant_features(head):
    labels = np.array([0, 1, 0, 1])
    pool = ReadingPool(np.ones((20, 3), np.float32))
    np.testing.assert_allclose(
        pool.fit(head, np.arange(4), labels).probabilities(pool.features), 0.5
    )
    x = np.repeat(np.arange(4.0), 30)[:, None].astype(np.float32)
    reading = ReadingPool(x).fit(head, np.array([0, 119]), np.array([0, 1]))
    scores = reading.scores(x)
    assert len(np.unique(scores[:, 0])) == 4
    assert scores[0].argmax() == 0 and scores[-1].argmax() == 1


@pytest.mark.parametrize("head", HEADS)
def test_classes_have_the_shares_that_are_given(head, moons):
    x, y = moons
    pool, few = ReadingPool(x), np.array([0, 1, 2, 3])
    for prior in ([0.5, 0.5], [0.8, 0.2]):
        reading = pool.fit(head, few, y[few], np.array(prior))
        np.testing.assert_allclose(reading.probabilities(x).mean(0), prior, atol=0.03)


def test_auto_weighs_by_its_settings_and_tells_so(moons):
    x, y = moons
    one = np.eye(len(ReadingSettings().linear))[0]
    for linear, graph in ((-5.0, 2.0), (2.0, -5.0)):
        settings = ReadingSettings(
            linear=tuple(linear * one), graph=tuple(graph * one), balance=0.0
        )
        pool, few = ReadingPool(x, settings), np.arange(6)
        reading = pool.fit("auto", few, y[few])
        alone = pool.fit("graph" if graph > 0 else "ridge", few, y[few])
        agreed = reading.scores(x).argmax(1) == alone.scores(x).argmax(1)
        # Both are in what is spread anew over the graph.
        assert np.mean(agreed) > (0.9 if graph > 0 else 0.95)
        assert ("more than" if graph > 0 else "less than") in reading.explain()


def test_factors_of_one_label_fade():
    settings = ReadingSettings(single=(0.25, 2.0))
    for each, linear, graph in ((1, 0.25, 2.0), (2, 0.25**0.25, 2.0**0.25), (50, 1.0, 1.0)):
        values = dict.fromkeys(STATISTICS, 0.0) | {"log_labels": float(np.log(each))}
        found = weigh(values, settings)
        np.testing.assert_allclose((found.linear, found.graph), (linear, graph), rtol=1e-3)


def test_sharpness_changes_no_class(moons):
    x, y = moons
    few, one = np.arange(6), np.eye(len(STATISTICS))[0]
    found = [
        ReadingPool(x, ReadingSettings(sharpness=tuple(each * one))).fit("auto", few, y[few])
        for each in (0.0, -1.0)
    ]
    sure, unsure = (reading.probabilities(x) for reading in found)
    np.testing.assert_array_equal(sure.argmax(1), unsure.argmax(1))
    np.testing.assert_allclose(found[1].scores(x), np.exp(-1.0) * found[0].scores(x), rtol=1e-6)
    assert unsure.max(1).mean() < sure.max(1).mean() - 0.02


@pytest.mark.parametrize(
    "changes",
    [
        {"linear": (1.0,)},
        {"sharpness": (0.0, float("nan"))},
        {"n_neighbors": 0},
        {"leak": 0.0},
        {"tolerance": 1.0},
        {"least": 9.0},
        {"balance": 1.5},
    ],
)
def test_settings_are_checked(changes):
    with pytest.raises(InputError):
        dataclasses.replace(ReadingSettings(), **changes)


@pytest.mark.slow
def test_readings_need_no_jax():
    probe = "import sys, metaplastic.readings; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", probe], check=True)
