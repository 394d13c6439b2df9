"""Runs that are kept: what tables and figures say of them."""

import json

import numpy as np
import pytest

from laboratory.runs import WINDOW, loss_figure, run_figure, run_table, updates_of
from metaplastic.recipes.config import change_recipe, named_recipe, recipe_text


@pytest.fixture
def folder(tmp_path):
    changes = ["start=studies/1/stage1/rule.safetensors", "outer.learning_rate=0.002"]
    recipe = change_recipe(named_recipe("small"), changes)
    for name in ("stage2", "stage3"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text(recipe_text(recipe))
    records = [
        {"kind": "update", "step": i, "loss": 1.0 / i, "seconds": 2.0 * i} for i in range(1, 61)
    ]
    records.append({"kind": "evaluation", "step": 60, "validation_loss": 0.5})
    text = "\n".join(map(json.dumps, records))
    (tmp_path / "stage2" / "metrics.jsonl").write_text(text)
    return tmp_path


def test_the_table_says_what_the_files_say(folder):
    table = run_table(folder, {"stage2": "stage 2", "stage3": "stage 3"})
    first = np.mean([1 / i for i in range(1, WINDOW + 1)])
    last = np.mean([1 / i for i in range(61 - WINDOW, 61)])
    assert table.rows[0][:4] == ("[stage 2](stage2/config.toml)", "stage1", "60", "2.0e-03")
    assert table.rows[0][5:] == ("120", f"{first:.3f}", f"{last:.3f}")
    # Without metrics, what was asked for.
    assert table.rows[1][2] == str(named_recipe("small").outer.n_updates)
    assert table.rows[1][5:] == ("-", "-", "-")


def test_curves_are_means_over_a_window(folder):
    figure = run_figure(folder, {"stage2": "stage 2", "stage3": "stage 3"})
    (line,) = [line for line in figure.axes[0].get_lines() if len(line.get_xdata()) > 2]
    losses = [update["loss"] for update in updates_of(folder / "stage2")]
    assert list(line.get_xdata()) == list(range(WINDOW, 61))
    assert line.get_ydata()[0] == pytest.approx(np.mean(losses[:WINDOW]))
    assert line.get_ydata()[-1] == pytest.approx(np.mean(losses[-WINDOW:]))
    assert loss_figure({"a": losses, "b": losses}).axes
