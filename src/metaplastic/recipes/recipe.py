"""What a recipe is, and the parts of a meta-training that it describes.

A recipe is a frozen dataclass of plain values (so a TOML file can state it) and builds a rule,
its buckets, the estimator and the settings of the outer loop.
"""

import dataclasses
import itertools
from typing import Any

import jax

from metaplastic.errors import ConfigurationError
from metaplastic.gradients import (
    PES,
    AbstractGradientEstimator,
    AntitheticES,
    TruncatedBackprop,
)
from metaplastic.meta.company import CompanyProblem
from metaplastic.meta.ensemble import EnsembleProblem
from metaplastic.meta.executor import Bucket
from metaplastic.meta.hearing import HearingProblem
from metaplastic.meta.problem import SEEN, RuleProblem
from metaplastic.meta.teaching import TeachingProblem
from metaplastic.meta.train import OuterConfig
from metaplastic.models import PresentationSettings
from metaplastic.objectives import FewShotRidge, LabelSpreading
from metaplastic.recipes.shapes import GLOSSES, TEXTS, WRITINGS, Shape
from metaplastic.recipes.sources import ImageSources, synthetic_source, text_source
from metaplastic.recipes.teaching import Teaching, cut, is_sparse, start_rule, teachers
from metaplastic.rules import AbstractUpdateRule, LocalRule, Metz2018, RuleSet
from metaplastic.rules.catalog import load_rule
from metaplastic.rules.local import ContextRule, grown
from metaplastic.scale import ClusterSettings
from metaplastic.tasks import Augmentation, SourceTasks


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A complete meta-training experiment.

    `start` is the rule to start from, a name or path that `load_rule` takes, or one rule of a
    preset, as `base:bounded` (a `local` one is widened to `hidden` units if it has fewer). Left
    empty, it is an untrained `rule`: `local` with `hidden` units, `n_messages` and `n_factors` (0:
    four of each), `lateral` or not; the same in a `context`; its teacher, `narrowed` to as many of
    them (0: as many as it has); or `metz2018` or `metz2018_equivariant` with the inner learning
    rate `inner_rate`, `unit_norm` or not. With a teacher in `teaching` the rule is taught and not
    meta-trained.

    `regress` makes the augmentation's coefficients extra targets. `settle`, `with_outputs` and
    `with_labels` are those of `LocalRule`. A rule `with_labels` hears `shots` rows a class; the
    rule or preset `guide` trains the guides of `HearingProblem` for `guide_steps`. It also trains
    the networks of the `company`, which is a tuple of their nonlinearities (`CompanyProblem`).
    With `n_networks` above 1 the rule trains so many networks on every task, and the meta-loss
    reads them together (`EnsembleProblem`).

    `spread` is the share of `LabelSpreading` in the meta-loss, with the numbers of `labels` a
    class; the rest is ridge's. `direct` lets the readout of the meta-loss see inputs beside the
    learned features; `whitening` is that of `PresentationSettings`. `own` is that of `WordSource`
    for writings and texts, `shade` that of `Augmentation` for pictures, `rows` that of
    `SourceTasks`. `deform` multiplies the strengths of `Augmentation` for all images, which are
    plainer below 1. `cluster` is used by the executor `ray` and is no part of what identifies a
    run. The other fields are those of the classes that they configure; `truncation` is in
    meta-losses (`steps_per_loss` inner steps each).
    """

    name: str
    shapes: tuple[Shape, ...]
    outer: OuterConfig
    start: str = ""
    rule: str = "local"
    hidden: int = 24
    n_messages: int = 0
    n_factors: int = 0
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
    deform: float = 1.0
    rows: tuple[int, int] = (0, 0)
    direct: bool = False
    spread: float = 0.0
    labels: tuple[int, ...] = (1, 3)
    settle: int = 0
    with_outputs: bool = False
    with_labels: bool = False
    guide: str = "base"
    guide_steps: int = 60
    company: tuple[str, ...] = ()
    n_networks: int = 1
    whitening: float = 0.0
    seed: int = 0
    teaching: Teaching = dataclasses.field(default_factory=Teaching)
    cluster: ClusterSettings = dataclasses.field(default_factory=ClusterSettings)


def build_rule(recipe: Recipe) -> AbstractUpdateRule:
    """The rule that a recipe starts from; raises what `start_rule` and `cut` raise."""
    key = jax.random.key(recipe.seed)
    if recipe.start:
        rule = start_rule(recipe.start)
        return grown(
            rule,
            hidden=recipe.hidden,
            with_outputs=recipe.with_outputs,
            with_labels=recipe.with_labels,
            settle=recipe.settle,
            key=key,
        )
    if recipe.rule == "narrowed":
        sizes = recipe.n_messages or None, recipe.n_factors or None
        return cut(recipe.teaching, recipe.hidden, *sizes)
    if recipe.rule in ("local", "context"):
        kind = LocalRule if recipe.rule == "local" else ContextRule
        return kind.create(
            key=key,
            hidden=recipe.hidden,
            n_messages=recipe.n_messages or 4,
            n_factors=recipe.n_factors or 4,
            lateral=recipe.lateral,
            settle=recipe.settle,
            with_outputs=recipe.with_outputs,
            with_labels=recipe.with_labels,
        )
    if recipe.rule not in ("metz2018", "metz2018_equivariant"):
        raise ConfigurationError(
            f"unknown rule {recipe.rule!r}; choose local, context, narrowed, metz2018 or "
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
    images = ImageSources(split)
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


def _tasks(shape: Shape, recipe: Recipe, images: "ImageSources") -> SourceTasks:
    if shape.source in ImageSources.SOURCES:
        # Pictures are easy to tell apart unless light varies on them as on things.
        shade = recipe.shade if shape.source == "pictures" else 0.0
        return SourceTasks.create(
            images(shape.source, shape.n_classes),
            augmentation=Augmentation(shade=shade).scaled(recipe.deform),
            side=shape.features,
            regress=recipe.regress,
            rows=recipe.rows,
        )
    real = shape.source in (WRITINGS, TEXTS, GLOSSES)
    source = text_source(shape, images.split, recipe.own) if real else synthetic_source(shape)
    return SourceTasks.create(source, rows=recipe.rows)


def _problem(
    shape: Shape, recipe: Recipe, tasks: SourceTasks, theta_free: AbstractUpdateRule
) -> RuleProblem | HearingProblem | CompanyProblem | EnsembleProblem:
    score: Any = recipe.score
    shots = shape.shots or recipe.shots
    labels = (shots,) if recipe.with_labels else recipe.labels
    plain = RuleProblem(
        tasks,
        FewShotRidge(strength=recipe.ridge, score=score),
        theta_free,
        (tasks.n_features, *shape.widths),
        shape.activation,
        shape.batch_size,
        shots,
        recipe.steps_per_loss,
        recipe.horizons,
        presentation=PresentationSettings(whitening=recipe.whitening),
        direct=SEEN if recipe.direct and shape.direct else None,
        queries=shape.queries,
        second=LabelSpreading(labels) if recipe.spread else None,
        share=recipe.spread,
    )
    if recipe.company:
        if recipe.with_labels or recipe.n_networks > 1:
            raise ConfigurationError(
                "a company goes neither with with_labels nor with n_networks above 1; leave out one"
            )
        known, sparse = teachers(recipe.guide), is_sparse(shape)
        pictures = shape.source in ImageSources.SOURCES
        rules = tuple(
            known.rule_for(name, sparse=sparse, pictures=pictures) for name in recipe.company
        )
        return CompanyProblem(plain, rules, recipe.company, recipe.guide_steps)
    if recipe.n_networks != 1:
        if recipe.with_labels:
            raise ConfigurationError("a rule with_labels is read alone; leave out n_networks")
        return EnsembleProblem(plain, recipe.n_networks)
    if not recipe.with_labels:
        return plain
    return HearingProblem(plain, load_rule(recipe.guide), recipe.guide_steps)


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


def _cost(sizes: tuple[int, ...], batch: int) -> float:
    """Multiply-adds of one inner step of the local rule, roughly: products and feature maps."""
    pairs = list(itertools.pairwise(sizes))
    products = sum(12.0 * batch * a * b + 3.0 * batch * b * b for a, b in pairs)
    return products + 2500.0 * batch * sum(sizes[1:]) + 100.0 * batch * sizes[0] + 1e6


def build_estimator(recipe: Recipe) -> AbstractGradientEstimator:
    """The gradient estimator that a recipe names: `truncated`, `pes` or `es`."""
    if recipe.estimator == "truncated":
        # Teaching is short: most of it would be compiling.
        brief = bool(recipe.teaching.teacher)
        return TruncatedBackprop(recipe.truncation, checkpoint=False, brief=brief)
    if recipe.estimator == "pes":
        return PES(recipe.truncation, recipe.sigma)
    if recipe.estimator == "es":
        return AntitheticES(recipe.truncation, recipe.sigma)
    raise ConfigurationError(f"unknown estimator {recipe.estimator!r}; choose truncated, pes or es")
