"""Learners on pools: sizes, tables, and that what is varied is a setting of the preset."""

import dataclasses
import types

import pytest

from laboratory import pool_study
from laboratory.pool_study import measure_on_pools, pool_table, rules_of
from laboratory.pools import validation_pool
from laboratory.rules import (
    learner_of,
    stage_rule,
    with_order,
    with_share,
    with_whitening,
)
from metaplastic.errors import InputError
from metaplastic.learners import Raw
from metaplastic.presets import load_preset


def call(quick):
    saved = []
    return types.SimpleNamespace(quick=quick, save=saved.append), saved


@pytest.fixture
def pools(monkeypatch):
    """The pools that were asked for; accuracies are made up, one half for every draw."""
    asked = []

    def drawn(kind, seed, n_rows):
        asked.append((kind, seed, n_rows))
        return kind

    def judged(learners, pool, *, shots, n_draws, seeds):
        assert list(learners) == [pool]
        name = types.SimpleNamespace
        return [name(readout=r, mean=0.5) for _ in shots for r in ("ridge", "logistic")]

    monkeypatch.setattr(pool_study, "validation_pool", drawn)
    monkeypatch.setattr(pool_study, "evaluate", judged)
    return asked


def test_quick_is_one_small_pool_of_the_last_kind(pools):
    quick, saved = call(quick=True)
    kinds = ("manifold", "prototypes")
    found = measure_on_pools(quick, {"raw": Raw()}, kinds, n_pools=3, shots=(3,))
    assert pools == [("prototypes", 0, 300)]
    assert found == {"raw": {"prototypes": {"ridge": [50.0], "logistic": [50.0]}}}
    assert saved == [{"rows": found}]


def test_every_learner_is_measured_on_all_pools(pools):
    whole, saved = call(quick=False)
    learners = {"raw": Raw(), "again": Raw()}
    found = measure_on_pools(whole, learners, ("a", "b"), n_pools=2, shots=(1, 10), n_rows=200)
    assert pools == 2 * [(kind, seed, 200) for kind in ("a", "b") for seed in (0, 1)]
    assert [len(found["raw"][kind]["logistic"]) for kind in ("a", "b")] == [4, 4]
    assert len(saved) == len(learners)


@pytest.mark.slow
def test_pools_are_those_of_their_kind_and_seed():
    small = [validation_pool("small blobs, 13 columns", seed) for seed in (0, 0, 1)]
    assert small[0].x.shape == (200, 13)
    assert (small[0].x == small[1].x).all() and (small[0].x != small[2].x).any()


def test_a_table_has_the_chosen_rows_in_order_with_means():
    rows = {
        name: {"a": {"ridge": [x, x + 2], "logistic": [x, x]}, "b": {"ridge": [x], "logistic": [x]}}
        for name, x in (("one", 10.0), ("two", 20.0), ("three", 30.0))
    }
    names = {"three": "III", "missing": "-", "one": "I"}
    table = pool_table(rows, names=names, bold="one", n_pools=2)
    assert table.header == ("", "a", "b", "mean")
    assert table.rows[0] == ("III", "31.0 / 30.0", "30.0 / 30.0", "30.2")
    assert [row[0] for row in table.rows] == ["III", "I"] and table.emphasised == {1}
    assert "2 pools of 2,000 rows" in table.note
    assert [row[0] for row in pool_table(rows, n_pools=1).rows] == list(rows)


def test_learners_have_the_rules_of_the_stages():
    found = rules_of("base", "stage18", "stage27")
    shipped = load_preset("base")
    assert found["base"].preset.rules.main is not None
    assert found["base"].preset.networks == shipped.networks
    rules = [learner.preset.rules.main for learner in found.values()]
    assert not (rules[1].element_in == rules[2].element_in).all()
    # Everything else is that of the preset that ships, but the whitening that the file names.
    unwhitened = dataclasses.replace(shipped.presentation, whitening=0.0)
    assert found["stage18"].preset.presentation == unwhitened
    assert found["stage27"].preset.presentation == shipped.presentation
    assert found["stage18"].preset.direct == shipped.direct
    with pytest.raises(InputError, match="0 studies have a rule of stage99"):
        stage_rule("stage99")


def test_what_is_varied_is_a_setting_of_the_preset():
    base = load_preset("base")
    assert learner_of(n_networks=2, direct=False).preset.networks.n_networks == 2
    assert learner_of(direct=False).preset.direct.count(196, 512) == 0
    assert [with_share(base, 0.125).direct.count(n, 512) for n in (30, 196)] == [60, 64]
    other = with_order(base, 2)
    assert (other.presentation.order, other.sparse_presentation.order) == (2, 2)
    other = with_whitening(base, 0.0)
    assert other.presentation.whitening == 0.0 and base.presentation.whitening == 0.25
    assert other.sparse_presentation == base.sparse_presentation
