"""The command: measures, writes what follows, tells what is stale, refuses what cannot be done."""

import json

import pytest

from laboratory.command import main


@pytest.fixture
def run(tmp_path, make_study):
    folder = make_study(tmp_path)
    return folder, lambda *words: main(words, tmp_path / "studies")


def result_of(folder):
    return json.loads((folder / "result.json").read_text())


def test_a_study_is_measured_and_everything_that_follows_is_written(run, capsys):
    folder, command = run
    assert command("001", "--of", "5") == 0
    found = result_of(folder)
    assert found.pop("provenance")["seeds"] == [3]
    assert found == {"of": 5, "twice": 10, "count": 1, "pair": [1, 2]}
    assert "| 5 | 10 |" in (folder / "README.md").read_text()
    index = (folder.parents[1] / "docs" / "experiments.md").read_text()
    assert "[001 · Doubling](../studies/001-doubling/README.md)" in index
    assert "*What is twice two?* It is four ([more](../studies/000-base/README.md))." in index
    assert "10" in capsys.readouterr().out
    # The study sees what it found before.
    assert command("1") == 0
    assert result_of(folder)["count"] == 2


def test_quick_prints_and_writes_nothing(run, capsys):
    folder, command = run
    before = (folder / "README.md").read_text()
    for words in (("001", "--quick"), ("--quick", "001"), ("--quick",)):
        assert command(*words) == 0
        assert "2" in capsys.readouterr().out
    assert not (folder / "result.json").exists()
    assert (folder / "README.md").read_text() == before


def test_a_study_without_its_data_is_left_out_of_all_and_refused_alone(
    run, tmp_path, make_study, capsys
):
    _, command = run
    script = """
        "No data."
        from metaplastic.errors import MissingDataError

        def measure(call):
            raise MissingDataError("no fonts here")

        def tables(result):
            return {}
    """
    make_study(tmp_path, "000-missing", script=script)
    assert command("--quick") == 0
    out, error = capsys.readouterr()
    assert "left out: no fonts here" in error and "twice" in out
    assert command("000", "--quick") == 2


def test_what_is_stale_is_named_until_it_is_rendered(run, capsys):
    folder, command = run
    assert command("001") == 0 and command("--check") == 0
    found = result_of(folder) | {"twice": 7}
    (folder / "result.json").write_text(json.dumps(found))
    assert command("--check") == 1
    assert "studies/001-doubling/README.md is stale" in capsys.readouterr().err
    assert command("--render") == 0 and command("--check") == 0
    assert "| 2 | 7 |" in (folder / "README.md").read_text()
    index = folder.parents[1] / "docs" / "experiments.md"
    index.write_text("edited by hand")
    assert command("--check") == 1
    assert "docs/experiments.md is stale" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("002",), "no study 002; there are 001"),
        (("--render",), "is no JSON file"),
    ],
)
def test_what_cannot_be_done_is_one_line(run, capsys, words, message):
    folder, command = run
    (folder / "result.json").write_text("{")
    assert command(*words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_study_without_a_script_has_nothing_to_measure(tmp_path, make_study, capsys):
    readme = (make_study(tmp_path) / "README.md").read_text()
    readme = readme.replace("<!-- twice: begin -->\n<!-- twice: end -->\n", "")
    make_study(tmp_path, "003-told", readme, script="")
    assert main(["003"], tmp_path / "studies") == 2
    assert "nothing to measure" in capsys.readouterr().err


def test_two_studies_of_one_number_and_unknown_words_are_refused(run, tmp_path, make_study, capsys):
    _, command = run
    for words in ((), ("001", "--unknown")):
        with pytest.raises(SystemExit, match="2"):
            command(*words)
    make_study(tmp_path, "001-again")
    assert command("--check") == 2
    assert "two studies have the number 001" in capsys.readouterr().err
