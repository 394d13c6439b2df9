"""Recipes: the rules and tasks that they start from."""

import dataclasses

import equinox as eqx
import jax
import numpy as np
import pytest

from metaplastic.data import GlossSet, PictureSet, WritingSet
from metaplastic.errors import ConfigurationError, InputError
from metaplastic.meta.problem import RuleProblem, split_rule
from metaplastic.meta.train import OuterConfig
from metaplastic.models import PLAIN, PresentationSettings
from metaplastic.objectives import LabelSpreading
from metaplastic.presets import load_preset
from metaplastic.recipes import sources, training
from metaplastic.recipes.named import RECIPES
from metaplastic.recipes.recipe import SEEN, Recipe, build_buckets, build_rule
from metaplastic.recipes.shapes import Shape
from metaplastic.rules import LocalRule, Metz2018, load_rule
from metaplastic.rules.local import told_outputs
from metaplastic.tasks import Augmentation

# As `metz2018_small`, but with a source that needs no fonts.
TINY = Recipe(
    name="metz2018_tiny",
    shapes=(Shape("gaussian-2", "gaussian", 6, (8, 8), 8, 2, 1),),
    outer=OuterConfig(n_updates=2, learning_rate=2e-3, warmup=0),
    rule="metz2018",
    inner_rate=0.02,
    steps_per_loss=2,
    shots=2,
    horizons=(2, 4),
    score="published",
)


def with_tops(rule: str, *units: int) -> Recipe:
    shape = TINY.shapes[0]
    shapes = tuple(dataclasses.replace(shape, name=f"{n}", widths=(8, n)) for n in units)
    return dataclasses.replace(TINY, rule=rule, shapes=shapes)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rate"), [("metz2018", 1e-4), ("metz2018_small", 0.02)])
def test_the_published_rule_starts_with_the_recipes_top_layer_and_rate(name, rate):
    rule = build_rule(RECIPES[name])
    assert isinstance(rule, Metz2018)
    assert (rule.n_top, rule.learning_rate, rule.equivariant) == (32, rate, False)


def test_different_top_layers_are_refused_but_by_the_equivariant_variant():
    message = r"same top layer in all shapes, got \[8, 16\] units; .* metz2018_equivariant"
    with pytest.raises(ConfigurationError, match=message):
        build_rule(with_tops("metz2018", 16, 8))
    rule = build_rule(with_tops("metz2018_equivariant", 16, 8))
    assert isinstance(rule, Metz2018)
    assert rule.equivariant and rule.n_top is None


def test_an_unknown_rule_is_refused():
    message = (
        "unknown rule 'metz'; choose local, context, narrowed, metz2018 or metz2018_equivariant"
    )
    with pytest.raises(ConfigurationError, match=message):
        build_rule(with_tops("metz", 8))


@pytest.mark.slow
def test_a_trained_local_rule_is_widened_and_told_the_outputs():
    start = load_rule("base")
    assert isinstance(start, LocalRule)
    hidden = start.element_in.shape[0]
    n_element = told_outputs(start).element_in.shape[1]
    recipe = dataclasses.replace(
        TINY, start="base", hidden=hidden + 3, settle=start.settle + 1, with_outputs=True
    )
    rule = build_rule(recipe)
    assert isinstance(rule, LocalRule)
    assert rule.settle == start.settle + 1 and rule.with_outputs
    assert rule.element_in.shape == (hidden + 3, n_element)
    known = start.element_in.shape[1]
    np.testing.assert_array_equal(rule.element_in[:hidden, :known], start.element_in)
    same = build_rule(dataclasses.replace(TINY, start="base", hidden=1))
    assert eqx.tree_equal(same, start)


def test_one_rule_of_a_preset_can_be_the_start():
    known = load_preset("base").rules.named()
    for role in ("main", "bounded"):
        found = build_rule(dataclasses.replace(TINY, start=f"base:{role}", hidden=1))
        assert eqx.tree_equal(found, known[role])
    with pytest.raises(ConfigurationError, match="base has no rule in the role 'top'; its roles"):
        build_rule(dataclasses.replace(TINY, start="base:top"))
    named = dataclasses.replace(TINY, start="base-0.1:bounded", hidden=1)
    assert isinstance(build_rule(named), LocalRule)
    start = training._origin(named)["start"]
    assert start["role"] == "bounded" and start["recipe"]
    with pytest.raises(InputError, match="unknown rule 'oja:main'"):
        build_rule(dataclasses.replace(TINY, start="oja:main"))


def rows_of(tasks):
    """Shape of five rows of a task."""

    def rows(key):
        return tasks.unlabelled(tasks.sample(key=key), 5, key=key)

    return jax.eval_shape(rows, jax.random.key(0)).shape


@pytest.mark.slow
def test_every_source_of_shapes_makes_tasks(monkeypatch):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (30, 20, 20)).astype(np.uint8)
    pictures = PictureSet(images, ("drawing",) * 30)
    monkeypatch.setattr(sources, "load_pictures", lambda split: pictures)
    ranks = generator.integers(0, 9, 400).astype(np.uint16)
    ends = np.arange(0, 401, 100, dtype=np.int32)
    writings = WritingSet(ranks, ends, np.zeros(4, np.int32), ("a", "b", "c", "d"))
    monkeypatch.setattr(sources, "load_writings", lambda split: writings)
    rows = generator.normal(size=(40, 8)).astype(np.float16)
    glosses = GlossSet(rows, ends[:5] // 10, np.zeros(4, np.int32), ("a", "b", "c", "d"))
    monkeypatch.setattr(sources, "load_glosses", lambda split: glosses)
    drawn = ("strokes", "silhouettes")
    names = (
        "pictures",
        *drawn,
        "writings",
        "texts",
        "glosses",
        "gaussian",
        "manifold",
        "prototypes",
        "table",
        "topics",
    )
    shapes = tuple(
        Shape(
            name,
            name,
            6,
            (5, 4),
            8,
            3,
            2,
            shots=7 if name == "table" else 0,
            direct=name != "topics",
        )
        for name in names
    )
    rule = build_rule(dataclasses.replace(TINY, rule="local"))
    buckets = build_buckets(dataclasses.replace(TINY, shapes=shapes), split_rule(rule)[1])
    for bucket, name in zip(buckets, names, strict=True):
        problem = bucket.problem
        assert isinstance(problem, RuleProblem)
        assert problem.sizes == (36 if name in ("pictures", *drawn) else 6, 5, 4)
        assert problem.shots == (7 if name == "table" else 2)
        # Neither unless the recipe asks for it.
        assert problem.direct is None and problem.presentation == PLAIN
        # What is drawn is tested with the sources; here nothing need be compiled.
        assert rows_of(problem.tasks) == (5, problem.sizes[0])
    asked = dataclasses.replace(TINY, shapes=shapes[-2:], direct=True, whitening=0.25)
    table, topics = (bucket.problem for bucket in build_buckets(asked, split_rule(rule)[1]))
    assert table.direct == SEEN and topics.direct is None
    assert table.presentation == topics.presentation == PresentationSettings(whitening=0.25)
    assert table.second is None
    plainer = dataclasses.replace(asked, shapes=shapes[:1], deform=0.5, shade=0.9)
    (pictures,) = (bucket.problem for bucket in build_buckets(plainer, split_rule(rule)[1]))
    assert pictures.tasks.augmentation == Augmentation(shade=0.9).scaled(0.5)
    shape = dataclasses.replace(shapes[-2], queries=9)
    spread = dataclasses.replace(TINY, shapes=(shape,), spread=0.3, labels=(2,))
    (table,) = (bucket.problem for bucket in build_buckets(spread, split_rule(rule)[1]))
    assert (table.second, table.share, table.queries) == (LabelSpreading((2,)), 0.3, 9)
    unknown = (dataclasses.replace(shapes[0], source="tables"),)
    with pytest.raises(
        ConfigurationError, match="choose one of glyphs, pictures, strokes, silhouettes, writings"
    ):
        build_buckets(dataclasses.replace(TINY, shapes=unknown), split_rule(rule)[1])


def test_a_rule_file_says_where_its_training_started():
    found = training._origin(dataclasses.replace(TINY, start="base"))["start"]
    assert found["recipe"] == "mixed" and found["updates"] == 400
    assert training._origin(TINY) == training._origin(dataclasses.replace(TINY, start="oja"))
