"""The command line as a whole: help, wrong usage, errors in one line, interruption."""

import argparse
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import metaplastic
from metaplastic.cli import info, main
from metaplastic.errors import InputError
from metaplastic.trees import count_parameters

ROOT = Path(__file__).parents[2]
NAMES = [command.name for command in main.COMMANDS]


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main.main(list(words))
    out, err = capsys.readouterr()
    return status, out, err


def one_line(err: str) -> bool:
    return err.startswith("metaplastic") and err.count("\n") == 1 and "Traceback" not in err


@pytest.mark.parametrize("name", NAMES)
def test_help_has_an_example_and_prints_to_stdout(capsys: pytest.CaptureFixture[str], name: str):
    status, out, err = run(capsys, name, "--help")
    assert (status, err) == (0, "")
    assert f"metaplastic {name}" in out.split("examples:")[1]


@pytest.mark.parametrize("command", main.COMMANDS, ids=NAMES)
def test_examples_can_be_parsed(command):
    for example in command.examples:
        program, *words = example.split()
        assert program == "metaplastic"
        assert main.build_parser().parse_args(words).run is command.run


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fitt"],
        ["fit"],
        ["fit", "digits"],
        ["fit", "digits", "--out", "x", "--n-steps", "-1"],
        ["fit", "digits", "--out", "x", "--hidden-sizes", "16,none"],
        ["fit", "digits", "--out", "x", "--image-size", "16"],
        ["evaluate", "digits", "--shots", "0"],
        ["rules", "show"],
        ["data", "build", "everything"],
        ["meta-train"],
        ["meta-train", "--out", "x", "--executor", "cloud"],
        ["info", "--no-such-option"],
    ],
)
def test_wrong_usage_is_status_2_in_one_line(capsys: pytest.CaptureFixture[str], words: list[str]):
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    assert one_line(err)
    assert "--help" in err


def fails(error: BaseException):
    def raise_error(args: argparse.Namespace) -> int:
        raise error

    return raise_error


def with_run(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    changed = main.Command("info", "a", "b", (), info.COMMAND.arguments, fails(error))
    monkeypatch.setattr(main, "COMMANDS", (changed,))


def test_errors_of_the_package_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    with_run(monkeypatch, InputError("two\nlines"))
    assert run(capsys, "info") == (2, "", "metaplastic: two lines\n")
    status, _, err = run(capsys, "info", "--debug")
    assert status == 2
    assert "Traceback" in err


def test_interruption_is_status_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    with_run(monkeypatch, KeyboardInterrupt())
    assert run(capsys, "info") == (130, "", "metaplastic: interrupted\n")


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch):
    with_run(monkeypatch, RuntimeError("a fault of the package"))
    with pytest.raises(RuntimeError):
        main.main(["info"])


def test_module_runs_and_version_is_the_projects():
    done = subprocess.run(
        [sys.executable, "-m", "metaplastic", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert done.stdout.split() == ["metaplastic", project["version"]]
    assert metaplastic.__version__ == project["version"]


@pytest.mark.parametrize(
    ("words", "buffered", "status"),
    [
        (["data", "list"], True, 1),
        (["data", "list"], False, 1),
        (["--help"], True, 1),
        (["--help"], False, None),
    ],
)
def test_a_closed_pipe_is_no_traceback(words, buffered, status):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "metaplastic", *words],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        # What is buffered is written late: at exit, if nobody sees to it.
        env=os.environ | {"PYTHONUNBUFFERED": "" if buffered else "1"},
    )
    os.close(writer)
    # From some Python 3.11 on, argparse itself passes over what it cannot print.
    assert done.returncode == status if status is not None else done.returncode in (0, 1)
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


def test_info_tells_versions_and_devices(capsys: pytest.CaptureFixture[str]):
    status, out, _ = run(capsys, "info", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["versions"]["metaplastic"] == metaplastic.__version__
    assert "cpu" in str(found["devices"])
    assert "oja" in found["rules"]
    text = run(capsys, "info")[1]
    assert text.startswith("python: ")
    assert f"\nversions:\n  metaplastic: {metaplastic.__version__}\n" in text


def test_rules_are_listed_and_described(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert json.loads(run(capsys, "rules", "list", "--json")[1]) == metaplastic.list_rules()
    listed = run(capsys, "rules", "list")[1].splitlines()
    assert len(listed) == len(metaplastic.list_rules())
    path = tmp_path / "mine.safetensors"
    metaplastic.save_rule(path, metaplastic.load_rule("oja"), {"licence": "CC0-1.0"})
    status, out, _ = run(capsys, "rules", "show", str(path))
    assert status == 0
    assert "class: Oja" in out
    assert "metadata: licence: CC0-1.0" in out
    assert json.loads(run(capsys, "rules", "show", "oja", "--json")[1])["meta-parameters"] == 2
    base = json.loads(run(capsys, "rules", "show", "base", "--json")[1])
    rules = metaplastic.load_preset("base").rules.named()
    assert base["meta-parameters"] == count_parameters(rules["main"])
    for role in ("bounded", "sparse"):
        assert base[f"meta-parameters of its {role} rule"] == count_parameters(rules[role])


@pytest.mark.slow
def test_a_recorded_step_is_verified(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    recording = str(ROOT / "tests" / "rules" / "data" / "metz2018_step.npz")
    status, out, _ = run(capsys, "rules", "verify", "metz2018", recording)
    assert status == 0
    assert len(out.splitlines()) == 13
    assert out.splitlines()[-1] == "agrees (tolerance 0.0001)"
    words = ("rules", "verify", "metz2018", recording, "--tolerance", "1e-9", "--json")
    status, out, _ = run(capsys, *words)
    assert status == 1
    assert json.loads(out)["agrees"] is False
    status, _, err = run(capsys, "rules", "verify", "metz2018", str(tmp_path / "none.npz"))
    assert status == 2
    assert one_line(err)


def test_an_unknown_rule_names_the_nearest(capsys: pytest.CaptureFixture[str]):
    status, out, err = run(capsys, "rules", "show", "sangr")
    assert (status, out) == (2, "")
    assert one_line(err)
    assert "did you mean sanger" in err
