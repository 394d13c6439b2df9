"""Both parts of the meta-loss on tasks of the validation split: what training itself reached."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from metaplastic.meta.problem import RuleProblem, split_rule
from metaplastic.recipes.config import named_recipe
from metaplastic.recipes.recipe import build_buckets
from metaplastic.rules import AbstractUpdateRule

SHAPES = {
    "main": ("read", ("strokes12-3", "glyphs14-3")),
    "bounded": ("embedded", ("table24-3t", "glosses96-2t")),
}
"""By role: a recipe, and some of its shapes."""

PARTS = ("ridge", "spread")
TASKS, STEPS = 12, 100


@eqx.filter_jit
def _scores(problem: RuleProblem, theta: Any, keys: Any, steps: int) -> Any:
    def one(key: Any) -> Any:
        init_key, run_key, score_key = jax.random.split(key, 3)
        carry = problem.init(theta, key=init_key)
        carry = problem.advance(theta, carry, steps, key=run_key)
        shares = [dataclasses.replace(problem, share=share) for share in (0.0, 1.0)]
        return [part.score(carry.task, carry.model, key=score_key) for part in shares]

    return jax.lax.map(one, keys)


def parts_of_loss(
    role: str, rules: Mapping[str, AbstractUpdateRule], known: Mapping[str, Any], quick: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Shape by shape, mean loss and accuracy by rule and part; all rules meet the same tasks."""
    name, shapes = SHAPES[role]
    recipe, shapes = named_recipe(name), shapes[: 1 if quick else None]
    free = split_rule(next(iter(rules.values())))[1]
    keys = jax.random.split(jax.random.key(1), 2 if quick else TASKS)
    for shape in [shape for shape in recipe.shapes if shape.name in shapes]:
        (bucket,) = build_buckets(dataclasses.replace(recipe, shapes=(shape,)), free, "validation")
        assert isinstance(bucket.problem, RuleProblem)
        own = dict(known.get(shape.name, {}))
        for name in [name for name in rules if name not in own]:
            theta = split_rule(rules[name])[0]
            scored = _scores(bucket.problem, theta, keys, 2 if quick else STEPS)
            own[name] = {
                part: [round(float(np.mean(v)), 4) for v in (loss, metrics["accuracy"])]
                for part, (loss, metrics) in zip(PARTS, scored, strict=True)
            }
            print(shape.name, name, own[name], flush=True)
        yield shape.name, own
