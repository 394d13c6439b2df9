"""Readers of one thing agree: whatever holds a table or a folder, its rows and labels are these."""

import itertools

import numpy as np
import pandas as pd
import pytest

from metaplastic.data import load_named, read_table
from metaplastic.errors import FileFormatError

pytest.importorskip("pyarrow")
NUMBERS = {"a": [1.5, 2.5, 3.5, 4.5], "b": [4, 5, 6, 7]}
LABELS = {
    "words": ["u", "v", "u", "w"],
    "words and marks": ["u", "-1", "v", "u"],
    "codes": ["01", "1", "1_1", "x"],
    "numbers": [3, -1, 0, 3],
    "whole floats": [0.0, 1.0, -1.0, 1.0],
    "fractions": [0.5, 1.5, -1.0, 0.5],
    "truth": [True, False, True, False],
    "dates": list(pd.date_range("2020-01-01", periods=4)),
    "missing words": ["u", None, "v", "u"],
    "missing numbers": [0.0, np.nan, 1.0, 1.0],
    "missing dates": [pd.Timestamp("2020-01-01"), pd.NaT, pd.Timestamp("2020-01-02"), pd.NaT],
    "missing, spelt": ["u", "nan", "v", "u"],
}


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    found = pytest.importorskip("datasets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(found.config, "HF_HUB_OFFLINE", True)
        patch.setattr(found.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        found.disable_progress_bars()
        yield found
        found.enable_progress_bars()


def keepers(table, folder, datasets):
    """The same table in every container, by a function that reads it back."""
    table.to_csv(folder / "a.csv", index=False)
    table.to_csv(folder / "a.tsv", index=False, sep="\t")
    table.to_parquet(folder / "a.parquet")
    datasets.Dataset.from_pandas(table).save_to_disk(folder / "saved")
    (folder / "hub").mkdir()
    table.to_parquet(folder / "hub" / "train.parquet")
    y = table["label"].to_numpy()
    if y.dtype == object and all(isinstance(v, str) for v in y):
        y = y.astype(str)
    if y.dtype != object:
        np.savez(folder / "a.npz", X=table[["a", "b"]].to_numpy(), y=y)
    paths = [folder / name for name in ("a.csv", "a.tsv", "a.parquet", "saved", "a.npz")]
    found = {path.name: lambda path=path: read_table(path) for path in paths if path.exists()}
    return found | {"hf:": lambda: load_named(f"hf:{folder / 'hub'}")}


def outcome(read):
    try:
        table = read()
    except FileFormatError as error:
        return str(error).split(": ", 1)[1].split(" (")[0].split(";")[0]
    return table.x.tolist(), table.y.tolist()


@pytest.mark.parametrize("kind", LABELS)
def test_tables(kind, tmp_path, datasets):
    table = pd.DataFrame({**NUMBERS, "label": LABELS[kind]})
    if kind == "codes":
        table["label"] = table["label"].astype(str)
    found = {name: outcome(read) for name, read in keepers(table, tmp_path, datasets).items()}
    assert len(found) >= 5
    for one, other in itertools.combinations(found, 2):
        assert found[one] == found[other], (one, other)
    missing = kind.startswith("missing")
    assert isinstance(found["a.csv"], str) == missing
    if missing:
        assert found["a.csv"] == "row 2 has no label"


@pytest.mark.parametrize("kind", ["shuffled", "plain"])
def test_the_index_of_a_frame_is_left_out(kind, tmp_path, datasets):
    table = pd.DataFrame({**NUMBERS, "label": LABELS["words"]})
    table = table.iloc[[2, 0, 3, 1]] if kind == "shuffled" else table
    table.to_csv(tmp_path / "a.csv")
    table.to_parquet(tmp_path / "a.parquet")
    pytest.importorskip("pyarrow.feather").write_feather(
        table.reset_index(drop=True), tmp_path / "f.feather"
    )
    datasets.Dataset.from_pandas(table).save_to_disk(tmp_path / "saved")
    for name in ("hub", "hub-csv"):
        (tmp_path / name).mkdir()
    table.to_parquet(tmp_path / "hub" / "train.parquet")
    table.to_csv(tmp_path / "hub-csv" / "train.csv")
    tables = [read_table(tmp_path / name) for name in ("a.csv", "a.parquet", "saved", "f.feather")]
    tables += [load_named(f"hf:{tmp_path / name}") for name in ("hub", "hub-csv")]
    for found in tables:
        assert found.names == ("a", "b")
        np.testing.assert_array_equal(found.x, table[["a", "b"]])
        assert found.y.tolist() == table["label"].tolist()


def test_an_index_with_a_name_is_left_out_unless_it_is_asked_for(tmp_path):
    table = pd.DataFrame(
        {**NUMBERS, "label": LABELS["words"]}, index=pd.Index([4, 2, 3, 1], name="id")
    )
    table.to_parquet(tmp_path / "a.parquet")
    found = read_table(tmp_path / "a.parquet")
    assert found.names == ("a", "b")
    assert found.remarks == ("'id' is the index of a saved frame, and left out",)
    table.drop(columns="label").to_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet", label="id").y.tolist() == [4, 2, 3, 1]


@pytest.mark.parametrize(
    "kind", ["decimals", "dates", "durations", "lists", "categories of numbers"]
)
def test_columns_of_other_types(kind, tmp_path, datasets):
    from decimal import Decimal

    column = {
        "decimals": [Decimal("1.50"), Decimal("2.25")],
        "dates": pd.date_range("2020", periods=2),
        "durations": pd.to_timedelta([1, 2], unit="D"),
        "lists": [[1.0, 2.0], [3.0, 4.0]],
        "categories of numbers": pd.Categorical([7, 8]),
    }[kind]
    pd.DataFrame({"a": column, "label": ["u", "v"]}).to_parquet(tmp_path / "a.parquet")
    table = pd.DataFrame({"a": column, "label": ["u", "v"]})
    datasets.Dataset.from_pandas(table).save_to_disk(tmp_path / "saved")
    expected = {
        "decimals": [[1.5], [2.25]],
        "lists": [[1, 2], [3, 4]],
        "categories of numbers": [[7], [8]],
    }
    for name in ("a.parquet", "saved"):
        if kind in expected:
            np.testing.assert_array_equal(read_table(tmp_path / name).x, expected[kind])
        else:
            with pytest.raises(FileFormatError, match=r"column 'a' holds .* make it a number"):
                read_table(tmp_path / name)


# Folders of images


def pictures():
    image = pytest.importorskip("PIL.Image")
    drawing = np.zeros((8, 8, 4), np.uint8)
    drawing[2:5, 2:5, 3] = 255
    levels = np.arange(64).reshape(8, 8)
    grey = (4 * levels).astype(np.uint8)
    drawn = np.full((8, 8), 255)
    drawn[2:5, 2:5] = 0
    exif = image.Exif()
    exif[0x0112] = 6
    upright = image.fromarray(grey)
    return {
        "RGBA": (image.fromarray(drawing), {}, drawn),
        "grey and alpha": (image.fromarray(drawing).convert("LA"), {}, drawn),
        "palette with transparency": (image.fromarray(drawing).quantize(), {}, drawn),
        "a transparent level": (upright, {"transparency": 0}, np.where(grey, grey, 255)),
        "16 bits": (image.fromarray((levels * 1000).astype(np.uint16)), {}, levels * 1000 / 257),
        "1 bit": (image.fromarray(grey > 100), {}, 255 * (grey > 100)),
        "sideways": (upright.rotate(90), {"exif": exif}, grey),
    }


@pytest.mark.parametrize("kind", pictures())
def test_folders_of_images_and_the_hub_agree(kind, tmp_path, datasets):
    picture, how, expected = pictures()[kind]
    for name in ("x/1.png", "y/2.png"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True)
        picture.save(tmp_path / "mine" / name, **how)
    # What macOS leaves behind, and notes.
    (tmp_path / "mine" / "x" / "._1.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "mine" / "LICENSE.txt").write_text("free")
    mine = read_table(tmp_path / "mine")
    hub = load_named(f"hf:{tmp_path / 'mine'}")
    np.testing.assert_array_equal(
        mine.x, np.round(expected).astype(np.uint8).reshape(1, 64).repeat(2, 0)
    )
    np.testing.assert_array_equal(mine.x, hub.x)
    assert hub.y.tolist() == mine.y.tolist() == ["x", "y"]


def test_images_whose_levels_are_not_told(tmp_path, datasets):
    image = pytest.importorskip("PIL.Image")
    values = np.arange(64, dtype=np.float32).reshape(8, 8)
    for name, array, match in [
        ("float", values, "outside 0 to 1"),
        ("int", values.astype(np.int32), "32 bits"),
    ]:
        path = tmp_path / name / "x" / "1.tif"
        path.parent.mkdir(parents=True)
        image.fromarray(array).save(path)
        for read in (lambda p: read_table(p), lambda p: load_named(f"hf:{p}")):
            with pytest.raises(FileFormatError, match=match):
                read(path.parents[1])
    path = tmp_path / "unit" / "x" / "1.tif"
    path.parent.mkdir(parents=True)
    image.fromarray(values / 64).save(path)
    np.testing.assert_array_equal(
        read_table(path.parents[1]).x, np.round(values / 64 * 255).reshape(1, 64)
    )
