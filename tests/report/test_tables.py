import math

import pytest

from metaplastic.errors import InputError
from metaplastic.evaluation import Record
from metaplastic.report import Table, comparison_table, protocol_note


def record(learner, readout, mean, error=0.004, *, dataset="digits", shots=10, **other):
    fields = {"n_seeds": 3, "n_draws": 30, "fit_seconds": 1.25, "transform_seconds": 0.031}
    fields |= {"n_features": 32, "draws": ((mean,),)} | other
    return Record(learner, dataset, shots, readout, mean, error, **fields)


RECORDS = [
    record("raw", "ridge", 0.7471, n_features=196),
    record("raw", "logistic", 0.7523, 0.0061, n_features=196),
    record("base", "ridge", 0.8604, fit_seconds=12.4),
    record("base", "logistic", 0.8555, fit_seconds=12.4),
]


def test_every_rendering_holds_the_given_numbers():
    table = comparison_table(RECORDS, emphasise=("base",))
    assert table.header == ("learner", "ridge %", "logistic %", "features", "fit s", "transform s")
    assert table.rows == (
        ("raw", "74.7 ± 0.4", "75.2 ± 0.6", "196", "1.2", "0.03"),
        ("base", "86.0 ± 0.4", "85.5 ± 0.4", "32", "12", "0.03"),
    )
    for text in (table.text(), table.markdown(), table.html()):
        for row in table.rows:
            assert all(cell in text for cell in row)
        assert "3 seeds x 30 draws, 10 labels a class" in text


def test_text_columns_line_up():
    lines = comparison_table(RECORDS).text().splitlines()
    ends = [line.index("%") for line in lines[:1]] + [
        line.index("±") + len("± 0.4") - 1 for line in lines[2:4]
    ]
    assert len(set(ends)) == 1
    assert len(set(map(len, lines[:4]))) == 1


def test_markdown_rows_have_one_cell_a_column_and_bold_emphasis():
    lines = comparison_table(RECORDS, emphasise=("base",)).markdown().splitlines()
    assert {line.count("|") for line in lines[:4]} == {7}
    assert lines[3].startswith("| **base** | **86.0 ± 0.4** |")
    assert "**" not in lines[2]


def test_pipes_and_markup_in_names_are_escaped():
    table = Table(("a", "b"), (("x|<y>", "1"),))
    assert "x\\|<y>" in table.markdown()
    assert "x|&lt;y&gt;" in table.html() and "<y>" not in table.html()


def test_data_set_and_shots_are_columns_where_they_vary():
    more = [
        *RECORDS,
        record("raw", "ridge", 0.5, shots=1),
        record("raw", "ridge", 0.9, dataset="w"),
    ]
    table = comparison_table(more)
    assert table.header[:3] == ("learner", "data set", "labels a class")
    assert table.rows[2][:6] == ("raw", "digits", "1", "50.0 ± 0.4", "-", "32")


def test_an_unknown_error_is_left_out():
    assert comparison_table([record("a", "ridge", 0.5, math.nan)]).rows[0][1] == "50.0"


def test_the_note_counts_in_words():
    one = [record("a", "ridge", 0.5, n_seeds=1, n_draws=1, shots=1)]
    assert protocol_note(one).endswith("over 1 seed x 1 draw, 1 label a class.")


def test_bad_input():
    with pytest.raises(InputError, match="at least one record"):
        comparison_table([])
    with pytest.raises(InputError, match="row of 1 cells"):
        Table(("a", "b"), (("x",),))
