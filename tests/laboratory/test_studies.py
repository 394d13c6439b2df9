"""The studies that are there: whole, rendered, rerun by what they name, no file too large."""

import json
import re

import pytest

from laboratory.command import main
from laboratory.study import ROOT, STUDIES, folders, load_study
from metaplastic.recipes.config import named_recipe, read_recipe
from metaplastic.recipes.teaching import preset_and_role, start_rule
from metaplastic.rules import list_rules
from metaplastic.rules.io import load_rule_file

MOST_BYTES = 1_000_000
FOLDERS = folders()
KEYS = {"seeds", "commit", "versions", "machine"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_study_is_whole(folder):
    study = load_study(folder)
    command = study.text.sections["Command"]
    if study.script is None:
        # Nothing measures it again, and it says so.
        assert "No command" in command and study.result is None
    else:
        assert study.script.__doc__ and study.has("tables")
        assert f"python studies {study.number}" in command
    if study.has("measure"):
        assert len({*study.script.SEEDS}) == len(study.script.SEEDS)
    if study.result is not None:
        parts = [study.result] if "provenance" in study.result else study.result.values()
        assert all(part["provenance"].keys() >= KEYS for part in parts)
    assert (folder / "figure.png").exists() == (
        "](figure.png)" in (folder / "README.md").read_text()
    )


def test_documents_say_what_the_results_say(capsys):
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_links_lead_somewhere():
    for folder in FOLDERS:
        text = (folder / "README.md").read_text("utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (folder / target).exists(), (folder.name, target)


def test_no_file_is_large_and_none_names_this_machine():
    for path in STUDIES.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            ignored = path.parent.name == "page" and path.suffix != ".json"
            assert ignored or path.stat().st_size < MOST_BYTES, path
            if path.suffix in (".json", ".md", ".toml", ".py"):
                assert str(ROOT) not in path.read_text("utf-8"), path


@pytest.mark.parametrize(
    "path", sorted(STUDIES.glob("*/*/config.toml")), ids=lambda path: path.parent.name
)
def test_a_kept_run_can_be_started_again(path):
    recipe = read_recipe(path, named_recipe("base"))
    if preset_and_role(recipe.start)[1]:
        assert start_rule(recipe.start)
    else:
        assert recipe.start in list_rules() or (ROOT / recipe.start).is_file()
    rule = path.with_name("rule.safetensors")
    if rule.exists():
        load_rule_file(rule)
        lines = path.with_name("metrics.jsonl").read_text().splitlines()
        assert all(json.loads(line)["step"] for line in (lines[0], lines[-1]))
