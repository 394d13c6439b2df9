"""Networks of a task that are trained once and stay as they are: guides, and company."""

from typing import Any

import jax

from metaplastic.meta.problem import RuleProblem
from metaplastic.models import MLP, Presentation
from metaplastic.rules import AbstractUpdateRule, apply_rule, init_model
from metaplastic.rules.base import RuleState
from metaplastic.tasks import Task
from metaplastic.types import PRNGKey


def train_network(
    problem: RuleProblem,
    rule: AbstractUpdateRule,
    task: Task,
    presentation: Presentation,
    *,
    activation: str,
    steps: int,
    keys: tuple[PRNGKey, PRNGKey],
) -> MLP:
    """A network of the problem's sizes that a rule trained on a task; no gradient goes through it.

    Parameters
    ----------
    problem : RuleProblem
        Where tasks, sizes and batches are from.
    rule : AbstractUpdateRule
        The rule, theta included.
    task : Task
        A task of the problem.
    presentation : Presentation
        Of the network's inputs.
    activation : str
        A name of `models.ACTIVATIONS`.
    steps : int
        Inner steps.
    keys : (PRNGKey, PRNGKey)
        Of the initial weights, and of the batches.

    Returns
    -------
    MLP
        The trained network.
    """
    start_key, train_key = keys
    network = init_model(
        rule, problem.sizes, key=start_key, activation=activation, presentation=presentation
    )

    def body(carry: tuple[MLP, RuleState], key: PRNGKey) -> tuple[Any, None]:
        data_key, rule_key = jax.random.split(key)
        batch = problem.tasks.unlabelled(task, problem.batch_size, key=data_key)
        return apply_rule(rule, *carry, batch, key=rule_key)[:2], None

    start = (network, rule.init(network, key=start_key))
    (network, _), _ = jax.lax.scan(body, start, jax.random.split(train_key, steps))
    return jax.lax.stop_gradient(network)
