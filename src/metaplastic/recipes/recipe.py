"""The recipe that makes the shipped rule `base`, and a small one to try things with.

A recipe is a frozen dataclass of plain values (so a TOML file can state it) and builds a rule,
its buckets, the estimator and the settings of the outer loop.
"""

import dataclasses
import itertools
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from metaplastic.data import (
    AbstractSource,
    GaussianMixture,
    HiddenManifold,
    ImageSource,
    MixedTable,
    PenStrokes,
    Prototypes,
    Silhouettes,
    SparseTopics,
    WordSource,
    load_glyphs,
    load_pictures,
    load_writings,
)
from metaplastic.errors import ConfigurationError
from metaplastic.gradients import PES, AbstractGradientEstimator, AntitheticES, TruncatedBackprop
from metaplastic.meta.executor import Bucket
from metaplastic.meta.problem import RuleProblem
from metaplastic.meta.teaching import TeachingProblem
from metaplastic.meta.train import OuterConfig
from metaplastic.models import DirectSettings, PresentationSettings
from metaplastic.objectives import FewShotRidge
from metaplastic.recipes.shapes import (
    BASE_SHAPES,
    BROAD_SHAPES,
    DRAWN_SHAPES,
    MIXED_SHAPES,
    TAUGHT_SHAPES,
    TAUGHT_WITH_32_TOPS,
    WRITINGS,
    Shape,
)
from metaplastic.recipes.teaching import Teaching, is_sparse, teachers
from metaplastic.rules import AbstractUpdateRule, LocalRule, Metz2018, RuleSet
from metaplastic.rules.catalog import load_rule
from metaplastic.rules.local import ContextRule, told_outputs, widened
from metaplastic.scale import ClusterSettings
from metaplastic.tasks import Augmentation, SourceTasks

SEEN = DirectSettings(components=32)
"""Direct features that the readout of a meta-loss sees. An encoder has more of them: that was
settled after the shipped rules had been trained."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A complete meta-training experiment.

    `start` is the rule to start from, a name or path that `load_rule` takes (a `local` one is
    widened to `hidden` units if it has fewer); left empty, it is an untrained `rule`: `local` with
    `hidden` units, `lateral` or not, the same in a `context`, or `metz2018` or
    `metz2018_equivariant` with the inner learning rate `inner_rate`, `unit_norm` or not. With a
    teacher in `teaching` the rule is taught and not meta-trained. `regress` makes the
    augmentation's coefficients extra targets. `settle` and `with_outputs` are those of `LocalRule`.
    `direct` lets the readout of the meta-loss see inputs beside the learned features; `whitening`
    is that of `PresentationSettings`. `own` is that of `WordSource` for writings, `shade` that of
    `Augmentation` for pictures, `rows` that of `SourceTasks`. `cluster` is used by the executor
    `ray` and is no part of what identifies a run. The other fields are those of the classes that
    they configure; `truncation` is in meta-losses (`steps_per_loss` inner steps each).
    """

    name: str
    shapes: tuple[Shape, ...]
    outer: OuterConfig
    start: str = ""
    rule: str = "local"
    hidden: int = 24
    lateral: bool = True
    inner_rate: float = 1e-4
    unit_norm: bool = False
    estimator: str = "truncated"
    truncation: int = 2
    sigma: float = 0.01
    steps_per_loss: int = 5
    shots: int = 10
    horizons: tuple[int, int] = (10, 400)
    clip: float = 1.0
    ridge: float = 0.1
    score: str = "cosine"
    regress: bool = False
    own: tuple[float, float] = (0.2, 1.0)
    shade: float = 0.0
    rows: tuple[int, int] = (0, 0)
    direct: bool = False
    settle: int = 0
    with_outputs: bool = False
    whitening: float = 0.0
    seed: int = 0
    teaching: Teaching = dataclasses.field(default_factory=Teaching)
    cluster: ClusterSettings = dataclasses.field(default_factory=ClusterSettings)


RECIPES: dict[str, Recipe] = {
    "base": Recipe(
        name="base",
        shapes=BASE_SHAPES,
        outer=OuterConfig(n_updates=3200, learning_rate=3e-3, warmup=60, average=0.99),
        shots=5,
        horizons=(10, 250),
        hidden=48,
        direct=True,
    ),
    "broad": Recipe(
        name="broad",
        shapes=BROAD_SHAPES,
        outer=OuterConfig(n_updates=1000, learning_rate=1.5e-3, warmup=60, average=0.995),
        start="base",
        shots=5,
        horizons=(10, 600),
        own=(0.1, 0.8),
        shade=1.2,
        rows=(200, 20_000),
        hidden=48,
        direct=True,
        settle=100,
        whitening=0.25,
    ),
    "drawn": Recipe(
        name="drawn",
        shapes=DRAWN_SHAPES,
        outer=OuterConfig(n_updates=700, learning_rate=1.5e-3, warmup=20, average=0.98),
        start="base",
        shots=5,
        horizons=(10, 250),
        hidden=48,
        direct=True,
        settle=100,
        whitening=0.25,
    ),
    "mixed": Recipe(
        name="mixed",
        shapes=MIXED_SHAPES,
        outer=OuterConfig(n_updates=800, learning_rate=2e-3, warmup=40, average=0.98),
        start="base",
        shots=5,
        horizons=(10, 250),
        hidden=48,
        direct=True,
        settle=100,
        whitening=0.25,
    ),
    "metz2018": Recipe(
        name="metz2018",
        shapes=tuple(
            Shape(f"glyphs{side}-{len(hidden) + 1}", "glyphs", side, (*hidden, 32), 256, 10, 64)
            for side, hidden in (
                (16, (128,)),
                (14, (128,) * 2),
                (16, (256,) * 2),
                (14, (128,) * 3),
                (12, (512, 64)),
                (14, (128,) * 4),
            )
        ),
        outer=OuterConfig(n_updates=200_000, learning_rate=1e-4, warmup=100, average=0.999),
        rule="metz2018",
        truncation=1,
        horizons=(50, 10_000),
        clip=1.0,
        score="published",
        regress=True,
    ),
    "metz2018_small": Recipe(
        name="metz2018_small",
        shapes=(
            Shape("glyphs12-2", "glyphs", 12, (32, 32), 24, 10, 3),
            Shape("glyphs8-3", "glyphs", 8, (32, 32, 32), 24, 10, 3),
        ),
        outer=OuterConfig(n_updates=450, learning_rate=2e-3, warmup=30),
        rule="metz2018",
        inner_rate=0.02,
        horizons=(10, 200),
        score="published",
        regress=True,
    ),
    "taught": Recipe(
        name="taught",
        shapes=TAUGHT_SHAPES,
        outer=OuterConfig(n_updates=4000, learning_rate=3e-3, warmup=20, average=0.99),
        rule="context",
        hidden=8,
        horizons=(20, 200),
        shots=5,
        direct=True,
        settle=100,
        with_outputs=True,
        whitening=0.25,
        teaching=Teaching(teacher="base"),
    ),
    "taught_metz2018": Recipe(
        name="taught_metz2018",
        shapes=TAUGHT_WITH_32_TOPS,
        outer=OuterConfig(n_updates=4000, learning_rate=3e-3, warmup=20, average=0.99),
        rule="metz2018",
        inner_rate=3e-3,
        horizons=(20, 200),
        shots=5,
        teaching=Teaching(teacher="base", feedback=0.0),
    ),
    "images": Recipe(
        name="images",
        shapes=(Shape("glyphs16-3", "glyphs", 16, (64, 64, 64), 64, 40, 4),),
        outer=OuterConfig(n_updates=600, learning_rate=5e-3, warmup=30),
        shots=5,
        horizons=(10, 250),
        hidden=48,
    ),
    "small": Recipe(
        name="small",
        shapes=(
            Shape("gaussian-2", "gaussian", 20, (24, 12), 24, 4, 2),
            Shape("manifold-2", "manifold", 40, (24, 12), 24, 4, 2),
        ),
        outer=OuterConfig(n_updates=200, warmup=10),
        horizons=(10, 60),
    ),
}
"""Named recipes; `small` needs no fonts, `images` has letters alone. `metz2018` has the paper's
settings as far as it states them, on glyphs: for many machines (the paper took 512 workers 8 days);
`metz2018_small` runs on a laptop. `broad`, `drawn` and `mixed` start from `base`
(docs/experiments.md)."""


def build_rule(recipe: Recipe) -> AbstractUpdateRule:
    """The rule that a recipe starts from; raises what `load_rule` raises."""
    key = jax.random.key(recipe.seed)
    if recipe.start:
        rule = load_rule(recipe.start)
        if isinstance(rule, LocalRule):
            rule = told_outputs(rule) if recipe.with_outputs else rule
            rule = widened(rule, max(recipe.hidden, rule.hidden), key=key)
            rule = dataclasses.replace(rule, settle=recipe.settle or rule.settle)
        return rule
    if recipe.rule in ("local", "context"):
        kind = LocalRule if recipe.rule == "local" else ContextRule
        return kind.create(
            key=key,
            hidden=recipe.hidden,
            lateral=recipe.lateral,
            settle=recipe.settle,
            with_outputs=recipe.with_outputs,
        )
    if recipe.rule not in ("metz2018", "metz2018_equivariant"):
        raise ConfigurationError(
            f"unknown rule {recipe.rule!r}; choose local, context, metz2018 or "
            "metz2018_equivariant, or give a rule to start from (start)"
        )
    n_top = {shape.widths[-1] for shape in recipe.shapes}
    if recipe.rule == "metz2018" and len(n_top) > 1:
        raise ConfigurationError(
            f"metz2018 needs the same top layer in all shapes, got {sorted(n_top)} units; change "
            "the shapes or choose metz2018_equivariant"
        )
    return Metz2018.create(
        key=key,
        n_top=n_top.pop(),
        learning_rate=recipe.inner_rate,
        equivariant=recipe.rule.endswith("equivariant"),
        unit_norm=recipe.unit_norm,
    )


def build_buckets(
    recipe: Recipe, theta_free: AbstractUpdateRule, split: str = "train"
) -> list[Bucket]:
    """One bucket per shape, data from `split`; `theta_free` is the rule without its theta."""
    images = _Images(split)
    known = teachers(recipe.teaching.teacher) if recipe.teaching.teacher else None
    buckets = []
    for shape in recipe.shapes:
        tasks = _tasks(shape, recipe, images)
        sizes = (tasks.n_features, *shape.widths)
        problem = (
            _problem(shape, recipe, tasks, theta_free)
            if known is None
            else _lessons(shape, recipe, tasks, theta_free, known)
        )
        buckets.append(Bucket(shape.name, problem, shape.n_tasks, _cost(sizes, shape.batch_size)))
    return buckets


def _tasks(shape: Shape, recipe: Recipe, images: "_Images") -> SourceTasks:
    if shape.source in _Images.SOURCES:
        # Pictures are easy to tell apart unless light varies on them as on things.
        shade = recipe.shade if shape.source == "pictures" else 0.0
        return SourceTasks.create(
            images(shape.source, shape.n_classes),
            augmentation=Augmentation(shade=shade),
            side=shape.features,
            regress=recipe.regress,
            rows=recipe.rows,
        )
    words = shape.source == WRITINGS
    source = _words(shape, images.split, recipe.own) if words else _synthetic(shape)
    return SourceTasks.create(source, rows=recipe.rows)


def _problem(
    shape: Shape, recipe: Recipe, tasks: SourceTasks, theta_free: AbstractUpdateRule
) -> RuleProblem:
    score: Any = recipe.score
    return RuleProblem(
        tasks,
        FewShotRidge(strength=recipe.ridge, score=score),
        theta_free,
        (tasks.n_features, *shape.widths),
        shape.activation,
        shape.batch_size,
        shape.shots or recipe.shots,
        recipe.steps_per_loss,
        recipe.horizons,
        presentation=PresentationSettings(whitening=recipe.whitening),
        direct=SEEN if recipe.direct and shape.direct else None,
    )


def _lessons(
    shape: Shape,
    recipe: Recipe,
    tasks: SourceTasks,
    theta_free: AbstractUpdateRule,
    teacher: RuleSet,
) -> TeachingProblem:
    whitening = 0.0 if is_sparse(shape) else recipe.whitening
    return TeachingProblem(
        tasks,
        teacher.rule_for(shape.activation, sparse=is_sparse(shape)),
        theta_free,
        (tasks.n_features, *shape.widths),
        shape.activation,
        shape.batch_size,
        recipe.horizons,
        recipe.teaching.lesson,
        PresentationSettings(whitening=whitening),
    )


class _Images:
    """Sources of images of one split; those that differ in the number of classes share arrays."""

    SOURCES = ("glyphs", "pictures", "strokes", "silhouettes")
    SIDE = 16
    """Of strokes, in pixels, before they are resized: that of glyphs."""

    def __init__(self, split: str) -> None:
        self.split = split
        self._known: dict[str, ImageSource] = {}

    def __call__(self, name: str, n_classes: int) -> AbstractSource:
        if name == "strokes":
            return PenStrokes(self.SIDE, n_classes)
        if name == "silhouettes":
            return Silhouettes(self.SIDE, n_classes)
        if name not in self._known:
            self._known[name] = ImageSource.create(*self._load(name), n_classes)
        return dataclasses.replace(self._known[name], n_classes=n_classes)

    def _load(self, name: str) -> tuple[NDArray, NDArray]:
        if name == "glyphs":
            glyphs = load_glyphs(self.split)
            return glyphs.images, glyphs.labels
        images = load_pictures(self.split).images
        return images, np.arange(len(images))


def _words(shape: Shape, split: str, own: tuple[float, float]) -> AbstractSource:
    texts = load_writings(split)
    return WordSource.create(
        texts.ranks,
        texts.starts,
        texts.corpora,
        shape.features,
        shape.n_classes,
        own=own,
    )


def _synthetic(shape: Shape) -> AbstractSource:
    families = {
        "gaussian": GaussianMixture,
        "manifold": HiddenManifold,
        "topics": SparseTopics,
        "table": MixedTable,
        "prototypes": Prototypes,
    }
    if shape.source not in families:
        raise ConfigurationError(
            f"shape {shape.name!r}: unknown source {shape.source!r}; choose one of "
            f"{', '.join((*_Images.SOURCES, WRITINGS, *families))}"
        )
    return families[shape.source](shape.features, shape.n_classes)


def _cost(sizes: tuple[int, ...], batch: int) -> float:
    """Multiply-adds of one inner step of the local rule, roughly: products and feature maps."""
    pairs = list(itertools.pairwise(sizes))
    products = sum(12.0 * batch * a * b + 3.0 * batch * b * b for a, b in pairs)
    return products + 2500.0 * batch * sum(sizes[1:]) + 100.0 * batch * sizes[0] + 1e6


def build_estimator(recipe: Recipe) -> AbstractGradientEstimator:
    """The gradient estimator that a recipe names: `truncated`, `pes` or `es`."""
    if recipe.estimator == "truncated":
        return TruncatedBackprop(recipe.truncation, checkpoint=False)
    if recipe.estimator == "pes":
        return PES(recipe.truncation, recipe.sigma)
    if recipe.estimator == "es":
        return AntitheticES(recipe.truncation, recipe.sigma)
    raise ConfigurationError(f"unknown estimator {recipe.estimator!r}; choose truncated, pes or es")
