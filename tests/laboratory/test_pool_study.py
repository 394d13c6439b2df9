"""Comparing rules: what the rows are called, and that none hides another."""

import sys
from pathlib import Path

import pytest

from metaplastic.errors import InputError
from metaplastic.learners import Raw
from metaplastic.rules import load_rule

RESULTS = Path(__file__).parents[2] / "docs" / "results"


@pytest.fixture
def defaults(benchmark):
    return benchmark("defaults")


def test_rules_of_runs_are_called_as_their_run_and_with_their_nonlinearity(defaults):
    rules = ["base", *(str(RESULTS / f"stage{n}" / "rule.safetensors") for n in (10, 11))]
    cases = defaults.cases(rules, ["auto", "sine"], [None], [None])
    found = {label: learner for label, learner, _ in cases}
    assert list(found)[3:] == [
        *("base", "base, sine", "stage10", "stage10, sine", "stage11", "stage11, sine")
    ]
    assert found["stage10"].activation == "auto"
    assert found["stage11, sine"].activation == "sine"
    assert found["stage10"].rule is not found["stage11"].rule


def test_a_share_of_inputs_holds_while_its_row_is_measured(defaults):
    found = list(defaults.cases(["base"], ["auto"], [None, 0.125], [None]))[3:]
    assert [label for label, _, _ in found] == ["base", "base, 12.5% inputs"]
    counts = []
    for _, learner, circumstances in found:
        with circumstances:
            counts.append([learner.n_direct(n) for n in (30, 196)])
    assert counts == [[240, 128], [60, 64]]
    assert learner.n_direct(196) == 128


def test_a_rule_is_measured_with_inputs_whitened_by_another_power(defaults):
    found = list(defaults.cases(["base"], ["auto"], [None], [None, 0.0, 0.25]))[3:]
    assert [label for label, *_ in found][1:] == ["base, whitened by 0.0", "base, whitened by 0.25"]
    powers = [learner.rule.whitening for _, learner, _ in found]
    assert powers == [load_rule("base").whitening, 0.0, 0.25]
    assert found[2][1].rule.suited(sparse=True).whitening == 0.0
    with pytest.raises(InputError, match="only local rules"):
        list(defaults.cases(["oja"], ["auto"], [None], [0.25]))


def test_two_rows_of_one_name_are_refused_before_anything_is_measured(
    defaults, monkeypatch, capsys
):
    monkeypatch.setattr(defaults, "measure", lambda *_: pytest.fail("measured"))
    monkeypatch.setattr(sys, "argv", ["defaults.py", "--rule", "base", "base", "--quick"])
    with pytest.raises(SystemExit, match="2"):
        defaults.main()
    assert "one name" in capsys.readouterr().err


def test_a_pool_has_as_many_rows_as_asked_for(defaults, monkeypatch):
    sizes, draw = [], defaults.validation_pool

    def drawn(*args):
        pool = draw(*args)
        sizes.append(len(pool.y))
        return pool

    monkeypatch.setattr(defaults, "validation_pool", drawn)
    found = defaults.measure(Raw(), "manifold", 1, (3,), 300)
    assert sizes == [300]
    assert 10 < found["ridge"][0] < 100
