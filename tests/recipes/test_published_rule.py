"""The published rule does what any rule does: meta-trained by the command line, saved, and used."""

import json
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np
import pytest

from metaplastic.cli import main
from metaplastic.data.glyphs import SIDE, GlyphSet, _save, glyph_path
from metaplastic.errors import DivergenceError, InputError
from metaplastic.evaluation import evaluate
from metaplastic.learners import Raw, plain_learner
from metaplastic.recipes.recipe import build_rule
from metaplastic.recipes.training import recipe_to_resume
from metaplastic.rules import Metz2018, load_rule
from metaplastic.sklearn import RuleTransformer
from metaplastic.trees import all_finite

# One layer: compiling takes nearly all the time.
SHAPE = (
    "{name='glyphs8-1',source='glyphs',features=8,widths=[8],batch_size=8,n_classes=3,n_tasks=1}"
)
CHANGES = (
    f"shapes=[{SHAPE}]",
    "outer.n_updates=2",
    "outer.warmup=0",
    "steps_per_loss=2",
    "truncation=1",
    "shots=2",
    "horizons=[2,4]",
)
# One architecture for every use, so that it is compiled once.
SIZES = {
    "hidden_sizes": (),
    "n_components": 8,
    "activation": "relu",
    "n_steps": 4,
    "batch_size": 8,
    "n_networks": 1,
}
NETWORK = ["--hidden-sizes", "", "--n-components", 8, "--n-networks", 1, "--batch-size", 8]


class Labelled(NamedTuple):
    name: str
    x: np.ndarray
    y: np.ndarray


@pytest.fixture(scope="module")
def data() -> Labelled:
    y = np.repeat([0, 1], 20)
    x = np.random.default_rng(0).normal(size=(40, 5)) + 3 * y[:, None]
    return Labelled("two clusters", x.astype(np.float32), y)


@pytest.fixture(scope="module")
def glyphs(tmp_path_factory):
    """A folder with glyphs of five made-up characters, in place of rendered fonts."""
    folder = tmp_path_factory.mktemp("glyphs")
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(5, dtype=np.int32), 10)
    images = generator.integers(0, 256, (5, SIDE, SIDE))[labels] // 2
    images = (images + generator.integers(0, 100, images.shape)).astype(np.uint8)
    for split in ("train", "validation"):
        made = GlyphSet(images, labels, np.zeros(50, np.int32), tuple("abcde"), ("x",) * 5, ("f",))
        _save(glyph_path(split, folder), made, split)
    return folder


@pytest.fixture(scope="module")
def trained(glyphs: Path, tmp_path_factory) -> Path:
    """The directory of a run of two updates, truncated backprop with augmentation targets."""
    out = tmp_path_factory.mktemp("runs") / "run"
    words = ["meta-train", "--recipe", "metz2018_small", "--out", str(out)]
    for change in CHANGES:
        words += ["--set", change]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METAPLASTIC_DATA", str(glyphs))
        assert main.main([*words, "--no-evaluation"]) == 0
    return out


def run(capsys, *words: object) -> tuple[int, str]:
    status = main.main([str(word) for word in words])
    return status, capsys.readouterr().out


@pytest.mark.slow
def test_it_is_meta_trained_and_saved(trained: Path):
    records = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    losses = [record["loss"] for record in records if "loss" in record]
    assert losses and np.all(np.isfinite(losses))
    recipe = recipe_to_resume(trained)
    assert (recipe.name, recipe.score, recipe.regress) == ("metz2018_small", "published", True)
    found, start = load_rule(trained / "rule.safetensors"), build_rule(recipe)
    assert isinstance(found, Metz2018)
    assert (found.n_top, found.learning_rate, found.equivariant) == (8, 0.02, False)
    assert all_finite(found) and not eqx.tree_equal(found, start)


@pytest.mark.slow
def test_a_trained_one_is_evaluated_as_any_learner(trained: Path, data: Labelled):
    rule = load_rule(trained / "rule.safetensors")
    learners = {"raw": Raw(), "published": plain_learner(rule, **SIZES)}
    records = evaluate(learners, data, shots=(2,), n_draws=3, seeds=(0,))
    assert {record.learner for record in records} == {"raw", "published"}
    assert all(0.0 <= record.mean <= 1.0 for record in records)


@pytest.mark.slow
def test_a_trained_one_is_taken_by_the_transformer(trained: Path, data: Labelled):
    path = trained / "rule.safetensors"
    settings = {"hidden_sizes": (), "n_components": 8, "n_networks": 1, "batch_size": 8}
    by_path = RuleTransformer(rule=str(path), n_steps=4, random_state=0, **settings)
    by_rule = RuleTransformer(rule=load_rule(path), n_steps=4, random_state=0, **settings)
    features = by_path.fit_transform(data.x)
    assert features.shape == (40, 8) and np.all(np.isfinite(features))
    np.testing.assert_array_equal(features, by_rule.fit_transform(data.x))
    with pytest.raises(InputError, match="needs 8 units in the top layer of every network, got 9"):
        RuleTransformer(rule=str(path), **settings | {"n_components": 9}).fit(data.x)


@pytest.mark.slow
def test_a_trained_one_goes_through_all_commands(trained, data, tmp_path, capsys):
    rule, table = trained / "rule.safetensors", tmp_path / "table.npz"
    np.savez(table, x=data.x, y=data.y)
    encoder, out = tmp_path / "encoder.safetensors", tmp_path / "features.npy"
    words = ["--rule", rule, *NETWORK, "--n-steps", 4]
    assert run(capsys, "fit", table, "--out", encoder, *words)[0] == 0
    assert run(capsys, "transform", table, "--encoder", encoder, "--out", out)[0] == 0
    assert np.load(out).shape == (40, 8)
    scored = [*words, "--learner", "raw", "--shots", 2, "--draws", 3, "--seeds", 1, "--json"]
    status, text = run(capsys, "evaluate", table, *scored)
    assert status == 0
    assert {row["learner"] for row in json.loads(text)} == {"raw", str(rule)}
    status, text = run(capsys, "rules", "show", rule, "--json")
    shown = json.loads(text)
    assert status == 0
    assert (shown["class"], shown["locality"]) == ("Metz2018", "network")
    assert shown["metadata: recipe"] == "metz2018_small"


@pytest.fixture
def learner():
    def make(change=lambda leaf: leaf):
        rule = Metz2018.create(key=jax.random.key(0), n_top=8, learning_rate=0.02)
        return plain_learner(jax.tree.map(change, rule), **SIZES)

    return make


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1, 5)), "at least 2 rows"),
        (np.full((9, 5), np.nan), "hold NaN"),
        (np.zeros(9), "two dimensions"),
    ],
    ids=["one row", "nan", "one dimension"],
)
def test_bad_pools_are_refused(learner, x, message):
    with pytest.raises(InputError, match=message):
        learner().fit(x, seed=0)


@pytest.mark.slow
def test_constant_pools_have_finite_features(learner):
    pool = np.ones((9, 5), np.float32)
    features = learner().fit(pool, seed=0)(pool)
    assert features.shape == (9, 8) and np.all(np.isfinite(features))


@pytest.mark.slow
def test_a_theta_that_is_not_finite_is_told(learner, data):
    with pytest.raises(DivergenceError, match="Metz2018 diverged between inner steps 0 and 4"):
        learner(lambda leaf: leaf * np.nan).fit(data.x, seed=0)
