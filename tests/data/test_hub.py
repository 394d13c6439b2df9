"""Hugging Face `datasets` and OpenML without a network: from the files that they keep."""

import gzip
import json

import numpy as np
import pytest

from metaplastic.data import load_named, read_table
from metaplastic.data.texts import Words
from metaplastic.errors import FileFormatError, InputError, MissingDataError

pytest.importorskip("pandas")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The library `datasets`, offline, its cache in an empty folder."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf-cache")
    return datasets


@pytest.fixture
def numbers(hub):
    features = {
        "a": hub.Value("float64"),
        "vector": hub.Sequence(hub.Value("float32")),
        "kind": hub.ClassLabel(names=["neg", "pos"]),
    }
    rows = {"a": [0.5, 1.5, 2.5], "vector": [[1, 2], [3, 4], [5, 6]], "kind": [1, 0, -1]}
    return hub.Dataset.from_dict(rows, features=hub.Features(features))


class TestHuggingFace:
    def test_a_saved_data_set(self, numbers, tmp_path):
        numbers.save_to_disk(tmp_path / "saved")
        x, y, names = read_table(tmp_path / "saved")
        np.testing.assert_array_equal(x, [[0.5, 1, 2], [1.5, 3, 4], [2.5, 5, 6]])
        assert y.tolist() == ["pos", "neg", -1]
        assert names is None
        assert read_table(tmp_path / "saved", label="a").y.tolist() == ["0.5", "1.5", "2.5"]

    def test_the_training_part_of_several(self, hub, numbers, tmp_path):
        parts = hub.DatasetDict({"test": numbers.select([0]), "train": numbers.select([1, 2])})
        parts.save_to_disk(tmp_path / "saved")
        assert read_table(tmp_path / "saved").y.tolist() == ["neg", -1]
        del parts["train"]
        parts.save_to_disk(tmp_path / "other")
        with pytest.raises(InputError, match="no split 'train'; it has test"):
            read_table(tmp_path / "other")

    def test_columns_of_numbers_keep_their_names(self, hub, tmp_path):
        table = hub.Dataset.from_dict({"a": [1, 2], "b": [3.0, 4.0], "label": ["u", "v"]})
        table.save_to_disk(tmp_path / "saved")
        x, y, names = read_table(tmp_path / "saved")
        np.testing.assert_array_equal(x, [[1, 3], [2, 4]])
        assert y.tolist() == ["u", "v"]
        assert names == ("a", "b")

    def test_texts(self, hub, tmp_path):
        table = hub.Dataset.from_dict({"text": ["good good", None, "bad"], "label": [1, 0, 0]})
        table.save_to_disk(tmp_path / "saved")
        x, y, words = read_table(tmp_path / "saved")
        assert words == Words(("good", "bad"))
        np.testing.assert_array_equal(x, [[2, 0], [0, 0], [0, 1]])
        assert y.tolist() == [1, 0, 0]
        again = read_table(tmp_path / "saved", text="text", words=["bad"])
        np.testing.assert_array_equal(again.x, [[0], [0], [1]])

    def test_images(self, hub, tmp_path):
        image = pytest.importorskip("PIL.Image")
        pixels = np.arange(40, dtype=np.uint8).reshape(2, 4, 5)
        table = hub.Dataset.from_dict(
            {"image": [image.fromarray(p) for p in pixels], "label": [3, 4]}
        )
        table.save_to_disk(tmp_path / "saved")
        x, y, _ = read_table(tmp_path / "saved")
        np.testing.assert_array_equal(x, pixels.reshape(2, 20))
        assert y.tolist() == [3, 4]
        assert read_table(tmp_path / "saved", image_size=(2, 3)).x.shape == (2, 6)

    def test_by_name_a_folder_in_a_layout_of_the_hub(self, hub, tmp_path):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "train.csv").write_text("a,b,label\n1,2,0\n3,4,1\n")
        (tmp_path / "mine" / "test.csv").write_text("a,b,label\n5,6,1\n")
        x, y, names = load_named(f"hf:{tmp_path / 'mine'}")
        np.testing.assert_array_equal(x, [[1, 2], [3, 4]])
        assert y.tolist() == [0, 1]
        assert names == ("a", "b")
        np.testing.assert_array_equal(load_named(f"hf:{tmp_path / 'mine'}@test").x, [[5, 6]])
        with pytest.raises(InputError, match='split "valid"'):
            load_named(f"hf:{tmp_path / 'mine'}@valid")

    def test_names_that_are_the_numbers_say_nothing(self, hub, tmp_path):
        digits = hub.ClassLabel(names=[str(i) for i in range(10)])
        features = hub.Features({"a": hub.Value("float64"), "label": digits})
        table = hub.Dataset.from_dict({"a": [1.0, 2.0], "label": [7, -1]}, features=features)
        table.save_to_disk(tmp_path / "saved")
        assert read_table(tmp_path / "saved").y.tolist() == [7, -1]

    def test_folders_of_one_name_would_be_one_class(self, hub, tmp_path):
        for part in ("train", "test"):
            for alphabet in ("Greek", "Latin"):
                folder = tmp_path / part / alphabet / "character01"
                folder.mkdir(parents=True)
                (folder / "1.png").touch()
        with pytest.raises(InputError, match=r"'character01' lie in several folders.*levels"):
            load_named(f"hf:{tmp_path}")

    def test_without_a_home_it_says_what_to_set(self, hub, monkeypatch):
        def load(*_, **__):
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(hub, "load_dataset", load)
        with pytest.raises(MissingDataError, match=r"home directory\. \(set HOME, or HF_HOME"):
            load_named("hf:someone/something")

    def test_no_network_is_said(self, hub):
        with pytest.raises(MissingDataError, match="the Hub cannot be reached") as caught:
            load_named("hf:someone/something")
        assert "\n" not in str(caught.value)

    def test_what_cannot_be_numbers(self, hub, tmp_path):
        table = hub.Dataset.from_dict({"a": [1, 2], "b": ["x", "y"], "label": [0, 1]})
        table.save_to_disk(tmp_path / "saved")
        with pytest.raises(FileFormatError, match=r"column 'b' holds .*string.*, not numbers"):
            read_table(tmp_path / "saved")
        ragged = hub.Dataset.from_dict({"a": [[1], [2, 3]]})
        ragged.save_to_disk(tmp_path / "ragged")
        with pytest.raises(FileFormatError, match="column 'a' holds"):
            read_table(tmp_path / "ragged")

    def test_damaged_files(self, numbers, tmp_path):
        numbers.save_to_disk(tmp_path / "saved")
        for file in list((tmp_path / "saved").iterdir()):
            whole = file.read_bytes()
            file.write_bytes(whole[: len(whole) // 2])
            with pytest.raises(FileFormatError, match="not a data set of save_to_disk"):
                read_table(tmp_path / "saved")
            file.write_bytes(whole)

    def test_without_the_package_the_extra_is_named(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "datasets", None)
        with pytest.raises(MissingDataError, match=r"metaplastic\[hub\]"):
            load_named("hf:someone/something")


# OpenML


ARFF = """@RELATION tiny
@ATTRIBUTE size REAL
@ATTRIBUTE colour {red,blue}
@ATTRIBUTE kind {ant,bee}
@DATA
1.5,red,ant
2.5,blue,bee
-1,red,bee
"""


def keep(folder, path, content):
    """Put an answer of the service where scikit-learn keeps it."""
    file = folder / "openml" / "openml.org" / f"{path}.gz"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    file.write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def openml(tmp_path, monkeypatch):
    """A cache that holds the data set `tiny`; every other request fails."""
    import urllib.error
    import urllib.request

    import sklearn.datasets._openml as module

    def unreachable(request, *args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("METAPLASTIC_DATA", str(tmp_path))
    monkeypatch.setattr(module, "urlopen", unreachable)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    return lambda text=ARFF: keep_all(tmp_path, text)


def keep_all(folder, text):
    import hashlib

    found = {"data": {"dataset": [{"did": 7, "name": "tiny", "version": 1, "status": "active"}]}}
    for ending in ("status/active", "data_version/1"):
        keep(folder, f"api/v1/json/data/list/data_name/tiny/limit/2/{ending}", found)
        keep(folder, f"api/v1/json/data/list/data_name/tiny/limit/2/{ending}/", found)
    description = {
        "id": "7",
        "name": "tiny",
        "version": "1",
        "description": "three insects",
        "format": "ARFF",
        "file_id": "42",
        "url": "https://api.openml.org/data/v1/download/42/tiny.arff",
        "default_target_attribute": "kind",
        "md5_checksum": hashlib.md5(text.encode()).hexdigest(),
        "status": "active",
    }
    keep(folder, "api/v1/json/data/7", {"data_set_description": description})
    kinds = {"size": ("numeric", []), "colour": ("nominal", ["red", "blue"])}
    kinds["kind"] = ("nominal", ["ant", "bee"])
    features = [
        {
            "index": str(i),
            "name": name,
            "data_type": kind,
            "is_target": str(name == "kind").lower(),
            "is_ignore": "false",
            "is_row_identifier": "false",
            "number_of_missing_values": "0",
            **({"nominal_value": values} if values else {}),
        }
        for i, (name, (kind, values)) in enumerate(kinds.items())
    ]
    keep(folder, "api/v1/json/data/features/7", {"data_features": {"feature": features}})
    qualities = [{"name": "NumberOfInstances", "value": "3"}]
    keep(folder, "api/v1/json/data/qualities/7", {"data_qualities": {"quality": qualities}})
    keep(folder, "data/v1/download/42/tiny.arff", text)


class TestOpenML:
    @pytest.mark.parametrize("word", ["openml:tiny", "openml:tiny@1"])
    def test_a_table_by_name(self, openml, word):
        openml()
        x, y, names = load_named(word)
        assert names == ("size", "colour_blue", "colour_red")
        np.testing.assert_array_equal(x, [[1.5, 0, 1], [2.5, 1, 0], [-1, 0, 1]])
        assert y.tolist() == ["ant", "bee", "bee"]

    def test_another_column_of_labels(self, openml):
        openml()
        _, y, names = load_named("openml:tiny", label="colour")
        assert y.tolist() == ["red", "blue", "red"]
        assert names == ("size", "kind_ant", "kind_bee")
        with pytest.raises(InputError, match=r"openml:tiny: .*shape"):
            load_named("openml:tiny", label="shape")

    def test_gaps_are_refused(self, openml):
        openml(ARFF.replace("2.5,", "?,"))
        with pytest.raises(FileFormatError, match="1 columns have missing values, 'size' 1"):
            load_named("openml:tiny")

    def test_no_network_is_said(self, openml):
        with pytest.raises(MissingDataError, match="OpenML cannot be reached"):
            load_named("openml:other")

    @pytest.mark.parametrize(
        ("word", "options", "message"),
        [
            ("openml:", {}, "names no data set; write hf:NAME"),
            ("tiny", {}, "names no data set"),
            ("openml:tiny@new", {}, "a version is a whole number, got 'new'"),
            ("openml:tiny", {"text": "a"}, "do not go with tables of OpenML"),
        ],
    )
    def test_names_that_are_none(self, word, options, message):
        with pytest.raises(InputError, match=message):
            load_named(word, **options)
