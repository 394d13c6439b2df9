"""Examples in docstrings run and print what they say, all in this process."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

import metaplastic

SOURCE = Path(metaplastic.__file__).parent
EXAMPLE = re.compile(r"^\s*>>> ", re.MULTILINE)

WITH_EXAMPLE = [
    "metaplastic.FewShotClassifier",
    "metaplastic.RuleTransformer",
    "metaplastic.list_rules",
    "metaplastic.load_preset",
    "metaplastic.load_rule",
    "metaplastic.save_preset",
    "metaplastic.save_rule",
    "metaplastic.presets.Preset",
    "metaplastic.evaluation.evaluate",
    "metaplastic.learners.PCA",
    "metaplastic.rules.apply_rule",
    "metaplastic.data.list_sets",
    "metaplastic.data.load_set",
    "metaplastic.data.read_table",
    "metaplastic.evaluation.compare",
    "metaplastic.export.export_arrays",
    "metaplastic.learners.KMeansTriangle",
    "metaplastic.learners.plain_learner",
    "metaplastic.models.freeze",
    "metaplastic.models.init_mlp",
    "metaplastic.models.save_encoder",
    "metaplastic.objectives.ridge",
    "metaplastic.presets.plain_preset",
    "metaplastic.readings.ReadingPool",
    "metaplastic.rules.RuleSet",
    "metaplastic.suggest.suggest_rows",
]
"""Public names whose docstring must hold an example."""


def modules() -> list[str]:
    paths = [path for path in sorted(SOURCE.rglob("*.py")) if EXAMPLE.search(path.read_text())]
    names = [path.relative_to(SOURCE.parent).with_suffix("").parts for path in paths]
    return [".".join(parts) for parts in names]


@pytest.mark.parametrize("name", modules())
def test_examples_of_a_module_run(name: str):
    found = doctest.testmod(importlib.import_module(name.removesuffix(".__init__")))
    assert found.attempted > 0 or name.endswith("__init__")
    assert found.failed == 0


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_a_public_name_has_an_example(name: str):
    package, _, last = name.rpartition(".")
    assert EXAMPLE.search(getattr(importlib.import_module(package), last).__doc__ or "")
