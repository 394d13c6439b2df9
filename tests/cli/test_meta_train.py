"""meta-train: configuration, a short run, resuming, interruption."""

import json
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from metaplastic.cli import main, running
from metaplastic.errors import ConfigurationError
from metaplastic.recipes.config import change_recipe, fingerprint, read_recipe, recipe_text
from metaplastic.recipes.named import RECIPES
from metaplastic.rules import load_rule

SMALL = RECIPES["small"]
# The shape and rule of studies/paper/test_experiments.py, whose compiled programs are kept.
TINY = [
    "shapes=[{name='g',source='gaussian',features=6,widths=[4],batch_size=12,n_classes=2,"
    "n_tasks=1}]",
    "hidden=4",
    "shots=2",
    "horizons=[5,10]",
    "outer.warmup=0",
]
# A hand-designed rule, whose rate is meta-trained: its programs compile in a moment.
QUICK = ["start='oja'"]


def words(out: Path, *changes: str) -> list[str]:
    found = ["meta-train", "--recipe", "small", "--out", str(out), "--evaluate-every", "100000"]
    for change in (*TINY, *changes):
        found += ["--set", change]
    return found


def test_help_names_every_recipe(capsys: pytest.CaptureFixture[str]):
    assert sorted(running.RECIPES) == sorted(RECIPES)
    assert main.main(["meta-train", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert f"where to start from: {', '.join(running.RECIPES)} (base; with" in words


@pytest.mark.parametrize("name", list(RECIPES))
def test_recipes_are_read_as_written(name: str, tmp_path: Path):
    path = tmp_path / "config.toml"
    path.write_text(recipe_text(RECIPES[name]))
    assert read_recipe(path, SMALL) == RECIPES[name]


def test_a_file_need_not_be_complete(tmp_path: Path):
    path = tmp_path / "config.toml"
    path.write_text("clip = 2\n[outer]\nn_updates = 5\nwarmup = 0\n")
    found = read_recipe(path, SMALL)
    assert found == change_recipe(SMALL, ["clip=2.0", "outer.n_updates=5", "outer.warmup=0"])
    assert found.outer.learning_rate == SMALL.outer.learning_rate
    assert fingerprint(found) != fingerprint(SMALL)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("clip", "key=value"),
        ("outer.n_update=3", "did you mean n_updates"),
        ("shapes.7.n_tasks=3", "entries are 0 to 1"),
        ("seed.x=1", "nothing below a plain value"),
        ("nothing.x=1", "there is no 'nothing'"),
        ("horizons=[1]", "takes 2 values"),
        ("clip=high", "clip must be float"),
        ("clip=nan", "clip must be float"),
        ("seed=1.5", "seed must be int"),
        ("lateral=1", "lateral must be bool"),
        ("outer=3", "outer must be a table"),
        ("outer.n_updates=0", "n_updates must be at least 1"),
        ("shapes=[{name='a'}]", "missing batch_size"),
        ("shapes=3", "shapes must be a list"),
    ],
)
def test_wrong_changes_are_refused(change: str, says: str):
    with pytest.raises(ConfigurationError, match=says.replace("[", r"\[")):
        change_recipe(SMALL, [change])


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (["--recipe", "none"], "unknown recipe"),
        (["--config", "nothing.toml"], "cannot read nothing.toml"),
        (["--set", "x=1"], "unknown key x"),
        (["--resume"], "holds no run to resume"),
        (["--resume", "--set", "clip=2"], "holds no run to resume"),
    ],
)
def test_wrong_words_make_no_directory(
    extra: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    status = main.main(["meta-train", "--out", str(tmp_path / "run"), *extra])
    out, err = capsys.readouterr()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("own", [True, False])
def test_only_its_own_process_keeps_freed_memory(monkeypatch, tmp_path, own):
    kept = []
    monkeypatch.setattr("metaplastic.meta.devices.keep_freed_memory", lambda: kept.append(1))
    words = ["meta-train", "--recipe", "none", "--out", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", ["metaplastic", *words])
    assert main.main(None if own else words) == 2
    assert bool(kept) is own


@pytest.mark.slow
def test_a_run_is_finished_and_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "run"
    assert main.main([*words(out, *QUICK, "outer.n_updates=2"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["updates"]) == ("finished", 2)
    load_rule(out / "rule.safetensors")
    config = tomllib.loads((out / "config.toml").read_text())
    assert config["outer"]["n_updates"] == 2
    before = (out / "rule.safetensors").read_bytes()
    longer = words(out, *QUICK, "outer.n_updates=3")
    assert main.main(longer) == 2
    assert "not empty" in capsys.readouterr().err
    assert main.main([*longer, "--resume"]) == 2
    assert (out / "rule.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ([], []),
        (["--set", "cluster.deadline=7.0"], ["cluster.deadline=7.0"]),
        (["--config", "more.toml"], ["cluster.max_staleness=3"]),
        (
            ["--config", "more.toml", "--set", "cluster.max_staleness=5"],
            ["cluster.max_staleness=5"],
        ),
    ],
)
def test_resuming_starts_from_the_runs_own_recipe(
    words: list[str], changes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    own = change_recipe(SMALL, TINY)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text(recipe_text(own))
    (tmp_path / "more.toml").write_text("[cluster]\nmax_staleness = 3\n")
    asked = []

    def stop(recipe, *_, **__):
        asked.append(recipe)
        raise ConfigurationError("stopped here")

    monkeypatch.setattr("metaplastic.recipes.training.run_recipe", stop)
    assert main.main(["meta-train", "--out", "run", "--resume", *words]) == 2
    assert asked == [change_recipe(own, changes)]
    assert fingerprint(asked[0]) == fingerprint(own)
    # A recipe that is named stands.
    assert main.main(["meta-train", "--out", "run", "--resume", "--recipe", "small"]) == 2
    assert asked[1] == SMALL


@pytest.mark.slow
def test_ctrl_c_saves_and_is_status_130_and_the_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "metaplastic", *words(out, *QUICK, "outer.n_updates=100000")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    metrics = out / "metrics.jsonl"
    try:
        while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "status: interrupted" in text
    load_rule(out / "rule.safetensors")
    resume = ["meta-train", "--out", str(out), "--resume", "--max-minutes", "0", "--json"]
    assert main.main(resume) == 0
    found = json.loads(capsys.readouterr().out)
    interrupted = int(text.split("updates: ")[1].split()[0])
    assert found["status"] == "out_of_time"
    assert found["updates"] == interrupted + 1


@pytest.mark.slow
def test_light_checkpoints_without_evaluation(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "run"
    light = ["--light", "--no-evaluation"]
    first = words(out, "outer.n_updates=3")
    assert main.main([*first, *light, "--max-minutes", "0"]) == 0
    assert "status: out_of_time" in capsys.readouterr().out
    (stored,) = (out / "checkpoints").glob("*.safetensors")
    assert not [name for name in load_file(stored) if name.startswith(".tasks")]
    assert main.main(["meta-train", "--out", str(out), "--resume", *light]) == 0
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [(r["kind"], r["step"]) for r in records] == [("update", n) for n in (1, 2, 3)]
