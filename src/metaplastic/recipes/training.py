"""A recipe from its words to a trained rule: the only place that puts all its parts together."""

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from metaplastic import __version__
from metaplastic.errors import ConfigurationError
from metaplastic.evaluation import provenance
from metaplastic.meta.devices import check_memory_maps
from metaplastic.meta.executor import AbstractExecutor, Bucket, LocalExecutor
from metaplastic.meta.problem import split_rule
from metaplastic.meta.run import RunFacts, RunOptions, RunResult, run_meta_training
from metaplastic.meta.validation import Validator
from metaplastic.recipes.config import (
    change_recipe,
    fingerprint,
    named_recipe,
    read_recipe,
    recipe_text,
)
from metaplastic.recipes.recipe import Recipe, build_buckets, build_estimator, build_rule
from metaplastic.recipes.teaching import Teaching, preset_and_role, taught_shapes
from metaplastic.rules import AbstractUpdateRule
from metaplastic.rules.catalog import rule_file
from metaplastic.rules.io import load_rule_file
from metaplastic.scale import RayExecutor, connect
from metaplastic.types import Theta


@dataclasses.dataclass(frozen=True)
class Words:
    """What a user says of a recipe: its name, a TOML file on top of it, changes on top of both."""

    name: str = "base"
    config: Path | None = None
    changes: tuple[str, ...] = ()

    def recipe(self) -> Recipe:
        """The recipe meant; raises `ConfigurationError` for words that mean none."""
        start = named_recipe(self.name)
        if self.config is not None:
            start = read_recipe(self.config, start)
        return change_recipe(start, self.changes)


STUDENTS: Mapping[str, Mapping[str, Any]] = {
    "local": {"rule": "local"},
    "local_strict": {"rule": "local", "lateral": False},
    "context": {"rule": "context"},
    "narrowed": {"rule": "narrowed"},
    "metz2018": {"rule": "metz2018"},
    "metz2018_equivariant": {"rule": "metz2018_equivariant"},
}
"""What a recipe says of students by name. They start untrained, but for `narrowed`, which is its
teacher with fewer hidden units, messages or factors."""


def distilled(recipe: Recipe, teacher: str, student: str) -> Recipe:
    """`recipe` with this teacher, and a student by name or file; only the shapes of its role.

    Raises
    ------
    ConfigurationError
        For a role that is unknown or has no shape.
    """
    fields = STUDENTS.get(student, {"start": student})
    teaching = dataclasses.replace(recipe.teaching, teacher=teacher)
    shapes = taught_shapes(recipe.shapes, teaching.role)
    return dataclasses.replace(recipe, teaching=teaching, shapes=shapes, **fields)


def recipe_to_resume(out: Path) -> Recipe:
    """The recipe of the run in a directory; raises `ConfigurationError` if there is none."""
    config = out / "config.toml"
    if not config.is_file():
        raise ConfigurationError(f"{out} holds no run to resume (no config.toml)")
    return read_recipe(config, named_recipe("base"))


Executor = Literal["local", "ray", "shard"]


def run_recipe(
    recipe: Recipe,
    out: Path,
    options: RunOptions | None = None,
    *,
    validate: bool = True,
    executor: Executor = "local",
) -> RunResult:
    """Meta-train by a recipe in the directory `out`; see `run_meta_training`.

    With `validate`, the averaged rule is scored on tasks of the validation split every
    `options.evaluate_every` updates. `executor` says where gradients are computed: `local` gives
    each device of this process some of the shapes, `shard` cuts every shape's tasks over all of
    its devices, `ray` uses the workers of `recipe.cluster`.

    Raises
    ------
    ConfigurationError
        For settings that do not go together, a directory that does not fit (see
        `run_meta_training`), or more shapes than can be compiled (`check_memory_maps`).
    MissingDataError
        If the recipe needs glyphs and none are built.
    """
    with contextlib.ExitStack() as stack:
        if executor == "ray":  # First, because processes are best started before JAX is.
            stack.enter_context(connect(recipe.cluster))
        rule = build_rule(recipe)
        theta, free = split_rule(rule)
        buckets = build_buckets(recipe, free)
        evaluate = Validator(_validation(recipe, free)) if validate else None
        facts = RunFacts(fingerprint(recipe), recipe_text(recipe), _provenance(recipe))
        return run_meta_training(
            rule,
            buckets,
            recipe.outer,
            stack.enter_context(_executor(executor, recipe, theta, buckets)),
            out,
            facts=facts,
            options=options,
            evaluate=evaluate,
        )


def _provenance(recipe: Recipe) -> dict[str, Any]:
    """Metadata of the rule file."""
    return {
        "licence": "Apache-2.0",
        "recipe": recipe.name,
        "metaplastic": __version__,
        "seed": recipe.outer.seed,
        "commit": provenance(seeds=())["commit"],
        **_origin(recipe),
    }


def _validation(recipe: Recipe, theta_free: AbstractUpdateRule) -> list[Bucket]:
    """What the rule is scored on; a taught rule too by what its networks learn, not by its
    likeness to the teacher."""
    alone = dataclasses.replace(recipe, teaching=Teaching())
    return build_buckets(alone, theta_free, split="validation")


def _executor(
    kind: Executor, recipe: Recipe, theta: Theta, buckets: list[Bucket]
) -> contextlib.AbstractContextManager[AbstractExecutor]:
    estimator = build_estimator(recipe)
    if kind == "ray":
        return RayExecutor(buckets, estimator, theta, recipe.cluster, clip=recipe.clip)
    check_memory_maps(len(buckets))
    axis = "shard" if kind == "shard" else None
    return contextlib.nullcontext(
        LocalExecutor(buckets, estimator, clip=recipe.clip, task_axis=axis)
    )


def _origin(recipe: Recipe) -> dict[str, Any]:
    """The metadata of the rule files that a run starts from or is taught by, which hold those of
    their own start."""
    origins = {"start": recipe.start, "teacher": recipe.teaching.teacher}
    found = {}
    for origin, name in origins.items():
        rule, role = preset_and_role(name)
        file = rule_file(rule) if rule else None
        if file is not None:
            metadata = load_rule_file(file)[1]
            found[origin] = {**metadata, "role": role} if role else metadata
    return found
