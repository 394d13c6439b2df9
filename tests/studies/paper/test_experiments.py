"""Each experiment from a tiny configuration to its figures."""

import dataclasses
import json
import shutil
from types import SimpleNamespace

import equinox as eqx
import jax
import numpy as np
import pytest

from metaplastic.errors import InputError, MissingDataError
from metaplastic.evaluation.registry import Network
from metaplastic.meta.run import RunOptions
from metaplastic.meta.train import OuterConfig
from metaplastic.presets import load_preset
from metaplastic.presets.io import resolve
from metaplastic.recipes.recipe import Recipe
from metaplastic.recipes.shapes import Shape
from metaplastic.recipes.training import run_recipe
from metaplastic.report import Table, inline_svg
from metaplastic.rules import LocalRule, RuleSet, load_rule
from metaplastic.studies.paper import features, few_shot, meta_curves, permutation, text
from metaplastic.studies.paper.architecture import Architecture
from metaplastic.studies.paper.catalog import EXPERIMENTS
from metaplastic.studies.paper.common import UNTRAINED, Gain, outcome, to_record, to_row
from metaplastic.studies.paper.experiment import (
    Options,
    Progress,
    Subject,
    digest,
    preset_digest,
)
from metaplastic.studies.paper.features import Features
from metaplastic.studies.paper.few_shot import ONE_NETWORK, PUBLISHED, RULES, FewShot
from metaplastic.studies.paper.meta_curves import MetaCurves
from metaplastic.studies.paper.mismatch import Mismatch
from metaplastic.studies.paper.page import MARKS
from metaplastic.studies.paper.permutation import Permutation
from metaplastic.studies.paper.terms import Terms
from metaplastic.studies.paper.text import Text, read_reviews

FEW = {"n_draws": 2, "seeds": (3, 4)}
TINY = (
    FewShot(
        datasets=("iris",),
        others=("raw", "k-means", "label-propagation"),
        rules=("oja",),
        network=Network((6,), 4, n_steps=2, n_networks=1),
        shots=(1, 2),
        **FEW,
    ),
    Architecture(
        dataset="iris",
        depths=(1,),
        widths=(4,),
        activations=("step",),
        steps=(0, 2),
        depth=2,
        width=6,
        n_components=4,
        n_steps=2,
        shots=2,
        **FEW,
    ),
    Features(
        dataset="digits",
        steps=(0, 2),
        moon_steps=(0, 1, 2),
        hidden_sizes=(6,),
        n_components=4,
        n_fields=3,
        n_moons=60,
        shots=2,
        **FEW,
    ),
    Mismatch(
        dataset="iris",
        vae_steps=(0, 2),
        rule_steps=(0, 2),
        hidden_sizes=(6,),
        n_components=4,
        shots=2,
        **FEW,
    ),
    Terms(
        dataset="iris",
        steps=(0, 2),
        curve_step=1,
        hidden_sizes=(6,),
        n_components=4,
        batch_size=16,
        n_steps=2,
        shots=2,
        **FEW,
    ),
)


SMALL = LocalRule.create(key=jax.random.key(0), hidden=4)


@pytest.fixture
def subject(monkeypatch):
    # Another start would be another program to compile, for every shape.
    for module in ("architecture", "few_shot", "terms"):
        monkeypatch.setattr(f"metaplastic.studies.paper.{module}.untrained", lambda: resolve(SMALL))
    return Subject.load(SMALL)


def check(experiment, subject):
    """Runs it, checks what every experiment owes, and returns result, figures and verdict."""
    told = []
    result = json.loads(json.dumps(experiment.run(subject, Progress(told.append))))
    assert told
    tables, drawings = experiment.tables(result), experiment.figures(result)
    assert tables and all(isinstance(t, Table) and t.rows for t in tables.values())
    for stem, drawing in drawings.items():
        assert stem.startswith(experiment.name) and drawing.description
        assert inline_svg(drawing.figure, stem, drawing.description).startswith("<svg")
    verdict = experiment.verdict(result)
    assert verdict.outcome in MARKS and verdict.number and verdict.sentence.endswith(".")
    assert "nan" not in verdict.sentence + verdict.number
    return result, drawings, verdict


@pytest.mark.slow
@pytest.mark.parametrize("experiment", TINY, ids=lambda e: e.name)
def test_from_configuration_to_verdict(experiment, subject):
    result, drawings, _ = check(experiment, subject)
    assert drawings
    assert result["own"] == subject.name


TINY_TEXT = Text(
    updates=(1, 2), steps=(0, 2), hidden_sizes=(6,), n_components=4, n_networks=1, shots=2, **FEW
)
# The shape of the runs in cli/test_meta_train.py, whose compiled programs are kept.
TINY_RECIPE = Recipe(
    name="images",
    shapes=(Shape("g", "gaussian", 6, (4,), 12, 2, 1),),
    outer=OuterConfig(n_updates=2, warmup=1),
    shots=2,
    horizons=(5, 10),
    hidden=4,
)


@pytest.fixture
def words(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.poisson(1.0, (60, 12)), rng.integers(2, size=60)
    monkeypatch.setattr(text, "load_set", lambda name: text.Dataset("words", x, y, None, "", ""))
    monkeypatch.setitem(text.RECIPES, "images", TINY_RECIPE)


@pytest.mark.slow
def test_text_over_steps_and_checkpoints(subject, words):
    result, drawings, verdict = check(TINY_TEXT, subject)
    assert set(drawings) == {"text"}
    assert "of the rules meta-trained on letters" in verdict.sentence
    assert result["checkpoints"] == ["untrained rule", "1 updates", "2 updates"]
    assert {row["step"] for row in result["rows"]} == {0, 2, None}


@pytest.mark.slow
def test_text_with_checkpoints_of_a_run(subject, words, tmp_path):
    run_recipe(TINY_RECIPE, tmp_path / "run", RunOptions(evaluate_every=1), validate=False)
    experiment = dataclasses.replace(TINY_TEXT, meta_run=tmp_path / "run")
    found = experiment._checkpoints(Progress(print))
    assert list(found) == ["untrained rule", "1 updates", "2 updates"]
    # The rules of the run are those that the experiment makes itself from the same recipe.
    itself = TINY_TEXT._checkpoints(Progress(print))
    digests = [[digest(rule) for rule in each.values()] for each in (found, itself)]
    assert digests[0] == digests[1]
    first, _, last = digests[0]  # The rate of the first update is zero: warm-up.
    assert first != last
    shutil.rmtree(tmp_path / "run" / "rules")
    assert list(experiment._checkpoints(Progress(print))) == ["untrained rule", "2 updates"]


@pytest.mark.slow
def test_permuted_pixels(subject, monkeypatch):
    images = np.random.default_rng(0).integers(256, size=(40, 16, 16), dtype=np.uint8)
    glyphs = SimpleNamespace(images=images, labels=np.repeat(np.arange(4), 10))
    monkeypatch.setattr(permutation, "load_glyphs", lambda split: glyphs)
    tiny = Permutation(
        dataset="digits",
        n_classes=3,
        meta_steps=2,
        hidden_sizes=(6,),
        n_components=4,
        n_steps=2,
        shots=(2,),
        **FEW,
    )
    result, _, _ = check(tiny, subject)
    assert {row["pixels"] for row in result["rows"]} == {"pixels in place", "pixels permuted"}


@pytest.mark.slow
def test_meta_curves_of_the_shipped_rule(subject, monkeypatch):
    scores = iter(range(100))

    class Fake:
        def __init__(self, buckets, **options):
            pass

        def __call__(self, rule, step):
            return {"validation_accuracy": next(scores) / 100}

    monkeypatch.setattr(meta_curves, "Validator", Fake)
    monkeypatch.setattr(meta_curves, "build_buckets", lambda *args, **options: [])
    result, drawings, verdict = check(MetaCurves(), subject)
    assert set(drawings) == {"meta-curves", "meta-curves-before-after"}
    assert verdict.outcome == "holds" and "+1.0" in verdict.number
    assert len(list(meta_curves.stages(result))) == len(result["stages"])


def test_bags_of_words_are_scored_with_the_rule_for_them(subject, monkeypatch):
    other = LocalRule.create(key=jax.random.key(1), hidden=SMALL.element_in.shape[0])
    pair = dataclasses.replace(resolve(SMALL), rules=RuleSet(SMALL, sparse=other))
    scored = []

    class Fake:
        def __init__(self, source, **options):
            self.source = source

        def __call__(self, rule, step):
            scored.append((self.source, rule))
            return {"validation_accuracy": 0.5}

    monkeypatch.setattr(meta_curves, "Validator", Fake)
    shapes = "build_buckets", lambda recipe, *args, **options: recipe.shapes[0].source
    monkeypatch.setattr(meta_curves, *shapes)
    monkeypatch.setattr(meta_curves, "untrained", lambda: resolve(SMALL))
    subject = Subject("pair", pair, preset_digest(pair))
    MetaCurves()._measured(subject, Progress(lambda line: None))
    used = {source for source, rule in scored if eqx.tree_equal(rule, other)}
    assert used == {"writings", "topics"}
    assert {"glyphs", "table"} <= {source for source, rule in scored if eqx.tree_equal(rule, SMALL)}


def test_meta_curves_of_a_run(tmp_path, subject):
    for kind in (MetaCurves, Text):
        with pytest.raises(MissingDataError, match=r"is not there; name a"):
            kind.of(Options(run=tmp_path))
    with pytest.raises(MissingDataError, match="no folder"):
        Text.of(Options(imdb=tmp_path / "none"))
    point = {"kind": "evaluation", "step": 3, "validation_losses": {}, "validation_accuracies": {}}
    lines = [json.dumps({"kind": "update", "step": 4}), json.dumps(point)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    experiment = MetaCurves.of(Options(run=tmp_path))
    assert experiment.digest
    assert experiment._curves() == {"stages": [{"updates": 4}], "evaluations": [point]}


def test_every_experiment_says_what_it_is_and_takes_options():
    assert len(EXPERIMENTS) >= 6
    for name, kind in EXPERIMENTS.items():
        assert name == kind.name and kind.claim.endswith(".") and kind.method.endswith(".")
        full, quick = kind.of(Options()), kind.of(Options(quick=True, seed=7))
        assert json.loads(json.dumps(full.settings())) == full.settings()
        assert full.settings() != quick.settings()
        assert min(quick.seeds) >= 7
    assert 10_000 in EXPERIMENTS["architecture"].of(Options(wide=True)).settings()["widths"]


def test_figures_of_few_shot_show_the_best_and_what_to_compare_with():
    names = ["raw", *(f"other {i}" for i in range(8)), UNTRAINED, "mine"]
    rows = [{"learner": name, "mean": 0.1 * i} for i, name in enumerate(names)]
    shown = few_shot._drawn(rows, "mine")
    assert shown == ["raw", *(f"other {i}" for i in range(5, 8)), UNTRAINED, "mine"]
    published = [{"learner": name, "mean": 0.0} for name in PUBLISHED]
    assert set(PUBLISHED) <= set(few_shot._drawn([*rows, *published], "mine"))


def test_the_paper_s_own_number_stands_in_one_panel():
    rows = [
        {
            "learner": "mine",
            "dataset": name,
            "readout": readout,
            "shots": 10,
            "mean": 0.9,
            "standard_error": 0.0,
        }
        for name in ("mnist14", "digits")
        for readout in ("ridge", "logistic")
    ]
    for readout, wanted in (("ridge", {"mnist14"}), ("logistic", set())):
        figure = FewShot()._figure({"rows": rows, "own": "mine"}, readout).figure
        found = {
            axes.get_title(loc="left") or axes.get_title()
            for axes in figure.axes
            if any(80.0 in line.get_ydata() for line in axes.get_lines())
        }
        assert found == wanted


def test_terms_refuses_rules_that_it_cannot_take_apart():
    with pytest.raises(InputError, match="got Oja"):
        Terms().run(Subject.load("oja"), Progress(print))


def test_a_subject_is_told_by_all_that_it_is():
    rule = load_rule("oja")
    assert Subject.load("oja").digest == Subject.load(rule).digest
    assert Subject.load("oja").name == "oja" and Subject.load(rule).name == "Oja"
    changed = LocalRule.create(key=jax.random.key(1), hidden=4)
    again = LocalRule.create(key=jax.random.key(1), hidden=4, settle=7)
    assert len({Subject.load(r).digest for r in (rule, changed, again)}) == 3
    base = Subject.load("base")
    assert base.name == "base" and base.digest == preset_digest(load_preset("base"))


def test_reviews_of_a_folder(tmp_path):
    with pytest.raises(MissingDataError, match="no folder"):
        read_reviews(tmp_path / "none")
    for kind in ("neg", "pos", "unsup"):
        (tmp_path / "train" / kind).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "train" / kind / f"{i}_1.txt").write_text(f"{kind} film {i}")
    found = read_reviews(tmp_path)
    assert found.name == "IMDB reviews"
    assert found.x.shape[0] == 6 and sorted(found.y) == [0, 0, 0, 1, 1, 1]


def test_verdicts():
    assert [outcome(n, 2) for n in range(3)] == ["does not hold here", "holds partly", "holds"]
    assert Gain(3.0, 1.0).clear and not Gain(2.0, 1.0).clear and Gain(-3.0, 1.0).lost
    assert str(Gain(-1.25, 0.5)) == "-1.2 \u00b1 0.5" and str(Gain(1.0, float("nan"))) == "+1.0"


def test_rows_are_records_again():
    from metaplastic.evaluation import Record

    record = Record("a", "b", 1, "ridge", 0.5, 0.1, 1, 2, 0.1, 0.2, 3, ((0.25, 0.75),))
    row = {**json.loads(json.dumps(to_row(record))), "step": 3}
    assert to_record(row) == record


def test_measures_of_features():
    smooth = np.outer(np.arange(6.0), np.ones(6))[None]
    rough = np.random.default_rng(0).normal(size=(1, 6, 6))
    assert features.neighbour_correlation(smooth)[0] > 0.8
    assert abs(features.neighbour_correlation(rough)[0]) < 0.5
    assert features.neighbour_correlation(np.ones((1, 4, 4))) == [0.0]
    x = np.random.default_rng(1).normal(size=(500, 5)) * [1, 1, 1, 0, 0]
    assert features.dimension(features.spectrum(x)) == pytest.approx(3, abs=0.1)
    plane = features.to_plane(x)
    turned = plane @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    assert np.allclose(features.aligned([plane, turned])[1], plane)


def test_every_other_rule_is_a_learner_once_and_slow_ones_have_one_network():
    found = FewShot().learners(Subject.load("oja"))
    assert list(found)[-2:] == ["untrained rule", "oja"]
    assert set(RULES) <= found.keys()
    usual, own = FewShot().network, found["hebb"].preset.networks
    for rule, n_top in PUBLISHED.items():
        preset = found[rule].preset
        assert (preset.networks.n_networks, preset.networks.n_components) == (1, n_top)
        assert preset.networks.n_steps == ONE_NETWORK["n_steps"]
        assert preset.direct == preset.without_direct().direct != found["hebb"].preset.direct
    assert own.n_networks == usual.n_networks
