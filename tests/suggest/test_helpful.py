"""Rows whose labels leave least open: of a small graph by trying all, spread, sampled."""

import numpy as np
import pytest

from metaplastic.suggest import helpful, suggest_rows
from metaplastic.suggest.helpful import helpful_nodes


@pytest.fixture(scope="module")
def nodes():
    """Two groups of 40 and 20 points in a plane, far apart."""
    x = np.random.default_rng(0).normal(size=(60, 2))
    x[40:] += 20.0
    return x.astype(np.float32)


def left_open(nodes, times, labelled):
    """The sum of variances once these nodes have a label, from the whole covariance."""
    covariance = helpful._covariance(nodes)
    noise = helpful.NOISE * covariance.diagonal().mean()
    given = covariance[:, labelled]
    block = given[labelled] + noise * np.eye(len(labelled))
    after = covariance - given @ np.linalg.inv(block) @ given.T
    free = np.setdiff1d(np.arange(len(nodes)), labelled)
    return float(times[free] @ after.diagonal()[free])


def test_the_first_leaves_least_open_and_groups_come_in_turn(nodes):
    times, known = np.ones(60), np.zeros(60, bool)
    known[[3, 7]] = True
    chosen = helpful_nodes(nodes, times, np.full(60, 0.5), known, 4, 0)
    assert len(set(chosen.tolist())) == 4 and not known[chosen].any()
    assert chosen[0] >= 40  # No row of that group has a label.
    lowest = min((left_open(nodes, times, [3, 7, v]), v) for v in range(60) if not known[v])
    # Its own variance counts too, which differs little between nodes of one group.
    assert left_open(nodes, times, [3, 7, int(chosen[0])]) < lowest[0] * 1.02


def test_what_is_certain_is_left_out(nodes):
    doubt = np.zeros(60)
    doubt[[10, 50]] = 0.3
    chosen = helpful_nodes(nodes, np.ones(60), doubt, np.zeros(60, bool), 10, 0)
    assert sorted(chosen.tolist()) == [10, 50]


def test_large_pools_are_sampled(nodes, monkeypatch):
    monkeypatch.setattr(helpful, "MOST_NODES", 10)
    monkeypatch.setattr(helpful, "MOST_KNOWN", 4)
    known = np.arange(60) % 3 == 0
    chosen = helpful_nodes(nodes, np.ones(60), np.ones(60), known, 30, 0)
    assert len(chosen) == 10 and not known[chosen].any()
    again = helpful_nodes(nodes, np.ones(60), np.ones(60), known, 30, 0)
    np.testing.assert_array_equal(chosen, again)


def test_doubt_leads_from_twenty_labels_on(nodes):
    doubt = np.where(np.arange(60) == 59, 0.9, 0.0)
    few, enough = np.arange(19), np.arange(20)
    alone = suggest_rows(nodes, 12, labelled=enough, unsure=doubt)
    assert alone[0] == 59 and len(set(alone.tolist())) == 12
    assert not np.isin(alone, enough).any()
    without = suggest_rows(nodes, 12, labelled=enough)
    assert without[0] != 59
    # With fewer labels the doubt weighs clusters: its row need not be the first.
    assert len(suggest_rows(nodes, 5, labelled=few, unsure=doubt)) == 5


def test_at_most_half_as_many_as_labels_are_chosen_by_doubt(nodes, monkeypatch):
    asked = []

    def noted(nodes, times, doubt, known, n, seed):
        asked.append(n)
        return helpful_nodes(nodes, times, doubt, known, n, seed)

    monkeypatch.setattr("metaplastic.suggest.order.helpful_nodes", noted)
    doubt = np.full(60, 0.5)
    found = suggest_rows(nodes, 40, labelled=np.arange(20), unsure=doubt)
    assert asked == [10] and sorted(found) == list(range(20, 60))
    suggest_rows(nodes, 4, labelled=np.arange(20), unsure=doubt)
    assert asked == [10, 4]
