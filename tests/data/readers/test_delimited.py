"""Text tables: what separates cells, what is a header, which labels there are, what is refused."""

import numpy as np
import pandas as pd
import pytest

from metaplastic.data import read_table
from metaplastic.errors import FileFormatError, InputError

RANDOM = np.random.default_rng(0)


@pytest.fixture
def read(tmp_path):
    def reader(content, name="a.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(path, **options)

    return reader


@pytest.fixture
def refused(read):
    def check(content, match, name="a.csv", **options):
        with pytest.raises(FileFormatError, match=match) as caught:
            read(content, name, **options)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)

    return check


def listed(table):
    return None if table.y is None else table.y.tolist()


# Labels


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["cat", "dog", "-1", "-1", "dog"], ["cat", "dog", -1, -1, "dog"]),
        (["cat", "-1.0", "dog", "cat", "cat"], ["cat", -1, "dog", "cat", "cat"]),
        (["1_1", "11", "01", "1", "1e0"], ["1_1", "11", "01", "1", "1e0"]),
        (["1", "1.0", "01", "+1", "-01"], ["1", "1.0", "01", "+1", "-01"]),
        (["01", "-1", "02", "01", "02"], ["01", -1, "02", "01", "02"]),
        (["1", "0", "-1", "12", "-3"], [1, 0, -1, 12, -3]),
        (["1.0", "0.0", "-1.0", "12.0", "0.0"], [1, 0, -1, 12, 0]),
        (["1.000e+00", "2.000e+00", "-1.000e+00"], [1, 2, -1]),
        (["+1", "-1", "+1"], [1, -1, 1]),
        (["True", "False", "True"], ["True", "False", "True"]),
        (["0.5", "1.5", "-1"], ["0.5", "1.5", -1]),
        (["99999999999999999999", "1"], ["99999999999999999999", "1"]),
        (["none", "some"], ["none", "some"]),
    ],
)
def test_labels_are_the_classes_that_are_written(read, cells, expected):
    table = read("a,label\n" + "".join(f"{i}.5,{cell}\n" for i, cell in enumerate(cells)))
    assert listed(table) == expected
    bare = read("".join(f"{i}.5,{c}\n" for i, c in enumerate(cells)), label=1, header=False)
    assert listed(bare) == expected


MISSING = ["nan", "NaN", "NA", "N/A", "null", "NULL", "None", "?", "NaT", "<NA>", "#N/A", "-nan"]


@pytest.mark.parametrize("cell", MISSING)
def test_missing_labels_are_no_class(refused, cell):
    refused(f"a,label\n1,x\n2,{cell}\n", r"row 2 has no label \(.* is a missing value\)")


def test_two_marks_of_unlabelled_rows_are_unclear(refused):
    refused("a,label\n1,x\n2,-1\n3,-1.0\n", "-1 and -1.0 both mark unlabelled rows")


# Headers


SPECTRA = pd.DataFrame(RANDOM.random((20, 5)), columns=[400, 410, 420, 430, 440])
WORDS = ["ant", "bee"] * 10


def frame(columns=None, words=True):
    table = SPECTRA.copy()
    table.columns = columns or table.columns
    return table.assign(species=WORDS) if words else table


@pytest.mark.parametrize("sep", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame(RANDOM.random((20, 4))),
        pd.DataFrame(RANDOM.integers(0, 99, (20, 4))),
        pd.DataFrame(RANDOM.random((20, 2))),
        frame(),
        frame(words=False),
        frame(["400.5", "401", "401.5", "402", "402.5"]),
        frame([4000, 3990, 3980, 3970, 3960]),
        frame()[[400, 410, "species"]],
        frame(words=False).assign(label=WORDS),
        pd.DataFrame(RANDOM.integers(0, 99, (20, 4)), columns=[400, 500, 600, 700]),
        pd.DataFrame(RANDOM.integers(0, 99, (20, 4)), columns=[1, 2, 3, 4]),
        pd.DataFrame(RANDOM.random((20, 4)), columns=[450.5, 500.5, 600.5, 700.5]),
    ],
    ids=lambda table: ",".join(map(str, table.columns)),
)
def test_names_that_are_numbers_are_no_row(read, table, sep):
    found = read(table.to_csv(index=False, sep=sep), "a.txt")
    numbers = table.select_dtypes("number")
    np.testing.assert_array_equal(found.x, numbers)
    assert found.names == tuple(map(str, numbers.columns))
    assert listed(found) == (WORDS if len(numbers.columns) < len(table.columns) else None)


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3,4\n",
        "0,1\n1,0\n1,1\n",
        "0,1,2\n2,1,0\n1,0,2\n",
        "0,1,2,3\n4,5,6,7\n8,9,10,11\n",
        "5.1,3.5\n4.9,3\n6,3\n",
        "1,2,3\n2,3,5.5\n1,1.5,2\n",
    ],
)
def test_rows_of_numbers_are_rows(read, text):
    np.testing.assert_array_equal(
        read(text).x, [[float(c) for c in line.split(",")] for line in text.split()]
    )


def test_a_rare_class_in_the_first_row_is_a_row(read):
    rows = "5.1,3.5,rare\n4.9,3,ant\n6,3,bee\n6.2,2,bee\n4,1,ant\n"
    assert listed(read(rows)) == ["rare", "ant", "bee", "bee", "ant"]


@pytest.mark.parametrize(
    "text",
    [
        "0,1\n5,3\n2,2\n",
        "5,abc,3\n1,2,3\n4,2,6\n",
        ",3,5\n1,2,3\n4,2,6\n",
        "5,7,rare\n4,3,ant\n6,3,bee\n6,2,bee\n4,1,ant\n",
    ],
)
def test_what_may_be_either_must_be_said(read, refused, text):
    refused(text, "may be names of columns or data: say --header or --no-header")
    assert len(read(text, header=True).x) == text.count("\n") - 1


def test_header_or_not_as_it_is_said(read, refused):
    np.testing.assert_array_equal(read("1,2\n3,4\n", header=True).x, [[3, 4]])
    np.testing.assert_array_equal(read("0,1\n5,3\n", header=False).x, [[0, 1], [5, 3]])
    refused("a,b\n3,4\n", "'a' is no number", header=False)


@pytest.mark.parametrize(
    ("cells", "match"),
    [
        ("5,?,3", r"column 1 \(from 0\): '\?' is missing"),
        ("5,,3", "'' is missing"),
        (",,3", "'' is missing"),
        ("NA,5,3", "'NA' is missing"),
        ('"1,005",2,3', "groups thousands"),
        ("15%,2,3", "'15%' is no plain number"),
        ("$5,2,3", "no plain number"),
        ("1 000,2,3", "no plain number"),
        ("True,2,3", "truth value"),
        ("2020-01-01,2,3", "is a date"),
        ("5,2,3,", "row {} has 4 columns, others 3"),
    ],
)
@pytest.mark.parametrize("row", [1, 2])
def test_a_first_row_is_refused_as_any_other(refused, cells, match, row):
    lines = ["1,2,3", "4,2,6", "3,1,2"]
    lines.insert(row - 1, cells)
    refused("\n".join(lines), match.format(row))
    refused("\n".join(lines), rf"row {row}\b")


def test_a_doubled_tab_is_a_missing_cell(refused):
    refused("5\t\t3\n1\t2\t3\n4\t5\t6\n", "row 1 .*'' is missing", "a.tsv")
    refused("5\t\t3\t4\n1\t2\t3\n4\t5\t6\n", "row 1 has 4 columns, others 3", "a.tsv")
    refused("1\t2\t3\n5\t\t3\t4\n4\t5\t6\n", "row 2 has 4 columns, others 3", "a.txt")


# Quotes


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('1,"x\n2,y\n3,y\n4,x\n', 1),
        ('1,"x\n2,y\n3,"y\n4,x\n', 1),
        ('1,"x\n2,y\n3,y"\n4,x\n', 1),
        ('a,label\n1,x\n2,"y\n3,y\n4,x\n', 2),
        ('1;"x\n2;y\n3;y\n', 1),
        ('1 "x\n2 y\n3 y\n', 1),
        ('"a,label\n1,x\n2,y\n', 1),
        ('a,label\n1,"x\n2,y\n3,x\n', 1),
        ('a,b,label\n1,"2,x\n2,3,y\n', 1),
    ],
)
def test_a_quote_that_does_not_close_is_named_where_it_opens(refused, text, row):
    refused(text, rf"row {row} \(line .* opens a quote", "a.txt")


def test_quotes_in_texts_and_inches_in_labels(read, refused):
    refused('t,label\n"good,x\nbad,y\n', "row 1 .*opens a quote", text="t")
    assert listed(read('a,label\n1,5" pipe\n2,"6"" pipe"\n')) == ['5" pipe', '6" pipe']


# Delimiters and decimal marks


DECIMAL_COMMAS = [
    ("1,5;cat\n2,5;dog\n3,5;cat\n", [[1.5], [2.5], [3.5]]),
    ("a;b\n1;2\n-3,5;4\n", [[1, 2], [-3.5, 4]]),
    ("1,5\t2,5\n3,5\t4\n", [[1.5, 2.5], [3.5, 4]]),
    ("1,5 cat\n2,5 dog\n", [[1.5], [2.5]]),
    ("a|label\n1,5|x\n2|y\n", [[1.5], [2]]),
    ("1,5e3;1\n2;3\n", [[1500, 1], [2, 3]]),
]


@pytest.mark.parametrize(("text", "x"), DECIMAL_COMMAS)
def test_decimal_commas_are_named_and_read_if_asked_for(read, refused, text, x):
    refused(text, "decimal comma; give --decimal", "a.txt")
    np.testing.assert_array_equal(read(text, "a.txt", decimal=",").x, x)


def test_decimal_commas_in_quotes(read, refused):
    text = '"1,5","2,5"\n"3,5","4"\n'
    refused(text, "stands for the decimal point")
    np.testing.assert_array_equal(read(text, decimal=",").x, [[1.5, 2.5], [3.5, 4]])
    np.testing.assert_array_equal(read("1,5\n2,5\n", decimal=",").x, [[1.5], [2.5]])
    refused("a;b\n1.234;2\n3,5;4\n", "'1.234' has a point", decimal=",")
    with pytest.raises(InputError, match="decimal= is"):
        read(text, decimal="'")


@pytest.mark.parametrize(
    ("text", "name", "labels"),
    [
        ('a\tlabel\n1\t"x, y, z"\n2\t"p, q"\n', "a.tsv", ["x, y, z", "p, q"]),
        ("a\tlabel\n1\tx, y, z\n2\tp, q\n", "a.tsv", ["x, y, z", "p, q"]),
        ('a;label\n1;"x, y, z"\n2;"p;q"\n', "a.csv", ["x, y, z", "p;q"]),
        ('a,label\n1,"x;y|z"\n2,"p q\tr"\n', "a.csv", ["x;y|z", "p q\tr"]),
        ('1 "big cat"\n2 dog\n', "a.txt", ["big cat", "dog"]),
        ("a|label\n1|x, y\n2|z\n", "a.txt", ["x, y", "z"]),
    ],
)
def test_labels_may_hold_other_delimiters(read, text, name, labels):
    table = read(text, name)
    assert listed(table) == labels
    np.testing.assert_array_equal(table.x, [[1], [2]])


@pytest.mark.parametrize("text", ["1 2 3\n4 5 6\n", "  1   2 3\n  4 5   6\n", "1|2|3\n4|5|6\n"])
def test_spaces_and_bars_separate_cells(read, text):
    np.testing.assert_array_equal(read(text, "a.txt").x, [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize("suffix", ["csv", "tsv", "txt", "data", "csv.gz"])
def test_utf16_old_line_ends_and_other_endings(read, suffix):
    text = "a\tb\r1\t2\r3\t4\r"
    found = read(text.encode("utf-16"), f"a.{suffix}")
    np.testing.assert_array_equal(found.x, [[1, 2], [3, 4]])
    assert found.names == ("a", "b")


def test_truth_values_are_numbers_where_a_column_has_no_others(read, refused):
    table = read("a,b,label\n1,True,x\n2,False,y\n")
    np.testing.assert_array_equal(table.x, [[1, 1], [2, 0]])
    np.testing.assert_array_equal(read("TRUE,1\nfalse,2\n").x, [[1, 1], [0, 2]])
    refused("a,b\n1,True\n2,0.5\n", "'True' is a truth value where other rows hold numbers")


def test_the_index_of_a_saved_frame_is_no_feature(read):
    table = pd.DataFrame({"a": [1.5, 2.5, 3.5], "label": ["x", "y", "x"]}).iloc[[2, 0, 1]]
    found = read(table.to_csv())
    np.testing.assert_array_equal(found.x, table[["a"]])
    assert (found.names, listed(found)) == (("a",), ["x", "x", "y"])
    assert "index of a saved frame" in found.remarks[0]
    numbers = pd.DataFrame(RANDOM.random((9, 3)))
    np.testing.assert_array_equal(read(numbers.to_csv()).x, numbers)


def test_a_last_column_of_words_is_the_label_but_not_one_of_texts(read, refused):
    table = read("size,species\n1,ant\n2,bee\n3,-1\n")
    assert listed(table) == ["ant", "bee", -1]
    assert table.remarks == ("labels: the last column (species), which holds words",)
    text = "id,text\n" + "".join(f"{i},hello {i}\n" for i in range(60))
    refused(text, "column 'text' holds 60 words in 60 rows, so it is not taken for labels")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n1,2\n3\n", r"row 2 has 1 columns, others 2 \(line 3\)"),
        ("a,b\n1,2\n3,red\n4,5\n", r"row 2 \(line 3\), column 'b': 'red' is no number; name the"),
        ("a,b\n\n1,2\n3,\n", r"row 2 \(line 4\), column 'b': '' is missing"),
        ("1,2\n,\n3,4\n", "row 2"),
        ("a,b\n1,2,3\n5,6,7\n", "R's write.table"),
        ("a,b\n1_0,2\n3,4\n", "'1_0' is no"),
        ("a\0,b\n1,2\n", "NUL"),
        ("é,b\n1,2\n".encode("latin-1"), "save it as UTF-8"),
    ],
)
def test_messages_count_rows_from_one_and_name_columns(refused, text, match):
    refused(text, match)


def test_texts_longer_than_the_csv_module_allows(read):
    table = read('t,label\n"' + "word " * 40_000 + '",x\nb,y\n', text="t")
    assert table.x[0].max() == 40_000


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_texts_full_of_other_delimiters(read, separator):
    rows = [["t", "label"], ['"good; very, fine | or\tso"', "x"], ['"bad"', "y"]]
    table = read("\n".join(separator.join(row) for row in rows), "a.txt", text="t")
    assert listed(table) == ["x", "y"]
    assert table.x.sum() == 6
