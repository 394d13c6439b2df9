"""Texts become counts of words; the words are those of the texts that were learned from."""

import csv

import numpy as np
import pytest

from metaplastic.data import read_table
from metaplastic.data.texts import N_WORDS, Words, bag_of_words
from metaplastic.errors import FileFormatError, InputError

ROWS = [
    ("good, good film<br />", "pos", 1),
    ("It\N{RIGHT SINGLE QUOTATION MARK}s bad", "neg", 2),
    ("", "neg", 3),
]


@pytest.fixture(params=["csv", "tsv", "parquet"])
def table(tmp_path, request):
    path = tmp_path / f"a.{request.param}"
    header = ["review", "label", "length"]
    if request.param == "parquet":
        pa = pytest.importorskip("pyarrow")
        columns = dict(zip(header, map(list, zip(*ROWS, strict=True)), strict=True))
        pytest.importorskip("pyarrow.parquet").write_table(pa.table(columns), path)
        return path
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="," if request.param == "csv" else "\t")
        writer.writerows([header, *ROWS])
    return path


def test_a_column_of_texts_is_counted(table):
    x, y, words = read_table(table, text="review")
    assert isinstance(words, Words)
    assert words == ("good", "bad", "film", "it's")
    np.testing.assert_array_equal(x, [[2, 0, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0]])
    assert y.tolist() == ["pos", "neg", "neg"]
    by_number = read_table(table, text=0, label="length")
    np.testing.assert_array_equal(by_number.x, x)
    assert by_number.y.tolist() == [1, 2, 3]


def test_given_words_are_counted_and_no_others(table):
    x, _, words = read_table(table, text="review", words=["bad", "film", "unheard"])
    assert words == ("bad", "film", "unheard")
    np.testing.assert_array_equal(x, [[0, 1, 0], [1, 0, 0], [0, 0, 0]])


def test_given_words_are_counted_in_a_folder(tmp_path):
    (tmp_path / "a.txt").write_text("new words, old words")
    x, _, words = read_table(tmp_path, words=["words", "old", "gone"])
    assert isinstance(words, Words)
    np.testing.assert_array_equal(x, [[2, 1, 0]])


def test_only_the_commonest_words_are_counted():
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [a + b + c for a in letters for b in letters for c in "ab"][:1200]
    # Of 1,200 words every sixth is said once, the others twice.
    texts = [" ".join([word] * (1 if i % 6 == 0 else 2)) for i, word in enumerate(words)]
    counts, counted = bag_of_words(texts, "here", n_words=1000)
    assert counts.shape == (1200, 1000) and N_WORDS == 4000
    assert counted == tuple(sorted(word for i, word in enumerate(words) if i % 6))
    np.testing.assert_array_equal(counts.sum(1), [0 if i % 6 == 0 else 2 for i in range(1200)])
    fewer, first = bag_of_words(texts, "here", n_words=3)
    assert first == counted[:3]
    np.testing.assert_array_equal(fewer, counts[:, :3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "reviews"}, "no column 'reviews'; its 3 columns are review, label, length"),
        ({"text": "label"}, "column 'label' cannot be both text and label"),
        ({"text": "review", "words": "good"}, "words must be a list of strings"),
        ({"text": "review", "words": ["a", "a"]}, "words must be different ones"),
        ({"text": "review", "words": []}, "at least one, got 0"),
        ({"text": "review", "words": [3]}, "words must be a list of strings"),
    ],
)
def test_options_that_do_not_fit(table, options, message):
    with pytest.raises(InputError, match=message):
        read_table(table, **options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"review\n", "a header and a row"),
        (b"", "a header and a row"),
        (b"review,label\na,b,c\n", "row 1 has 3 cells, the header 2; quote texts"),
        (b"review\n1 2 3\n", "its texts hold no words"),
        (b"review\n\xff\xfe\n", "not a table of texts"),
        (b"review,label\na,x\nb,\n", "row 2 has no label"),
    ],
)
def test_bad_tables_of_texts(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_table(tmp_path / "a.csv", text="review")
    assert "\n" not in str(caught.value)


def test_a_missing_text_is_named(tmp_path):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"t": ["a", None]})
    pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / "a.parquet")
    with pytest.raises(FileFormatError, match="row 2 has no text in column 't'"):
        read_table(tmp_path / "a.parquet", text="t")


def test_text_goes_with_tables(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 2)))
    with pytest.raises(InputError, match="text= goes with"):
        read_table(tmp_path / "a.npy", text="t")
