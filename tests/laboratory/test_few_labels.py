"""The parts that studies on few labels rest on: draws of labels, calibration, the table."""

import numpy as np

from laboratory import few_labels


def test_draws_label_so_many_rows_a_class_and_test_on_others():
    y = np.repeat([0, 1, 2], [10, 20, 30])
    found = few_labels.draws(y, 3, 5, max_test=40)
    assert len(found) == 5
    for draw in found:
        labelled = draw.labels != -1
        np.testing.assert_array_equal(draw.labels[labelled], y[labelled])
        np.testing.assert_array_equal(np.bincount(y[labelled]), [3, 3, 3])
        assert len(draw.test) == 40
        assert not labelled[draw.test].any()
    assert any(np.any(draw.labels != found[0].labels) for draw in found[1:])
    assert few_labels.draws(y, 10, 5, max_test=40) == []  # a class would have none to test on


def test_calibration_error_is_that_of_known_predictions(script):
    calibration = script("042")
    generator = np.random.default_rng(0)
    sure = generator.uniform(0.5, 1, 20_000)
    probabilities = np.column_stack([sure, 1 - sure])
    honest = (generator.random(20_000) > sure).astype(int)
    _, numbers = calibration.reliability(probabilities, honest)
    assert numbers["calibration_error"] < 0.02
    np.testing.assert_allclose(numbers["confidence"], 0.75, atol=0.01)
    bins, numbers = calibration.reliability(probabilities, np.zeros(20_000, int))
    np.testing.assert_allclose(numbers["calibration_error"], 0.25, atol=0.01)
    assert numbers["accuracy"] == 1
    assert sum(count for _, _, count in bins) == 20_000


def test_the_comparison_says_where_it_is_lost(script):
    practitioner = script("041")
    rows = []
    for name in practitioner.METHODS:
        for data in ("won", "lost"):
            value = 90.0 if (name == practitioner.OURS) == (data == "won") else 80.0
            row = {"set": data, "method": name, "shots": 10, "seconds": 1.0}
            rows.append(row | {"accuracies": [value, value + 1]})
    table = practitioner.table_of(rows, 2)
    assert "read our features in 1 of 2 rows: lost with 10" in table.note
    column = table.header.index(practitioner.OURS)
    assert [row[column] for row in table.rows] == ["*90.5", "80.5"]
    means = practitioner.means_of(rows, ["TabPFN"])
    other = next(row for row in means.rows if row[0] == "logistic regression")
    assert means.rows[0][1] == "85.5" and other[1] == "85.5 (+0.0 ± 0.0)"
    assert means.note.endswith("Not run: TabPFN.")
