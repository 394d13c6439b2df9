"""Features of Parquet files, part by part: nothing lost, nothing repeated, nothing overwritten."""

import json
from pathlib import Path

import jax
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from metaplastic.cli.main import main
from metaplastic.models import freeze, init_mlp, save_encoder
from metaplastic.scale import parts

SIZES = {"part-0.parquet": 700, "part-1.parquet": 300, "year=1/part-0.parquet": 500}


def write(path: Path, first: int, rows: int, columns: int = 6) -> None:
    generator = np.random.default_rng(first)
    numbers = {f"c{i}": generator.normal(size=rows).astype(np.float32) for i in range(columns)}
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = np.arange(first, first + rows)
    parquet.write_table(pa.table({"id": ids, **numbers}), path, row_group_size=200)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    first = 0
    for name, rows in SIZES.items():
        write(tmp_path / "data" / name, first, rows)
        first += rows
    (tmp_path / "data" / "_SUCCESS").touch()
    (tmp_path / "data" / "_tmp.parquet").touch()
    return tmp_path / "data"


@pytest.fixture
def encoder(tmp_path: Path):
    x = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    made = freeze(init_mlp((6, 5, 4), key=jax.random.key(0)), x)
    names = [f"c{i}" for i in range(6)]
    save_encoder(tmp_path / "encoder.safetensors", made, {"column_names": names})
    return made


@pytest.fixture
def run(data: Path, encoder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(data.parent)

    def call(*words: str) -> tuple[int, dict, str]:
        always = ["transform", "data", "--encoder", "encoder.safetensors", "--json"]
        status = main([*always, *words])
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else {}, err

    return call


def features_by_id(folder: Path) -> dict[int, np.ndarray]:
    """Every row that is there, by its id; an id that comes twice is an error."""
    found: dict[int, np.ndarray] = {}
    for path in sorted(folder.rglob("*.parquet")):
        table = parquet.ParquetFile(path).read()
        rows = np.stack(table.column("features").to_numpy())
        for number, row in zip(table.column("id").to_pylist(), rows, strict=True):
            assert number not in found
            found[number] = row
    return found


def test_every_row_has_its_features_once(run, data, encoder, monkeypatch):
    monkeypatch.setattr(parts, "block_rows", lambda columns: 64)  # Several batches a row group.
    status, found, _ = run("--out", "features", "--keep", "id")
    assert status == 0
    expected = {"files": 3, "done before": 0, "rows": 1500, "not done": 0, "out": "features"}
    assert found == expected
    features = features_by_id(data.parent / "features")
    assert sorted(features) == list(range(1500))
    for path in data.rglob("part-*.parquet"):
        table = parquet.ParquetFile(path).read()
        x = np.stack([table.column(f"c{i}").to_numpy() for i in range(6)], axis=1)
        mine = np.stack([features[i] for i in table.column("id").to_pylist()])
        np.testing.assert_array_equal(mine, encoder(x))
    assert (data.parent / "features" / "year=1" / "part-0.parquet").exists()


def test_a_damaged_part_is_named_and_the_others_are_done(run, data):
    whole = (data / "part-1.parquet").read_bytes()
    (data / "part-1.parquet").write_bytes(whole[:-100])
    write(data / "part-2.parquet", 1500, 10, columns=5)
    status, found, err = run("--out", "features", "--keep", "id")
    assert status == 2
    assert (found["files"], found["rows"], found["not done"]) == (2, 1200, 2)
    assert "data/part-1.parquet: not a Parquet file" in err
    assert "part-2.parquet" in err and "5 columns, but the encoder was fitted to 6" in err
    assert "--resume" in err
    out = data.parent / "features"
    assert not (out / "part-1.parquet").exists()
    before = (out / "part-0.parquet").stat().st_mtime_ns
    (data / "part-1.parquet").write_bytes(whole)
    (data / "part-2.parquet").unlink()
    (out / ".part-1.parquet.77.abc").write_bytes(b"left by a killed process")
    status, found, _ = run("--out", "features", "--keep", "id", "--resume")
    assert (status, found["files"], found["done before"], found["rows"]) == (0, 1, 2, 300)
    assert sorted(features_by_id(out)) == list(range(1500))
    assert (out / "part-0.parquet").stat().st_mtime_ns == before
    assert not list(out.glob(".*"))


def test_not_finite_rows_are_named(run, data):
    table = parquet.ParquetFile(data / "part-0.parquet").read()
    numbers = table.column("c2").to_numpy().copy()
    numbers[333] = np.nan
    parquet.write_table(table.set_column(3, "c2", pa.array(numbers)), data / "part-0.parquet")
    status, _, err = run("--out", "features", "--keep", "id")
    assert status == 2
    assert "part-0.parquet" in err and "first in row 334" in err and "'c2'" in err


def test_a_file_without_rows_has_no_features(run, data):
    empty = parquet.ParquetFile(data / "part-0.parquet").read().slice(0, 0)
    parquet.write_table(empty, data / "part-0.parquet")
    status, found, _ = run("--out", "features", "--keep", "id")
    assert (status, found["rows"]) == (0, 800)
    written = parquet.ParquetFile(data.parent / "features" / "part-0.parquet").read()
    assert written.num_rows == 0 and written.column_names == ["id", "features"]


def test_nothing_is_overwritten(run, data, encoder):
    assert run("--out", "features", "--keep", "id")[0] == 0
    out = data.parent / "features"
    before = {path: path.read_bytes() for path in out.rglob("*.parquet")}
    for words, says in (
        (["--keep", "id"], "--resume"),
        (["--keep", "id", "--force"], "--force goes with one file"),
        (["--resume", "--keep", "id", "--keep", "c0"], "not of this encoder"),
    ):
        status, _, err = run("--out", "features", *words)
        assert status == 2 and says in err
    write(data / "part-0.parquet", 0, 650)
    status, _, err = run("--out", "features", "--keep", "id", "--resume")
    assert status == 2 and "part-0.parquet is not of this encoder, these rows" in err
    assert before == {path: path.read_bytes() for path in out.rglob("*.parquet")}


def test_files_of_others_stay(run, data):
    out = data.parent / "features"
    out.mkdir()
    table = pa.table({"id": [1]}).replace_schema_metadata({"metaplastic": "{not ours"})
    parquet.write_table(table, out / "part-0.parquet")
    status, _, err = run("--out", "features", "--keep", "id", "--resume")
    assert status == 2 and "part-0.parquet is not of this encoder, these rows" in err
    assert parquet.read_table(out / "part-0.parquet").equals(table)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--out", "features", "--workers", "2"], "go with --executor ray"),
        (["--out", "f.npy", "--executor", "ray"], "name a folder"),
        (["--out", "f.npy", "--keep", "id"], "name a folder"),
        (["--out", "nowhere/features"], "does not exist"),
        (["--out", "encoder"], "encoder is a file"),
        (["--out", "features", "--text", "c0"], "columns of numbers"),
    ],
)
def test_wrong_words_are_one_line(run, data, words, says):
    (data.parent / "encoder").touch()
    status, _, err = run(*words)
    assert status == 2 and says in err
    assert not (data.parent / "features").exists()


def test_a_folder_without_parquet_files_is_refused(run, data):
    for path in data.rglob("part-*.parquet"):
        path.unlink()
    status, _, err = run("--out", "features")
    assert status == 2 and "there are none" in err


def test_other_columns_than_those_of_the_fit(run, data):
    # Without --keep the ids are a column more; a label is none.
    status, found, err = run("--out", "features")
    assert status == 2 and "has 7 columns, but the encoder was fitted to 6" in err
    assert found["not done"] == 3
