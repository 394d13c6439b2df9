"""fit, transform, evaluate and data on tiny files."""

import json
from pathlib import Path

import numpy as np
import pytest

from metaplastic.cli import main
from metaplastic.data import files
from metaplastic.data.readers import arrays
from metaplastic.models import load_encoder
from metaplastic.rules import load_rule, save_rule
from metaplastic.sklearn import RuleTransformer

# One architecture throughout, so that it is compiled once.
NETWORK = ["--hidden-sizes", "6", "--n-components", "3", "--n-steps", "4", "--batch-size", "16"]


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main.main([str(word) for word in words])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture
def table(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    y = np.repeat([0, 1], 20)
    x = generator.normal(size=(40, 5)) + 3 * y[:, None]
    rows = np.column_stack([x, y])
    path = tmp_path / "table.csv"
    np.savetxt(path, rows, "%.6g", ",", header="a,b,c,d,e,kind", comments="")
    return path


@pytest.fixture
def encoder(table: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = table.with_name("encoder.safetensors")
    words = ["fit", table, "--label", "kind", "--rule", "oja", "--out", path, *NETWORK]
    assert run(capsys, *words)[0] == 0
    return path


@pytest.mark.slow
def test_fit_then_transform(table: Path, encoder: Path, capsys: pytest.CaptureFixture[str]):
    found, metadata = load_encoder(encoder)
    assert (found.n_features_in, found.n_features_out) == (5, 3)
    assert (metadata["rule"], metadata["steps"], metadata["seed"]) == ("oja", 4, 0)
    x = np.loadtxt(table, delimiter=",", skiprows=1)[:, :5]
    for suffix in (".npy", ".npz", ".csv"):
        out = table.with_name(f"features{suffix}")
        words = ["transform", table, "--label", "kind", "--encoder", encoder, "--out", out]
        status, text, _ = run(capsys, *words, "--json")
        assert status == 0
        assert json.loads(text) == {"rows": 40, "features": 3, "out": str(out)}
        if suffix == ".csv":
            features = np.loadtxt(out, delimiter=",", skiprows=1, dtype=np.float32)
        else:
            loaded = np.load(out)
            features = loaded["x"] if suffix == ".npz" else loaded
        np.testing.assert_array_equal(features, found(x))


def test_the_same_seed_gives_the_same_encoder(
    table: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
):
    before = encoder.read_bytes()
    words = ["fit", table, "--label", "kind", "--rule", "oja", "--out", encoder, *NETWORK]
    assert run(capsys, *words, "--force")[0] == 0
    assert encoder.read_bytes() == before
    assert run(capsys, *words, "--force", "--seed", 1)[0] == 0
    assert encoder.read_bytes() != before


def test_one_pass_over_a_file_that_is_mapped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(arrays, "MAPPED_BYTES", 1000)
    x = np.random.default_rng(0).normal(size=(200, 5))
    np.save(tmp_path / "x.npy", x)
    assert isinstance(files.read_table(tmp_path / "x.npy").x, np.memmap)
    out = tmp_path / "encoder.safetensors"
    network = [w for w in NETWORK if w not in ("--n-steps", "4")]
    words = ["fit", tmp_path / "x.npy", "--out", out, "--rule", "oja", "--one-pass"]
    status, text, _ = run(capsys, *words, *network, "--json")
    assert status == 0
    assert json.loads(text)["steps"] == 200 // 16
    settings = {"hidden_sizes": (6,), "n_components": 3, "batch_size": 16, "random_state": 0}
    expected = RuleTransformer("oja", **settings).partial_fit(x).transform(x)
    np.testing.assert_array_equal(load_encoder(out)[0](x), expected)
    status, _, err = run(capsys, *words, *network, "--n-steps", 3, "--force")
    assert status == 2
    assert "leave out --n-steps" in err


def test_nothing_is_overwritten_unless_told(
    table: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
):
    before = encoder.read_bytes()
    status, _, err = run(capsys, "fit", table, "--rule", "oja", "--out", encoder)
    assert status == 2
    assert "--force" in err
    words = "transform", table, "--encoder", encoder, "--out", table, "--force"
    status, _, err = run(capsys, *words)
    assert status == 2
    assert "is read by this command" in err
    assert encoder.read_bytes() == before
    rule = table.parent / "oja.safetensors"
    save_rule(rule, load_rule("oja"), {})
    folder = table.parent / "folder"
    folder.mkdir()
    (folder / "inner.csv").write_bytes(table.read_bytes())
    for words, out in (((table, "--rule", rule), rule), ((folder,), folder / "inner.csv")):
        status, _, err = run(capsys, "fit", *words, "--out", out, "--force")
        assert status == 2 and "is read by this command" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["fit", "nothing.csv", "--out", "new"], "no file and no set"),
        (["fit", "digit", "--out", "new"], "did you mean digits"),
        (["fit", "digits", "--out", "new", "--text", "a"], "do not go with the set digits"),
        (["fit", "table.csv", "--out", "new", "--text", "no"], "no column 'no'"),
        (["fit", "openml:x@y", "--out", "new"], "a version is a whole number"),
        (["fit", "hf:", "--out", "new"], "names no data set"),
        (["fit", "table.csv", "--out", "new", "--rule", "oja", "--label", "no"], "no"),
        (["fit", "table.csv", "--out", "new", "--rule", "ojaa"], "did you mean oja"),
        (["fit", "table.csv", "--out", "new", "--rule", "oja", "--activation", "x"], "activation"),
        (["fit", "table.csv", "--out", "nowhere/new"], "does not exist"),
        (["fit", "table.csv", "--out", "."], "is a folder"),
        (["transform", "table.csv", "--encoder", "table.csv", "--out", "f.npy"], "safetensors"),
        (["transform", "table.csv", "--encoder", "no", "--out", "f.npy"], "cannot read no"),
        (["transform", "table.csv", "--encoder", "no", "--out", "f.doc"], "ending in .npy"),
        (
            ["transform", "table.csv", "--encoder", "encoder.safetensors", "--out", "f.npy"],
            "6 columns, but encoder.safetensors was fitted to 5",
        ),
        (["evaluate", "x.npy", "--rule", "oja"], "has no labels"),
        (["evaluate", "table.csv", "--label", "kind", "--learner", "pcs"], "unknown learner"),
        (
            ["evaluate", "table.csv", "--label", "kind", "--learner", "raw", "--shots", "21"],
            "ask for fewer shots",
        ),
        (["data", "check", "nan.npy"], "nan.npy"),
        (["data", "check", "words.npy"], "words.npy"),
    ],
)
def test_bad_input_is_status_2_in_one_line_and_writes_nothing(
    words: list[str],
    says: str,
    encoder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(encoder.parent)
    np.save("x.npy", np.zeros((3, 2)))
    np.save("nan.npy", np.array([[0.0, np.nan]]))
    np.save("words.npy", np.array([["a", "b"]]))
    before = {path: path.read_bytes() for path in Path().iterdir()}
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("metaplastic: ")
    assert says in last
    assert "Traceback" not in err
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_evaluate_prints_a_table_and_writes_every_draw(
    table: Path, capsys: pytest.CaptureFixture[str]
):
    out = table.with_name("result.json")
    words = ["evaluate", table, "--label", "kind", "--rule", "oja", "--learner", "raw", *NETWORK]
    words += ["--shots", 1, 5, "--draws", 3, "--seeds", 1]
    status, text, err = run(capsys, *words, "--out", out)
    assert status == 0
    assert "oja" in text
    assert "raw" in text
    assert "raw ..." in err
    records = json.loads(out.read_text())["records"]
    assert {(r["learner"], r["shots"], r["readout"]) for r in records} == {
        (learner, shots, readout)
        for learner in ("raw", "oja")
        for shots in (1, 5)
        for readout in ("ridge", "logistic")
    }
    status, text, _ = run(capsys, *words, "--json")
    rows = json.loads(text)
    assert len(rows) == 4
    assert all(50 < row["ridge"] <= 100 for row in rows)


def test_data_is_listed_and_checked(table: Path, capsys: pytest.CaptureFixture[str]):
    names = [row["name"] for row in json.loads(run(capsys, "data", "list", "--json")[1])]
    assert {"digits", "mnist14", "wine"} <= set(names)
    _, text, notes = run(capsys, "data", "list")
    assert text.count("\n") == len(names)
    assert "openml:NAME" in notes
    status, out, _ = run(capsys, "data", "check", table, "--label", "kind", "--json")
    assert status == 0
    found = json.loads(out)
    assert (found["rows"], found["columns"], found["classes"]) == (40, 5, 2)
    assert found["rows a class"] == "20 to 20"
    assert found["remarks"] == []
    shown = run(capsys, "data", "check", "iris")[1]
    assert "columns: 4" in shown
    assert "remark 1: 1 row repeats another one" in shown


def test_words_are_those_that_the_encoder_was_fitted_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    texts = ["good film, good cast", "bad film", "bad, bad plot", "good plot"] * 5
    Path("train.csv").write_text("review,label\n" + "".join(f'"{t}",x\n' for t in texts))
    Path("new.csv").write_text('review,stars\n"a new film, so good",5\n"bad words",1\n')
    network = ["--rule", "oja", *NETWORK]
    words = ["fit", "train.csv", "--text", "review", "--out", "encoder.safetensors", *network]
    assert run(capsys, *words)[0] == 0
    encoder, metadata = load_encoder(tmp_path / "encoder.safetensors")
    assert metadata["words"] == ["bad", "good", "film", "plot", "cast"]
    words = ["transform", "new.csv", "--text", "review", "--encoder", "encoder.safetensors"]
    assert run(capsys, *words, "--out", "features.npy")[0] == 0
    counts = np.array([[0, 1, 1, 0, 0], [1, 0, 0, 0, 0]])
    np.testing.assert_array_equal(np.load("features.npy"), encoder(counts))
    status, out, _ = run(capsys, "data", "check", "train.csv", "--text", "review", "--json")
    assert status == 0
    assert "16 rows repeat others" in json.loads(out)["remarks"][0]


@pytest.mark.slow
def test_texts_without_known_words_get_the_features_of_an_empty_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    # Texts of very different lengths, each of few of many words: they are weighted.
    names = [a + b for a in "abcdefgh" for b in "klmnop"]
    texts = [" ".join(names[i % 48 : i % 48 + 1 + i % 5] + names[:1] * (i % 7)) for i in range(60)]
    Path("train.csv").write_text("review\n" + "\n".join(texts) + "\n")
    Path("new.csv").write_text('review,n\n"",1\n"unheard words",2\nak,3\n')
    network = ["--rule", "oja", *NETWORK, "--out", "encoder.safetensors"]
    assert run(capsys, "fit", "train.csv", "--text", "review", *network)[0] == 0
    assert "counts" in load_encoder(tmp_path / "encoder.safetensors")[0].preparation.explain()
    words = ["transform", "new.csv", "--text", "review", "--encoder", "encoder.safetensors"]
    assert run(capsys, *words, "--out", "features.npy")[0] == 0
    empty, unknown, known = np.load("features.npy")
    np.testing.assert_array_equal(empty, unknown)
    assert np.all(np.isfinite(empty)) and not np.array_equal(empty, known)


def test_columns_must_be_those_that_the_encoder_was_fitted_to(
    table: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
):
    lines = table.read_text().splitlines()
    other = table.with_name("other.csv")
    words = ["transform", other, "--label", "kind", "--encoder", encoder]
    for header, says in (("b,a,c,d,e,kind", "another order"), ("a,b,c,d,f,kind", "lacks 'e'")):
        other.write_text("\n".join([header, *lines[1:]]))
        status, _, err = run(capsys, *words, "--out", table.with_name("new.npy"))
        assert status == 2
        assert says in err
        assert not table.with_name("new.npy").exists()


def test_data_that_a_library_keeps_on_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "mine").mkdir()
    rows = "".join(f"{i % 7},{i % 5},{i % 2}\n" for i in range(30))
    (tmp_path / "mine" / "train.csv").write_text(f"a,b,label\n{rows}")
    words = ["evaluate", f"hf:{tmp_path / 'mine'}", "--learner", "raw", "--draws", 2, "--seeds", 1]
    status, out, _ = run(capsys, *words, "--json")
    assert status == 0
    assert json.loads(out)[0]["learner"] == "raw"


@pytest.mark.slow
def test_the_published_rule_says_which_widths_work(table: Path, capsys: pytest.CaptureFixture[str]):
    words = ["fit", table, "--label", "kind", "--rule", "metz2018", "--out", "encoder.safetensors"]
    status, _, err = run(capsys, *words)
    assert status == 2
    assert "n_components=32 with n_networks=1, or 128 with 4" in err


@pytest.mark.slow
def test_the_published_rule_goes_through_all_commands(
    table: Path, capsys: pytest.CaptureFixture[str]
):
    encoder, out = table.with_name("encoder.safetensors"), table.with_name("features.npy")
    # One layer: compiling takes nearly all the time.
    rule = ["--label", "kind", "--rule", "metz2018", "--hidden-sizes", "", "--n-steps", "3"]
    rule += ["--n-components", "64", "--n-networks", "2", "--batch-size", "16"]
    assert run(capsys, "fit", table, "--out", encoder, *rule)[0] == 0
    words = ["--label", "kind", "--encoder", encoder, "--out", out]
    assert run(capsys, "transform", table, *words)[0] == 0
    assert np.load(out).shape == (40, 64)
    words = ["--learner", "raw", "--draws", 3, "--seeds", 1, "--json"]
    status, text, _ = run(capsys, "evaluate", table, *rule, *words)
    assert status == 0
    row = next(row for row in json.loads(text) if row["learner"] == "metz2018")
    assert row["ridge"] > 50
