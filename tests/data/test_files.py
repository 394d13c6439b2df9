import csv
import gzip
import struct

import numpy as np
import pytest
from scipy import sparse

from metaplastic.data import read_table
from metaplastic.data.idx import read_idx
from metaplastic.errors import FileFormatError, InputError, MissingDataError

X = np.array([[1.0, 2.5, 0.0], [4.0, 5.0, 6.0], [7.0, 8.0, -9.0], [0.5, 0.0, 0.0]])
Y = np.array([3, 1, 1, -1])


def write_idx(path, values, compress=False):
    codes = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    code = codes[values.dtype.str[1:]]
    content = bytes([0, 0, code, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    content += values.astype(values.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(content) if compress else content)
    return content


def listed(y):
    assert y is not None
    return y.tolist()


def refused(path, match, **arguments):
    """The file is refused with one line that names it."""
    with pytest.raises(FileFormatError, match=match) as caught:
        read_table(path, **arguments)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# NumPy's own formats


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", X)
    x, y, names = read_table(tmp_path / "a.npy")
    np.testing.assert_array_equal(x, X)
    assert y is None
    assert names is None


def test_images_in_npy_are_flattened_and_keep_their_type(tmp_path):
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.save(tmp_path / "a.npy", images)
    x = read_table(tmp_path / "a.npy").x
    assert x.dtype == np.uint8
    np.testing.assert_array_equal(x, images.reshape(2, 12))


@pytest.mark.parametrize("key", ["X", "x"])
def test_npz_with_labels(tmp_path, key):
    np.savez_compressed(tmp_path / "a.npz", **{key: X, "y": Y, "other": np.zeros(2)})
    x, y, _ = read_table(tmp_path / "a.npz")
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_npz_with_one_array_and_with_words_as_labels(tmp_path):
    np.savez(tmp_path / "one.npz", features=X)
    assert read_table(tmp_path / "one.npz").y is None
    np.savez(tmp_path / "words.npz", X=X, y=np.array(["b", "a", "a", "c"]))
    assert listed(read_table(tmp_path / "words.npz").y) == ["b", "a", "a", "c"]


def test_sparse_npz(tmp_path):
    sparse.save_npz(tmp_path / "a.npz", sparse.csc_matrix(X))
    x = read_table(tmp_path / "a.npz").x
    assert x.format == "csr"
    np.testing.assert_array_equal(x.toarray(), X)


def test_sparse_npz_whose_indices_lie_is_refused(tmp_path):
    matrix = sparse.csr_matrix(X)
    parts = {"indptr": matrix.indptr, "data": matrix.data, "shape": X.shape, "format": b"csr"}
    np.savez(tmp_path / "a.npz", indices=matrix.indices + 1000, **parts)
    refused(tmp_path / "a.npz", "not a NumPy file")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_objects_are_not_unpickled(tmp_path, name):
    objects = np.array([{"a": 1}, None], dtype=object)
    if name == "a.npy":
        np.save(tmp_path / name, objects, allow_pickle=True)
    else:
        np.savez(tmp_path / name, X=objects)
    refused(tmp_path / name, "not a NumPy file")


def test_npz_without_a_known_name_says_what_it_holds(tmp_path):
    np.savez(tmp_path / "a.npz", train=X, test=X)
    refused(tmp_path / "a.npz", "it holds test, train")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_truncated_numpy_files(tmp_path, name):
    path = tmp_path / name
    if name == "a.npy":
        np.save(path, X)
    else:
        np.savez(path, X=X, y=Y)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        refused(path, "not a NumPy file")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.array([[1.0, np.nan]]), "NaN or infinity"),
        (np.array([[np.inf, 1.0]]), "NaN or infinity"),
        (np.array([["a", "b"]]), "not numbers"),
        (np.array([[1j]]), "not numbers"),
        (np.zeros(3), "shape"),
        (np.zeros((0, 3)), "shape"),
        (np.zeros((3, 0)), "shape"),
        (np.array(3.0), "shape"),
    ],
)
def test_arrays_that_are_no_table(tmp_path, values, match):
    np.save(tmp_path / "a.npy", values)
    refused(tmp_path / "a.npy", match)


def test_what_is_not_finite_is_counted_and_placed(tmp_path, monkeypatch):
    monkeypatch.setattr("metaplastic.data.checks._NUMBERS_AT_ONCE", 6)
    x = np.ones((7, 3))
    x[2, 1] = x[2, 2] = np.nan
    x[5, 0] = np.inf
    np.save(tmp_path / "a.npy", x)
    refused(tmp_path / "a.npy", r"in 2 of 7 rows, first in row 3, column 1 \(from 0\)")
    sparse.save_npz(tmp_path / "a.npz", sparse.csr_matrix(x))
    refused(tmp_path / "a.npz", r"in 2 of 7 rows, first in row 3, column 1 \(from 0\)")
    write(tmp_path / "a.csv", "u,v\n1,2\n3,nan\n")
    refused(tmp_path / "a.csv", "in 1 of 2 rows, first in row 2, column 'v'; drop or fill")


def test_labels_that_do_not_fit(tmp_path):
    np.savez(tmp_path / "a.npz", X=X, y=Y[:2])
    refused(tmp_path / "a.npz", "4 rows")


# CSV


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_csv_with_header_and_label(tmp_path):
    path = write(tmp_path / "a.csv", "a,Target,b\n1,0,2.5\n3,1,-4\n")
    x, y, names = read_table(path)
    np.testing.assert_array_equal(x, [[1, 2.5], [3, -4]])
    np.testing.assert_array_equal(y, [0, 1])
    assert y is not None
    assert y.dtype == np.int64
    assert names == ("a", "b")


def test_csv_without_header(tmp_path):
    x, y, names = read_table(write(tmp_path / "a.csv", "1,2\n3,4\n"))
    np.testing.assert_array_equal(x, [[1, 2], [3, 4]])
    assert y is None
    assert names is None


def test_csv_as_iris_is_distributed(tmp_path):
    x, y, names = read_table(write(tmp_path / "a.csv", "5.1,3.5,setosa\r\n4.9,3,virginica\r\n\r\n"))
    np.testing.assert_array_equal(x, [[5.1, 3.5], [4.9, 3]])
    assert listed(y) == ["setosa", "virginica"]
    assert names is None


def test_csv_with_numbers_as_names_of_pixels(tmp_path):
    x, y, names = read_table(write(tmp_path / "a.csv", "label,0,1\n7,10,20\n"))
    np.testing.assert_array_equal(x, [[10, 20]])
    assert listed(y) == [7]
    assert names == ("0", "1")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_delimiters_quotes_and_byte_order_mark(tmp_path, delimiter):
    path = tmp_path / "a.csv"
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerows([["a\nname", "kind", "b"], ["1", "x y", "2"], ["3", "z, w", "4e1"]])
    x, y, names = read_table(path, label="kind")
    np.testing.assert_array_equal(x, [[1, 2], [3, 40]])
    assert listed(y) == ["x y", "z, w"]
    assert names == ("a\nname", "b")


@pytest.mark.parametrize(
    ("label", "expected"), [("b", [2, 4]), (1, [2, 4]), (-1, [2, 4]), ("0", [1, 3])]
)
def test_csv_label_by_name_or_number(tmp_path, label, expected):
    path = write(tmp_path / "a.csv", "a,b\n1,2\n3,4\n")
    assert listed(read_table(path, label=label).y) == expected


@pytest.mark.parametrize("label", ["c", 2, -3])
def test_csv_label_that_is_not_there(tmp_path, label):
    path = write(tmp_path / "a.csv", "a,b\n1,2\n3,4\n")
    with pytest.raises(InputError, match="its 2 columns are a, b"):
        read_table(path, label=label)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("a,b\n", "no rows"),
        ("1,2\n3\n", "columns"),
        ("1,2\n3,4,5\n", "columns"),
        ("1,2\n3,x\n", "x"),
        ("1,2\n3,\n", "not a table of numbers"),
        ("1,2\n3,nan\n", "NaN"),
        ("a,label\n1,2\n3,\n", "row 2 has no label"),
        ("label\n2\n", "shape"),
    ],
)
def test_bad_csv(tmp_path, text, match):
    refused(write(tmp_path / "a.csv", text), match)


def test_csv_in_another_encoding(tmp_path):
    refused(write(tmp_path / "a.csv", "größe,b\n1,2\n", "latin-1"), "not a table")


def test_binary_called_csv(tmp_path):
    (tmp_path / "a.csv").write_bytes(bytes(range(256)) * 4)
    refused(tmp_path / "a.csv", "not a table")


# Parquet


def write_parquet(path, columns):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table(columns), path)
    return path


def test_parquet(tmp_path):
    path = write_parquet(
        tmp_path / "a.parquet", {"a": [1, 2], "class": ["u", "v"], "b": [0.5, 1.5]}
    )
    x, y, names = read_table(path)
    np.testing.assert_array_equal(x, [[1, 0.5], [2, 1.5]])
    assert listed(y) == ["u", "v"]
    assert names == ("a", "b")
    assert listed(read_table(write_parquet(path, {"a": [1, 2], "b": [3, 4]}), label="b").y) == [
        3,
        4,
    ]


def test_bad_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    refused(write_parquet(path, {"a": ["x", "y"], "b": [1, 2]}), "'a' holds string")
    refused(write_parquet(path, {"a": [1, None]}), "missing values")
    refused(write_parquet(path, {"y": [1, 2]}), "no column of numbers")
    refused(write_parquet(path, {"a": [1], "y": [None]}), "no label")
    path.write_bytes(path.read_bytes()[:-9])
    refused(path, "not a Parquet file")


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingDataError, match=r"metaplastic\[parquet\]"):
        read_table(tmp_path / "a.parquet")


# IDX and CIFAR-10


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("compress", [False, True])
def test_idx_types(tmp_path, dtype, compress):
    values = np.arange(-6, 18).reshape(2, 3, 4).astype(dtype)
    write_idx(tmp_path / "a.idx", values, compress)
    found = read_idx(tmp_path / "a.idx")
    np.testing.assert_array_equal(found, values)
    assert found.dtype == values.dtype


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_pair_as_mnist(tmp_path, ending):
    images = np.arange(3 * 28 * 28).reshape(3, 28, 28).astype(np.uint8)
    write_idx(tmp_path / f"train-images-idx3-ubyte{ending}", images, bool(ending))
    path = tmp_path / f"train-images-idx3-ubyte{ending}"
    assert read_table(path).y is None
    labels = np.array([7, 0, 9], np.uint8)
    write_idx(tmp_path / f"train-labels-idx1-ubyte{ending}", labels, bool(ending))
    x, y, _ = read_table(path)
    np.testing.assert_array_equal(x, images.reshape(3, -1))
    np.testing.assert_array_equal(y, [7, 0, 9])
    write_idx(tmp_path / f"train-labels-idx1-ubyte{ending}", labels[:2], bool(ending))
    refused(path, "3 rows")


@pytest.mark.parametrize("compress", [False, True])
def test_truncated_idx(tmp_path, compress):
    path = tmp_path / "a.idx"
    write_idx(path, np.ones((2, 3), np.int32), compress)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refused(path, "IDX|gzip")
    if not compress:
        path.write_bytes(whole + b"\0")
        refused(path, "its header says")


@pytest.mark.parametrize("start", [b"\1\0\x08\1", b"\0\0\x0a\1", b"\0\0\x08\0", b"\0\0\x08\xff"])
def test_wrong_magic_number(tmp_path, start):
    (tmp_path / "a.idx").write_bytes(start + b"\0\0\0\1\7")
    refused(tmp_path / "a.idx", "IDX")


def test_idx_that_promises_too_much(tmp_path):
    (tmp_path / "a.idx").write_bytes(b"\0\0\x0e\4" + b"\xff" * 16)
    refused(tmp_path / "a.idx", "its header says")


def test_cifar10(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (2, 3072), np.uint8)
    content = b"".join(
        bytes([label]) + row.tobytes() for label, row in zip([9, 0], pixels, strict=True)
    )
    (tmp_path / "a.bin").write_bytes(content)
    x, y, _ = read_table(tmp_path / "a.bin")
    np.testing.assert_array_equal(x, pixels)
    np.testing.assert_array_equal(y, [9, 0])
    for bad in (b"", content[:-1], b"\x0a" + content[1:]):
        (tmp_path / "a.bin").write_bytes(bad)
        refused(tmp_path / "a.bin", "not a CIFAR-10 batch")


# Folders


def save_image(path, array):
    image = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.fromarray(array).save(path)


def test_folder_of_images(tmp_path):
    a = np.arange(20, dtype=np.uint8).reshape(4, 5)
    save_image(tmp_path / "cat" / "2.png", a)
    save_image(tmp_path / "cat" / "1.png", a + 1)
    save_image(tmp_path / "ant" / "1.png", a + 2)
    (tmp_path / "ant" / "readme.md").write_text("not an image")
    x, y, _ = read_table(tmp_path)
    assert listed(y) == ["ant", "cat", "cat"]
    np.testing.assert_array_equal(x, np.stack([a + 2, a + 1, a]).reshape(3, 20))


def test_images_without_pillow_name_the_extra(tmp_path, monkeypatch):
    (tmp_path / "1.png").write_bytes(b"PNG")
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingDataError, match=r"metaplastic\[images\]"):
        read_table(tmp_path)


def test_images_of_many_sizes_become_one(tmp_path):
    save_image(tmp_path / "a" / "1.png", np.full((100, 40, 3), 255, np.uint8))
    save_image(tmp_path / "b" / "1.png", np.zeros((7, 9), np.uint8))
    x = read_table(tmp_path).x
    np.testing.assert_array_equal(x, [[255] * 1024, [0] * 1024])
    assert read_table(tmp_path, image_size=(3, 5)).x.shape == (2, 15)
    with pytest.raises(InputError, match="image_size"):
        read_table(tmp_path, image_size=(0, 5))


def test_images_without_classes_have_no_labels(tmp_path):
    save_image(tmp_path / "1.png", np.zeros((4, 4), np.uint8))
    assert read_table(tmp_path).y is None


def test_damaged_image_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    save_image(tmp_path / "a" / "1.png", noise)
    whole = (tmp_path / "a" / "1.png").read_bytes()
    for bad in (b"", b"GIF89a", whole[:40], whole[:150]):
        (tmp_path / "a" / "1.png").write_bytes(bad)
        with pytest.raises(FileFormatError, match=r"1\.png: not an image"):
            read_table(tmp_path)


def test_folder_of_texts_as_imdb(tmp_path):
    for name, text in [
        ("pos/0_9.txt", "Good, good film!<br /><br />It's GOOD"),
        ("neg/0_2.txt", "bad film"),
    ]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    x, y, names = read_table(tmp_path)
    assert names == ("good", "film", "bad", "it's")
    np.testing.assert_array_equal(x, [[0, 1, 1, 0], [3, 1, 0, 1]])
    assert listed(y) == ["neg", "pos"]
    (tmp_path / "pos" / "0_9.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(FileFormatError, match="not UTF-8"):
        read_table(tmp_path)


def test_folder_with_nothing_or_both(tmp_path):
    refused(tmp_path, "neither images nor")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.txt").write_text("words")
    (tmp_path / "a" / "a.png").write_bytes(b"")
    refused(tmp_path, "both images and")


# Paths and arguments


def test_missing_and_unknown_files(tmp_path):
    with pytest.raises(MissingDataError, match="there is no file"):
        read_table(tmp_path / "a.csv")
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"unknown kind of file 'a.xlsx'; allowed are \.npy"):
        read_table(tmp_path / "a.xlsx")


def test_arguments_that_do_not_go_with_the_file(tmp_path):
    np.save(tmp_path / "a.npy", X)
    with pytest.raises(InputError, match="label="):
        read_table(tmp_path / "a.npy", label="y")
    with pytest.raises(InputError, match="image_size="):
        read_table(tmp_path / "a.npy", image_size=(8, 8))
