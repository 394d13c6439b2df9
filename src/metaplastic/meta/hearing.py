"""The inner problem of a rule that hears labels: a few known rows go with every batch.

What it hears of other rows are guesses: labels spread over the graph of the batch, in the features
of a guide, a network that a rule trained on the same task without labels. At use the pool's reading
makes them (`sklearn.FewShotClassifier`, `supervision="labels"`).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from metaplastic.errors import InputError
from metaplastic.meta.guides import train_network
from metaplastic.meta.judged import AbstractJudgedProblem
from metaplastic.meta.problem import RuleProblem
from metaplastic.models import MLP
from metaplastic.objectives.spreading import soft_graph, spread_each
from metaplastic.rules import AbstractUpdateRule, apply_rule
from metaplastic.rules.base import RuleState
from metaplastic.tasks import Task
from metaplastic.types import Metrics, PRNGKey, Theta

N_NEIGHBORS, LEAK = 10, 0.01
"""Of the graph that labels are spread over, as in `objectives.LabelSpreading`."""

SHARPNESS = 3.0
"""Scores of unit mean square times this are the logarithms of what is guessed."""


class HearingCarry(eqx.Module):
    """What goes from step to step.

    Attributes
    ----------
    task : Task
        The task.
    model : MLP
        The network that the rule trains.
    state : RuleState
        State of the rule.
    guide : MLP
        A network trained without labels.
    known : array (known, pre) of float
        The rows whose labels are known: `shots` of every class, as `tasks.labelled` orders them.
    """

    task: Task
    model: MLP
    state: RuleState
    guide: MLP
    known: Float[Array, "known pre"]


class HearingProblem(AbstractJudgedProblem):
    """`RuleProblem` for a rule that hears labels.

    Parameters
    ----------
    plain : RuleProblem
        The same without labels. `shots` rows of every class are known; the readout of the meta-loss
        has them as its support, and fresh queries.
    guide : AbstractUpdateRule
        The rule that trains guides.
    guide_steps : int
        Steps of a guide.

    Raises
    ------
    InputError
        If a batch cannot hold the known rows and at least as many others, or for no steps.
    """

    plain: RuleProblem
    guide: AbstractUpdateRule
    guide_steps: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.guide_steps < 1:
            raise InputError(f"guide_steps must be at least 1, got {self.guide_steps}")
        if 2 * self.n_known > self.plain.batch_size:
            raise InputError(
                f"{self.n_known} known rows ({self.plain.shots} of every class) need batches of at "
                f"least {2 * self.n_known} rows, got {self.plain.batch_size}; take fewer shots, "
                "fewer classes or larger batches"
            )

    @property
    def n_known(self) -> int:
        """Rows whose labels are known."""
        return self.plain.shots * self.plain.tasks.n_classes

    @property
    def settings(self) -> RuleProblem:
        """`plain`."""
        return self.plain

    def init(self, theta: Theta, *, key: PRNGKey) -> HearingCarry:
        """A fresh task, its known rows, a trained guide and a fresh network."""
        known_key, guide_key, train_key, own_key = jax.random.split(key, 4)
        fresh = self.plain.init(theta, key=own_key)
        tasks, task = self.plain.tasks, fresh.task
        known, _ = tasks.labelled(task, self.plain.shots, key=known_key)
        guide = train_network(
            self.plain,
            self.guide,
            task,
            fresh.model.presentation,
            activation=self.plain.activation,
            steps=self.guide_steps,
            keys=(guide_key, train_key),
        )
        return HearingCarry(task, fresh.model, fresh.state, guide, jax.lax.stop_gradient(known))

    def advance(
        self, theta: Theta, carry: HearingCarry, steps: int, *, key: PRNGKey
    ) -> HearingCarry:
        """Apply the rule `steps` times: known rows and fresh ones in every batch."""
        tasks = self.plain.tasks
        fresh = self.plain.batch_size - self.n_known

        def inner(theta: Theta, model: MLP, state: RuleState, key: PRNGKey) -> tuple:
            data_key, rule_key = jax.random.split(key)
            others = tasks.unlabelled(carry.task, fresh, key=data_key)
            batch = checkpoint_name(jnp.concatenate([carry.known, others]), "batch")
            told = guesses(carry.guide.features(batch), self.n_known, tasks.n_classes)
            told = checkpoint_name(jax.lax.stop_gradient(told), "batch")
            rule = eqx.combine(theta, self.plain.rule)
            return apply_rule(rule, model, state, batch, key=rule_key, targets=told)[:2]

        stepped = self.plain.remat(inner)

        def body(now: tuple, key: PRNGKey) -> tuple[tuple, None]:
            return stepped(theta, *now, key), None

        now, _ = jax.lax.scan(body, (carry.model, carry.state), jax.random.split(key, steps))
        return HearingCarry(carry.task, *now, carry.guide, carry.known)

    def assess(self, carry: HearingCarry, *, key: PRNGKey) -> tuple[Float[Array, ""], Metrics]:
        """Meta-loss and metrics: the known rows are the support, the queries fresh."""
        tasks, shots = self.plain.tasks, self.plain.shots
        queries = self.plain.queries or shots
        x, _ = tasks.labelled(carry.task, queries, key=key)
        labels = jnp.tile(jnp.arange(tasks.n_classes), shots + queries)
        rows = jnp.concatenate([carry.known, x])
        return self.plain.judge(carry.task, carry.model, rows, labels, None, key=key)


def guesses(
    features: Float[Array, "batch dim"], n_known: int, n_classes: int
) -> Float[Array, "batch class"]:
    """What labels say of every row of a batch: `targets` of `rules.hear`.

    Labels of the first `n_known` rows, which have the classes 0, 1, ... in turn, are spread over a
    graph of all rows. Known rows have their labels.

    Parameters
    ----------
    features : array (batch, dim) of float
        By which rows are near to each other.
    n_known : int
        Rows whose labels are known; a multiple of `n_classes`.
    n_classes : int
        Classes.

    Returns
    -------
    array (batch, class) of float
        Probabilities less `1 / n_classes`; every row sums to 0.
    """
    spread = spread_each(soft_graph(features, N_NEIGHBORS), n_known, LEAK)
    truth = jax.nn.one_hot(jnp.arange(n_known) % n_classes, n_classes)
    scores = spread @ truth
    scores = scores - jnp.mean(scores, axis=1, keepdims=True)
    unit = scores * jax.lax.rsqrt(jnp.mean(jnp.square(scores)) + 1e-12)
    guessed = jax.nn.softmax(SHARPNESS * unit, axis=1)
    return jnp.concatenate([truth, guessed[n_known:]]) - 1.0 / n_classes
