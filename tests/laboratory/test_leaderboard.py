"""The leaderboard: who stands where, and what is said of it."""

from laboratory import leaderboard


def row(learner, dataset, mean, readout="ridge", shots=1):
    made = {"learner": learner, "dataset": dataset, "shots": shots, "readout": readout}
    return made | {"mean": mean, "fit_seconds": 1.25}


ROWS = [
    row("raw", "a", 0.5),
    row("raw", "a", 0.7, "logistic"),
    row("raw", "b", 0.5),
    row("base", "a", 0.7),
    row("base", "a", 0.8, "logistic"),
    row("base", "b", 0.9),
    row("labels", "a", 0.99, "own"),
    row("raw", "a", 0.9, shots=10),
]


def read(learner, reading, dataset, accuracies):
    return {"learner": learner, "reading": reading, "set": dataset, "shots": 1} | {
        "accuracies": accuracies
    }


READ = [
    read("raw", "graph", "a", [60, 80]),
    read("raw", "graph", "b", [50, 50]),
    read("base", "auto", "a", [85, 95]),
    read("base", "auto", "b", [80, 80]),
    read("base", "ridge", "a", [99, 99]),
]


def test_the_best_mean_over_all_sets_comes_first():
    board = leaderboard.board(ROWS, 1, "base")
    assert board.header == ("learner", "a", "b", "mean")
    assert board.rows[0] == ("base", "70.0 / 80.0", "90.0", "82.5")
    assert board.rows[1] == ("raw", "50.0 / 70.0", "50.0", "55.0")
    # Not on every set: no mean, and no place above those that are.
    assert board.rows[2] == ("labels", "99.0", "", "-")
    assert board.emphasised == {0}


def test_the_document_has_a_board_for_every_number_of_labels():
    content = {
        "result": {"rows": ROWS, "own": "base"},
        "settings": {"seeds": [0], "n_draws": 5},
        "provenance": {"commit": "abc", "machine": {"cores": 2}},
    }
    text = leaderboard.document(content, {"rows": READ, "provenance": {"commit": "def"}})
    assert (
        "commit def" in text and "| **base** | **auto** | **90.0** | **80.0** | **85.0** |" in text
    )
    assert "## 1 label a class" in text and "## 10 labels a class" in text
    assert "1 seeds x 5 draws" in text and "| raw | 1.2 | 1.2 |" in text


def test_readings_stand_by_their_mean_over_all_sets():
    board = leaderboard.read_board(READ, 1, "base")
    assert board.header == ("learner", "reading", "a", "b", "mean")
    # A reading that was not measured on every set has no place.
    assert board.rows == (
        ("base", "auto", "90.0", "80.0", "85.0"),
        ("raw", "graph", "70.0", "50.0", "60.0"),
    )
    assert board.emphasised == {0}
