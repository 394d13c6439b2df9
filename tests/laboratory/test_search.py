"""The search of settings: one after another, the best kept, nothing measured but what is tried."""

import json

import pytest

from laboratory.study import find


@pytest.fixture
def search(script):
    return script("044")


def test_one_setting_after_another_is_varied_and_the_best_kept(search):
    case = search.Case(dict, {"a": 0, "b": 0}, {"a": (1, 2), "b": (3, 4)})
    seen = []

    def tried(changes):
        settings = case.learner(changes)
        seen.append((settings["a"], settings["b"]))
        return -((settings["a"] - 1) ** 2) - (settings["b"] - 4) ** 2

    found = list(search.search(case, tried))
    assert seen == [(0, 0), (1, 0), (2, 0), (1, 3), (1, 4)]
    assert [top for _, top in found] == [-17, -16, -16, -1, 0]
    assert found[-1][0] == {"a": 1, "b": 4}


def test_defaults_are_those_that_the_search_chose(search):
    chosen = json.loads((find("044") / "result.json").read_text())["chosen"]
    assert set(chosen) == set(search.CASES)
    for name, settings in chosen.items():
        case = search.CASES[name]
        assert set(settings) == set(case.start)
        assert case.make() == case.make(**settings), name


def test_the_first_of_those_close_to_the_best_is_chosen(search):
    scores = {"a": 80.0, "b": 84.95, "c": 85.0, "d": 84.0}
    rows = {
        key: {"learner": "vae", "settings": {"key": key}, "score": score}
        for key, score in scores.items()
    }
    assert search.chosen_of(rows) == {"vae": {"key": "b"}}


def test_the_score_is_the_mean_over_pools_and_readouts(search):
    found = {"p": {"ridge": 80.0, "logistic": 90.0, "seconds": 7.0}, "q": {"own": 40.0}}
    assert search.score(found) == 70.0
