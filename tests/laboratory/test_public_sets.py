"""Results kept beside new ones: only if raw inputs say that pools and draws are the same."""

import dataclasses

import pytest

from laboratory import public_sets
from laboratory.study import find
from metaplastic.errors import InputError, MissingDataError
from metaplastic.evaluation import from_json


@pytest.fixture
def records():
    text = (find("040") / "result.json").read_text()
    return [r for r in from_json(text)[0] if r.dataset == "wine"]


def changed(records, alter):
    """The records with the draws of `raw` altered."""
    return [
        dataclasses.replace(r, draws=tuple(alter(seed) for seed in r.draws))
        if r.learner == "raw"
        else r
        for r in records
    ]


def test_a_test_row_here_and_there_is_rounding(records):
    def nudge(draws):
        return (draws[0] + 0.004, *draws[1:])

    new = [r for r in changed(records, nudge) if r.learner in ("raw", "base")]
    found = public_sets.merged(new, records)
    assert {r.learner for r in found} == {r.learner for r in records}


@pytest.mark.parametrize(
    "alter",
    [
        lambda draws: tuple(d + 0.004 for d in draws),
        lambda draws: (draws[0] + 0.02, *draws[1:]),
        lambda draws: draws[:-1],
        lambda draws: draws[::-1],
    ],
    ids=["all a little", "one much", "fewer", "other order"],
)
def test_other_draws_are_refused(records, alter):
    with pytest.raises(InputError, match="anew"):
        public_sets.merged(changed(records, alter), records)


def test_a_set_that_is_missing_is_left_out_unless_learners_are_named(monkeypatch, capsys):
    def missing(name):
        raise MissingDataError(f"no {name} here")

    monkeypatch.setattr(public_sets, "load", missing)
    assert public_sets.measure_set("wine", quick=True) == []
    assert "no wine here" in capsys.readouterr().err
    with pytest.raises(MissingDataError, match="no wine here"):
        public_sets.measure_set("wine", quick=True, only=("raw",))
