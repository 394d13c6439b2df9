"""The forms in which the field keeps its data: each read right, on a file of exactly that form."""

import bz2
import gzip
import lzma

import numpy as np
import pytest

import field_forms
from field_forms import FORMS, fcs, idx, mat5, norb_matrix, npz, png, put
from metaplastic.data import read_table
from metaplastic.errors import FileFormatError, InputError, MissingDataError


def written(name, folder):
    if FORMS[name].package:
        pytest.importorskip(FORMS[name].package)
    return FORMS[name].write(folder)


@pytest.mark.parametrize("name", FORMS)
def test_rows_and_labels_are_those_in_the_file(name, tmp_path):
    form = FORMS[name]
    x, y, _ = read_table(written(name, tmp_path), **form.options)
    found = x.toarray() if hasattr(x, "toarray") else x
    np.testing.assert_allclose(found, form.x, rtol=1e-6)
    assert (None if y is None else y.tolist()) == form.y


SINGLE = [name for name, form in FORMS.items() if form.package != "PIL"]


@pytest.mark.parametrize("module", [gzip, bz2, lzma])
@pytest.mark.parametrize("name", [n for n in SINGLE if "compressed" not in n])
def test_compressed_files_are_the_same(name, module, tmp_path):
    form, path = FORMS[name], written(name, tmp_path)
    content = path.read_bytes()
    path.unlink()
    if content.startswith(b"\x1f\x8b"):
        content, path = gzip.decompress(content), path.with_suffix("")
    suffix = {gzip: ".gz", bz2: ".bz2", lzma: ".xz"}[module]
    path = put(path.with_name(path.name + suffix), module.compress(content))
    x, y, _ = read_table(path, **form.options)
    found = x.toarray() if hasattr(x, "toarray") else x
    np.testing.assert_allclose(found, form.x, rtol=1e-6)
    assert (None if y is None else y.tolist()) == form.y


def refused(path, match, error=FileFormatError, **options):
    with pytest.raises(error, match=match) as caught:
        read_table(path, **options)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


class TestIdx:
    def test_emnist_says_that_it_is_transposed(self, tmp_path):
        path = field_forms.emnist(tmp_path)
        (remark,) = read_table(path).remarks
        assert "--transpose" in remark
        assert read_table(path, transpose=True).remarks == ()

    def test_images_without_labels_say_so(self, tmp_path):
        path = put(tmp_path / "train-images-idx3-ubyte", idx(field_forms.IMAGES, 8))
        table = read_table(path)
        assert table.y is None
        assert "no labels" in table.remarks[0]

    def test_labels_in_the_place_of_images(self, tmp_path):
        field_forms.qmnist(tmp_path)
        refused(tmp_path / "qmnist-train-labels-idx2-int", "holds labels")
        path = put(tmp_path / "t-labels-idx1-ubyte", idx(np.arange(3, dtype=np.uint8), 8))
        refused(path, "holds labels")

    def test_labels_that_contradict_each_other(self, tmp_path):
        path = field_forms.qmnist(tmp_path)
        other = idx(np.array([5, 0, 3], np.uint8), 8)
        put(tmp_path / "qmnist-train-labels-idx1-ubyte", other)
        refused(path, "hold different labels")


class TestNumPy:
    def test_labels_as_a_column_and_by_name(self, tmp_path):
        y = np.array([[2], [0], [1]], np.uint8)
        path = put(tmp_path / "a.npz", npz(X=field_forms.FLAT, y=y, gnd=y[::-1].copy()))
        assert read_table(path).y.tolist() == [2, 0, 1]
        assert read_table(path, label="gnd").y.tolist() == [1, 0, 2]
        refused(path, "no array 'kind'; it holds X, gnd, y", InputError, label="kind")

    def test_one_column_a_class_is_told_how_to_mend(self, tmp_path):
        path = put(tmp_path / "a.npz", npz(X=field_forms.FLAT, y=np.eye(3)))
        refused(path, r"one label a row.*argmax")

    def test_of_several_parts_the_mend_is_named(self, tmp_path):
        arrays = {"x_train": field_forms.FLAT, "y_train": np.arange(3), "x_test": field_forms.FLAT}
        refused(
            put(tmp_path / "mnist.npz", npz(**arrays)), r"np.savez\('mnist.npz', X=..., y=...\)"
        )


class TestBatches:
    def test_labels_beyond_the_classes(self, tmp_path):
        record = bytes([20, 0]) + bytes(3072)
        refused(put(tmp_path / "train.bin", record), "a label above 19 or 99")
        refused(put(tmp_path / "train.bin", bytes([10]) + bytes(3072)), "a label above 9")
        refused(put(tmp_path / "a.bin", bytes(100)), "expected a multiple of 3073, 3074 or 27648")

    def test_unknown_kinds_of_labels(self, tmp_path):
        path = field_forms.FORMS["cifar100"].write(tmp_path)
        refused(path, "coarse or fine", InputError, label="other")
        refused(field_forms.cifar10(tmp_path), "CIFAR-100 among", InputError, label="fine")

    def test_stl_without_labels_or_with_wrong_ones(self, tmp_path):
        path = field_forms.stl10(tmp_path)
        for labels in (bytes([0, 1]), bytes([11, 1]), bytes([1])):
            put(tmp_path / "train_y.bin", labels)
            with pytest.raises(FileFormatError, match="expected 2 labels from 1 to 10"):
                read_table(path)
        unlabelled = put(tmp_path / "unlabeled_X.bin", path.read_bytes())
        assert read_table(unlabelled).y is None


class TestMatrices:
    def test_norb_without_its_labels(self, tmp_path):
        path = field_forms.small_norb(tmp_path)
        labels = path.with_name(path.name.replace("-dat", "-cat"))
        refused(labels, "which are no images; name the file -dat.mat")
        labels.unlink()
        assert read_table(path).y is None

    def test_norb_of_other_types_and_damaged(self, tmp_path):
        values = np.arange(12, dtype="<f4").reshape(2, 2, 3)
        path = put(tmp_path / "a-dat.mat", norb_matrix(values, 0x1E3D4C51))
        np.testing.assert_array_equal(read_table(path).x, values.reshape(2, 6))
        refused(put(path, path.read_bytes()[:-1]), "truncated or damaged matrix of NORB")

    def test_images_last_first_or_unclear(self, tmp_path):
        x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        path = put(tmp_path / "a.mat", mat5(X=x, y=np.arange(4, dtype=np.uint8)[None]))
        np.testing.assert_array_equal(read_table(path).x, np.moveaxis(x, -1, 0).reshape(4, 6))
        path = put(tmp_path / "a.mat", mat5(X=x))
        refused(path, "cannot be told whether the first or the last axis counts")
        path = put(tmp_path / "a.mat", mat5(X=x[0], y=np.arange(4, dtype=np.uint8)[None]))
        refused(path, "save X transposed")

    def test_matlab_7_3_is_read_through_h5py(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        path = tmp_path / "a.mat"
        x, y = np.arange(6.0).reshape(3, 2), np.array([[1.0], [2.0], [1.0]])
        with h5py.File(path, "w", userblock_size=512) as file:
            file["X"], file["y"] = x.T, y.T  # As MATLAB stores them.
        content = bytearray(path.read_bytes())
        content[:128] = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM"
        put(path, bytes(content))
        table = read_table(path)
        np.testing.assert_array_equal(table.x, x)
        assert table.y.tolist() == [1, 2, 1]


class TestSeries:
    HEAD = "@problemName a\n@timeStamps false\n@classLabel true 1 2\n@data\n"

    @pytest.mark.parametrize(
        ("content", "match"),
        [
            (HEAD + "1,2:1\n1,2,3:2\n", "series 2 is not as long"),
            (HEAD + "1,2:3,4:1\n1,2:2\n", "series 2 is not as long"),
            (HEAD + "1,?:1\n", "a missing value"),
            (HEAD + "1,NaN:1\n", "NaN"),
            (HEAD + "1,2:3\n", "has the label '3', its header names 1, 2"),
            (HEAD.replace("Stamps false", "Stamps true") + "(0,1),(1,2):1\n", "time stamps"),
            (HEAD.replace("@classLabel true 1 2", "@targetLabel true") + "1,2:0.5\n", "predicted"),
            (HEAD, "no series"),
            ("1,2:1\n", "does not end in @data"),
        ],
    )
    def test_what_is_refused(self, content, match, tmp_path):
        refused(put(tmp_path / "a.ts", content), match)

    def test_without_labels(self, tmp_path):
        head = self.HEAD.replace("true 1 2", "false")
        table = read_table(put(tmp_path / "a.ts", head + "1,2\n3,4\n"))
        assert table.y is None
        np.testing.assert_array_equal(table.x, [[1, 2], [3, 4]])


class TestNominal:
    def test_keel_with_gaps_or_other_words(self, tmp_path):
        head = field_forms.KEEL_HEADER
        refused(put(tmp_path / "a.dat", head + "6, <null>, red, ant\n"), "'Size' 1, first in row 1")
        refused(put(tmp_path / "a.dat", head + "6, 1, green, ant\n"), "'green' is none of its cat")
        refused(put(tmp_path / "a.dat", head + "6, x, red, ant\n"), "'x' is no number")
        refused(put(tmp_path / "a.dat", head + "6, 1, red, ?\n"), "row 1 has no label")
        refused(put(tmp_path / "a.dat", head + "6, 1, ant\n"), "row 1 has 3 columns, others 4")

    def test_other_dat_files_are_tables(self, tmp_path):
        table = read_table(put(tmp_path / "a.dat", "1 2\n3 4\n"))
        assert table.y is None
        table = read_table(put(tmp_path / "a.dat", "a,b\n1,2.5\n3,4\n"))
        assert (table.names, table.y) == (("a", "b"), None)
        assert read_table(put(tmp_path / "a.dat", "1,2.5\n3,4.5\n")).y is None

    def test_arff(self, tmp_path):
        pytest.importorskip("arff")
        text = field_forms.ARFF + "6,?,red,ant\n"
        refused(put(tmp_path / "a.arff", text), "'body size' 1, first in row 1")
        text = field_forms.ARFF.replace("REAL", "DATE yyyy") + "6,2020,red,ant\n"
        refused(put(tmp_path / "a.arff", text), "ARFF|neither numbers nor categories")
        table = read_table(
            put(tmp_path / "a.arff", field_forms.ARFF + "6,1,red,ant\n"), label="colour"
        )
        assert table.y.tolist() == ["red"]
        assert table.names == ("legs", "body size", "kind_ant", "kind_bee")


class TestSvmlight:
    @pytest.mark.parametrize(
        ("content", "match"),
        [
            ("1 1:0.5\nx 2:1\n", "line 2 is not of the form"),
            ("1,2 1:0.5\n", "several labels"),
            ("1 2:1 1:2\n", "not a file of LIBSVM"),
            ("1 1:nan\n", "line 1 is not of the form"),
            ("9007199254740993 1:1\n9007199254740992 1:2\n", "line 1 is beyond 2"),
        ],
    )
    def test_what_is_refused(self, content, match, tmp_path):
        refused(put(tmp_path / "a.svm", content), match)

    @pytest.mark.parametrize("name", ["a.txt", "a.dat", "a9a.t", "mnist.scale"])
    def test_it_is_known_by_its_lines(self, name, tmp_path):
        table = read_table(put(tmp_path / name, "1 1:0.5 4:2\n2 2:1\n"))
        assert table.x.shape == (2, 4)
        assert table.y.tolist() == [1, 2]


class TestHdf5:
    def test_other_layouts_say_what_to_do(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file.attrs["encoding-type"] = "anndata"
        refused(path, "an AnnData file")
        with h5py.File(path, "w") as file:
            file.attrs["PYTABLES_FORMAT_VERSION"] = "2.1"
        refused(path, "pandas or PyTables")
        with h5py.File(path, "w") as file:
            for name in ("barcodes", "indptr", "shape"):
                file[f"matrix/{name}"] = [1]
        refused(path, "10x Genomics")
        with h5py.File(path, "w") as file:
            file["a"], file["b"] = np.eye(2), np.eye(2)
        refused(path, "it holds a, b; write datasets named X and y")

    def test_nothing_outside_the_file_is_read(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        field_forms.hdf5(tmp_path)
        path = tmp_path / "other.h5"
        with h5py.File(path, "w") as file:
            file["X"] = h5py.ExternalLink("a.h5", "/X")
        refused(path, "lies in another file")
        put(tmp_path / "raw", bytes(32))
        with h5py.File(path, "w") as file:
            file.create_dataset("X", (2, 2), "f8", external=[(str(tmp_path / "raw"), 0, 32)])
        refused(path, "lies in another file")


class TestFcs:
    def test_names_are_those_of_the_channels(self, tmp_path):
        pytest.importorskip("flowio")
        assert read_table(field_forms.fcs_float(tmp_path)).names == ("FSC-A", "CD3")

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"order": "3,4,1,2"}, "byte order"),
            ({"amplification": "4,1"}, "which FCS forbids"),
            ({"$MODE": "C"}, "histograms"),
            ({"$TOT": 5}, "says 5 events"),
            ({"$NEXTDATA": 2000}, "data sets as files of their own"),
        ],
    )
    def test_what_would_be_read_as_something_else(self, changes, match, tmp_path):
        pytest.importorskip("flowio")
        refused(put(tmp_path / "a.fcs", fcs(field_forms.EVENTS, **changes)), match)


EXTRAS = {
    "arff": ("arff", "arff"),
    "hdf5": ("h5py", "hdf5"),
    "fcs": ("flowio", "fcs"),
}


@pytest.mark.parametrize("name", EXTRAS)
def test_a_missing_package_is_named_with_its_extra(name, tmp_path, monkeypatch):
    path = written(name, tmp_path)
    monkeypatch.setitem(__import__("sys").modules, EXTRAS[name][0], None)
    with pytest.raises(MissingDataError, match=rf"metaplastic\[{EXTRAS[name][1]}\]"):
        read_table(path)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.pkl", b"\x80\4", "run code when they are read"),
        ("a.zip", b"PK", "unpack it"),
        ("a.xlsx", b"PK", "save the sheet as .csv"),
        ("a.png", b"\x89PNG", "name the folder"),
        ("a.odd", b"abc", "unknown kind of file 'a.odd'"),
    ],
)
def test_kinds_that_are_not_read_say_what_to_do(name, content, match, tmp_path):
    refused(put(tmp_path / name, content), match, InputError)


def test_a_file_under_a_wrong_name_is_told_from_its_bytes(tmp_path):
    pytest.importorskip("PIL")
    refused(put(tmp_path / "a.csv", npz(X=np.eye(2))), "NUL|UTF-8|text")
    path = put(tmp_path / "b.csv", field_forms.npy(np.eye(2)))
    refused(path, "not a table of text, but a file of NumPy; name it .npy")
    np.testing.assert_array_equal(
        read_table(put(tmp_path / "rows", field_forms.npy(np.eye(2)))).x, np.eye(2)
    )
    assert png(np.zeros((2, 2), np.uint8))[:4] == b"\x89PNG"
