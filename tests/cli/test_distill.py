"""distill: who teaches whom, a short run, resuming, refusals."""

import dataclasses
import json
import tomllib
from pathlib import Path

import equinox as eqx
import numpy as np
import pytest

from metaplastic.cli import main
from metaplastic.meta.problem import split_rule
from metaplastic.presets import load_preset
from metaplastic.recipes.named import RECIPES
from metaplastic.recipes.recipe import build_buckets, build_rule
from metaplastic.recipes.teaching import Teaching, role_of, teachers
from metaplastic.recipes.training import distilled
from metaplastic.rules import load_rule
from metaplastic.rules.rule_set import TAUGHT

TINY = [
    "shapes=[{name='g',source='gaussian',features=6,widths=[4],batch_size=12,n_classes=2,"
    "n_tasks=1}]",
    "shots=2",
    "horizons=[5,10]",
    "outer.warmup=0",
]


def words(out: Path, *changes: str, rules: tuple[str, ...] = ("oja", "hebb")) -> list[str]:
    found = ["distill", *rules, "--out", str(out), "--light", "--no-evaluation"]
    for change in (*TINY, *changes):
        found += ["--set", change]
    return found


@pytest.mark.slow
def test_a_run_goes_on_where_it_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "run"
    first = words(out, "outer.n_updates=4", "teaching.student=0.25")
    assert main.main([*first, "--max-minutes", "0"]) == 0
    assert f"distill --out {out} --resume" in capsys.readouterr().err
    config = tomllib.loads((out / "config.toml").read_text())
    assert (config["start"], config["teaching"]["teacher"]) == ("hebb", "oja")
    assert config["teaching"]["student"] == 0.25
    go_on = ["distill", "--out", str(out), "--resume", "--no-evaluation", "--light", "--json"]
    assert main.main(go_on) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["updates"]) == ("finished", 4)
    taught, untaught = load_rule(out / "rule.safetensors"), load_rule("hebb")
    assert float(taught.learning_rate) != float(untaught.learning_rate)
    assert main.main([*words(out, rules=("sanger", "hebb")), "--resume"]) == 2
    assert "configuration" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ([], "needs a TEACHER and a STUDENT"),
        (["base"], "needs a TEACHER and a STUDENT"),
        (["base", "lokal"], "unknown rule 'lokal'; did you mean local"),
        (["bass", "local"], "unknown rule 'bass'; did you mean base"),
        (["base", "local", "--recipe", "none"], "unknown recipe 'none'"),
        (["base", "local", "--set", "teaching.weigth=1"], "did you mean weight"),
        (["oja", "hebb", "--set", "teaching.student=2.0", "--set", TINY[0]], "from 0 to 1"),
        (["metz2018", "hebb", "--set", TINY[0]], "cannot teach Hebb"),
        (["base", "local", "--set", "teaching.role=first"], "one of main, bounded, sparse"),
        (["base", "local", "--set", "teaching.role=sparse", "--set", TINY[0]], "no shape is for"),
        (["oja", "narrowed", "--set", TINY[0]], "alone can be narrowed, in the role 'main'"),
        (["base", "narrowed", "--set", "hidden=99", "--set", TINY[0]], "cannot be cut to 99"),
        (["--resume"], "holds no run to resume"),
        (["--resume", "--set", "clip=2.0"], "holds no run to resume"),
        (["--resume", "--recipe", "taught"], "name TEACHER and STUDENT too"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_written(
    extra: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    status = main.main(["distill", *extra, "--out", str(tmp_path / "run")])
    out, err = capsys.readouterr()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert says in err
    assert not (tmp_path / "run").exists()


def test_each_rule_of_a_preset_teaches_where_it_is_the_best():
    own = load_preset("base").rules
    kinds = {
        "dense": ("table", "relu", own.main),
        "bounded": ("table", "tanh", own.bounded),
        "sparse": ("topics", "relu", own.sparse),
        "sparse and bounded": ("topics", "tanh", own.sparse),
    }
    shape = RECIPES["small"].shapes[0]
    shapes = tuple(
        dataclasses.replace(shape, name=n, source=s, activation=a) for n, (s, a, _) in kinds.items()
    )
    recipe = distilled(dataclasses.replace(RECIPES["small"], shapes=shapes), "base", "hebb")
    buckets = build_buckets(recipe, split_rule(build_rule(recipe))[1])
    for bucket, (_, _, teacher) in zip(buckets, kinds.values(), strict=True):
        assert eqx.tree_equal(bucket.problem.teacher, teacher)
    assert teachers("oja").bounded is None


def test_one_rule_of_a_preset_teaches_its_own_shapes_and_can_be_narrowed():
    recipe = dataclasses.replace(RECIPES["taught"], hidden=3)
    for role in TAUGHT:
        rule = load_preset("base").rules.named()[role]
        own = dataclasses.replace(recipe, teaching=Teaching(role=role))
        found = distilled(own, "base", "narrowed")
        assert {role_of(shape) for shape in found.shapes} == {role}
        # Prepared texts are dense.
        texts = [shape.name for shape in found.shapes if shape.source == "texts"]
        assert texts == {"main": ["texts256-3"], "bounded": ["texts256-3t"]}.get(role, [])
        student = build_rule(found)
        assert student.hidden == 3 and student.with_outputs == rule.with_outputs
        np.testing.assert_array_equal(student.rates, rule.rates)
    fewer = build_rule(dataclasses.replace(found, n_messages=1, n_factors=2))
    assert (fewer.n_messages, fewer.n_factors) == (1, 2)


def test_students_by_name_start_untrained():
    recipe = RECIPES["taught"]
    assert distilled(recipe, "base", "local_strict").lateral is False
    assert distilled(recipe, "base", "metz2018").rule == "metz2018"
    assert distilled(recipe, "base", "runs/x.safetensors").start == "runs/x.safetensors"
    assert Teaching().teacher == ""
