"""What is meta-trained in this study: a toy, and the recipe `small` with more tasks an update."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import toy
from jaxtyping import Array, Float

from metaplastic.meta.executor import Bucket
from metaplastic.meta.problem import RuleProblem, split_rule
from metaplastic.recipes.named import RECIPES
from metaplastic.recipes.recipe import build_buckets, build_rule
from metaplastic.rules import AbstractUpdateRule

STEPS = 60
"""Inner steps before the validation loss of the recipe: its longest horizon."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A rule to start from, tasks for so many workers, and a loss of theta on tasks kept apart."""

    rule: Callable[[], AbstractUpdateRule]
    buckets: Callable[[int], list[Bucket]]
    validation_loss: Callable[[Any], Float[Array, ""]]
    workers: int
    reducers: int
    updates: int
    truncation: int
    learning_rate: float
    warmup: int
    n_seeds: int


def small_rule() -> AbstractUpdateRule:
    """The untrained rule of the recipe."""
    return build_rule(RECIPES["small"])


def small_buckets(n_tasks: int) -> list[Bucket]:
    """Both architectures of the recipe, each with half of the tasks."""
    found = build_buckets(RECIPES["small"], split_rule(small_rule())[1])
    return [dataclasses.replace(b, n_tasks=n_tasks // len(found)) for b in found]


@eqx.filter_jit
def _mean_loss(problem: RuleProblem, theta: Any) -> Float[Array, ""]:
    def one(key: Any) -> Any:
        start, steps, score = jax.random.split(key, 3)
        carry = problem.init(theta, key=start)
        carry = problem.advance(theta, carry, STEPS, key=steps)
        return problem.score(carry.task, carry.model, key=score)[0]

    return jnp.mean(jax.vmap(one)(jax.random.split(jax.random.key(10**6), 64)))


def small_validation_loss(theta: Any) -> Float[Array, ""]:
    """Mean meta-loss over 64 tasks of each architecture that no seed of the training draws."""
    problems: list[Any] = [bucket.problem for bucket in small_buckets(2)]
    return jnp.asarray(np.mean([_mean_loss(problem, theta) for problem in problems]))


SUBJECTS = {
    "toy": Subject(
        rule=toy.rule,
        buckets=toy.buckets,
        validation_loss=toy.validation_loss,
        workers=64,
        reducers=4,
        updates=100,
        truncation=5,
        learning_rate=0.05,
        warmup=5,
        n_seeds=5,
    ),
    "small": Subject(
        rule=small_rule,
        buckets=small_buckets,
        validation_loss=small_validation_loss,
        workers=16,
        reducers=2,
        updates=80,
        truncation=RECIPES["small"].truncation,
        learning_rate=RECIPES["small"].outer.learning_rate,
        warmup=RECIPES["small"].outer.warmup,
        n_seeds=3,
    ),
}
