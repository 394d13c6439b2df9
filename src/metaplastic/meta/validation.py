"""Validation during meta-training: fresh tasks of the held-back part of the distribution."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np

from metaplastic.errors import InputError
from metaplastic.meta.executor import Bucket
from metaplastic.meta.judged import AbstractJudgedProblem
from metaplastic.meta.problem import split_rule
from metaplastic.rules import AbstractUpdateRule


class Validator:
    """Trains fresh nets on the same few validation tasks of every bucket and scores them.

    Called with a rule and the number of updates, as `run_meta_training` wants. The tasks, nets
    and batches are the same at every call, so that the curve shows the rule alone.

    Parameters
    ----------
    buckets : sequence of Bucket
        Buckets of `build_buckets(recipe, ..., split="validation")`.
    inner_steps : int, default=200
        Length of the unroll.
    n_tasks : int, default=4
        Tasks per bucket.
    seed : int, default=1
        Seed of tasks, networks and batches.
    """

    def __init__(
        self, buckets: Sequence[Bucket], *, inner_steps: int = 200, n_tasks: int = 4, seed: int = 1
    ) -> None:
        self.buckets = list(buckets)
        self.inner_steps = inner_steps
        self.keys = jax.random.split(jax.random.key(seed), n_tasks)

    def __call__(self, rule: AbstractUpdateRule, step: int) -> dict[str, Any]:
        del step
        theta, _ = split_rule(rule)
        losses, accuracies = {}, {}
        for bucket in self.buckets:
            if not isinstance(bucket.problem, AbstractJudgedProblem):
                raise InputError(f"bucket {bucket.name!r} is no problem of rules and tasks")
            loss, accuracy = _final_scores(bucket.problem, theta, self.keys, self.inner_steps)
            losses[bucket.name] = float(np.mean(loss))
            accuracies[bucket.name] = float(np.mean(accuracy))
        return {
            "validation_loss": float(np.mean(list(losses.values()))),
            "validation_accuracy": float(np.mean(list(accuracies.values()))),
            "validation_losses": losses,
            "validation_accuracies": accuracies,
        }


@eqx.filter_jit
def _final_scores(problem: Any, theta, keys, steps: int):
    def one(key):
        init_key, run_key, score_key = jax.random.split(key, 3)
        carry = problem.init(theta, key=init_key)
        carry = problem.advance(theta, carry, steps, key=run_key)
        loss, metrics = problem.assess(carry, key=score_key)
        return loss, metrics["accuracy"]

    return jax.lax.map(one, keys)
