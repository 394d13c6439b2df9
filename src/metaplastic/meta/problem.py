"""The inner problem: the only place where task, model, rule and meta-objective meet."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from metaplastic.errors import InputError
from metaplastic.meta.judged import AbstractJudgedProblem
from metaplastic.meta.presenting import present
from metaplastic.models import (
    MLP,
    PLAIN,
    DirectSettings,
    PresentationSettings,
    check_activation,
    leading_axes,
)
from metaplastic.objectives import AbstractMetaObjective
from metaplastic.rules import AbstractUpdateRule, apply_rule, init_model
from metaplastic.rules.base import RuleState
from metaplastic.tasks import AbstractTaskDistribution, Task
from metaplastic.types import Metrics, PRNGKey, Theta

MAX_DIRECT = 256
"""Most inputs that the readout of a meta-loss sees as they are. Of more inputs it sees leading
principal components."""

PRINCIPAL_SAMPLES = 256
"""Unlabelled inputs from which these are taken."""

SEEN = DirectSettings(components=32)
"""Direct features that the readout of a meta-loss sees. An encoder has more of them: that was
settled after the shipped rules had been trained."""


class RuleCarry(eqx.Module):
    """What goes from step to step along one unroll.

    Attributes
    ----------
    task : Task
        The task.
    model : MLP
        The model that the rule trains.
    state : RuleState
        State of the rule.
    """

    task: Task
    model: MLP
    state: RuleState


class RuleProblem(AbstractJudgedProblem):
    """Training one architecture with the rule theta on tasks of one distribution.

    One problem step is `steps_per_loss` inner steps followed by one meta-loss. Theta is the array
    part of the rule (`split_rule`).

    Parameters
    ----------
    tasks : AbstractTaskDistribution
        Distribution of the tasks.
    objective : AbstractMetaObjective
        The meta-objective.
    rule : AbstractUpdateRule
        The static part of the rule.
    sizes : tuple of int
        Units per layer, inputs first.
    activation : str
        A name of `models.ACTIVATIONS`.
    batch_size : int
        Rows of an inner step.
    shots : int
        Labelled rows a class in the meta-loss.
    steps_per_loss : int
        Inner steps for one meta-loss.
    horizons : (int, int)
        Least and largest number of inner steps of a task.
    checkpoint : bool, default=True
        Whether inner steps are computed again in the backward pass. Memory then grows by the size
        of the base model per inner step and not by that of its activations. Sampled batches are
        kept.
    presentation : PresentationSettings, default=PLAIN
        Settings of the presentation of inputs.
    direct : DirectSettings, optional
        Shares of direct features that the meta-loss sees beside the learned ones; none when left
        out. With them the rule need not preserve what the inputs say.
    queries : int, default=0
        Rows a class on which the meta-loss is judged; as many as `shots` if 0.
    second : AbstractMetaObjective, optional
        A second meta-objective, on the same rows. It sees direct features always, as a reading does
        at use.
    share : float, default=0.5
        Share of the second in the meta-loss, from 0 to 1.
    """

    tasks: AbstractTaskDistribution
    objective: AbstractMetaObjective
    rule: AbstractUpdateRule
    sizes: tuple[int, ...] = eqx.field(static=True)
    activation: str = eqx.field(static=True)
    batch_size: int = eqx.field(static=True)
    shots: int = eqx.field(static=True)
    steps_per_loss: int = eqx.field(static=True)
    horizons: tuple[int, int] = eqx.field(static=True)
    checkpoint: bool = eqx.field(static=True, default=True)
    presentation: PresentationSettings = eqx.field(static=True, default=PLAIN)
    direct: DirectSettings | None = eqx.field(static=True, default=None)
    queries: int = eqx.field(static=True, default=0)
    second: AbstractMetaObjective | None = None
    share: float = eqx.field(static=True, default=0.5)

    def __check_init__(self) -> None:
        check_activation(self.activation)
        if self.batch_size < 2 or self.shots < 1 or self.steps_per_loss < 1:
            raise InputError(
                "batch_size must be at least 2, shots and steps_per_loss at least 1, got "
                f"{self.batch_size}, {self.shots} and {self.steps_per_loss}"
            )
        if self.queries < 0 or not 0.0 <= self.share <= 1.0:
            raise InputError(
                "queries must not be negative and share from 0 to 1, got "
                f"{self.queries} and {self.share}"
            )
        low, high = self.horizons
        if not self.steps_per_loss <= low <= high:
            raise InputError(
                f"horizons must be (low, high) inner steps with {self.steps_per_loss} "
                f"(steps_per_loss) <= low <= high, got {self.horizons}"
            )
        if self.sizes[0] != self.tasks.n_features:
            raise InputError(
                f"sizes[0] must be the {self.tasks.n_features} features of the tasks, got "
                f"{self.sizes[0]}"
            )

    @property
    def settings(self) -> "RuleProblem":
        """Itself."""
        return self

    def init(self, theta: Theta, *, key: PRNGKey) -> RuleCarry:
        """A fresh task, a fresh model with its inputs scaled, a fresh rule state."""
        task_key, data_key, model_key, rule_key = jax.random.split(key, 4)
        rule = eqx.combine(theta, self.rule)
        task = self.tasks.sample(key=task_key)
        presentation = present(self.tasks, task, self.presentation, key=data_key)
        model = init_model(
            rule, self.sizes, key=model_key, activation=self.activation, presentation=presentation
        )
        return RuleCarry(task, model, rule.init(model, key=rule_key))

    def advance(self, theta: Theta, carry: RuleCarry, steps: int, *, key: PRNGKey) -> RuleCarry:
        """Apply the rule `steps` times to fresh batches of the carry's task."""

        def inner(theta: Theta, model: MLP, state: RuleState, key: PRNGKey) -> tuple:
            data_key, rule_key = jax.random.split(key)
            batch = self.tasks.unlabelled(carry.task, self.batch_size, key=data_key)
            batch = checkpoint_name(batch, "batch")
            rule = eqx.combine(theta, self.rule)
            return apply_rule(rule, model, state, batch, key=rule_key)[:2]

        stepped = self.remat(inner)

        def body(now: tuple, key: PRNGKey) -> tuple[tuple, None]:
            return stepped(theta, *now, key), None

        (model, state), _ = jax.lax.scan(
            body, (carry.model, carry.state), jax.random.split(key, steps)
        )
        return RuleCarry(carry.task, model, state)

    def assess(self, carry: RuleCarry, *, key: PRNGKey) -> tuple[Float[Array, ""], Metrics]:
        """`score` of the network of a carry."""
        return self.score(carry.task, carry.model, key=key)

    def score(self, task: Task, model: MLP, *, key: PRNGKey) -> tuple[Float[Array, ""], Metrics]:
        """Meta-loss and metrics of a model's features on fresh labelled samples of a task."""
        return self.judge(task, model, *self.samples(task, key=key), key=key)

    def samples(self, task: Task, *, key: PRNGKey) -> tuple[Array, Array, Array | None]:
        """Fresh samples of a task with labels and extra targets: support first, then queries."""
        drawn = self.shots + (self.queries or self.shots)
        x, labels = self.tasks.labelled(task, drawn, key=key)
        return x, labels, self.tasks.targets(task, drawn, key=key)

    def judge(
        self,
        task: Task,
        model: MLP,
        x: Array,
        labels: Array,
        extra: Array | None,
        *,
        key: PRNGKey,
        beside: Array | None = None,
    ) -> tuple[Float[Array, ""], Metrics]:
        """The same on samples `(n, d)`, of which the first `shots` of every class are support;
        with features `beside` those of the model `(n, k)`."""
        learned = model.read(model.trace(checkpoint_name(x, "batch")))
        learned = learned if beside is None else jnp.concatenate([learned, beside], axis=1)
        n = self.shots * self.tasks.n_classes

        def judged(by: AbstractMetaObjective, features: Array) -> tuple[Array, Metrics]:
            return by(
                features[:n],
                labels[:n],
                features[n:],
                labels[n:],
                n_classes=self.tasks.n_classes,
                extra=None if extra is None else (extra[:n], extra[n:]),
            )

        if self.direct is None and self.second is None:
            return judged(self.objective, learned)
        both = self._with_direct(task, model, x, learned, key=jax.random.fold_in(key, 1))
        first = judged(self.objective, learned if self.direct is None else both)
        if self.second is None:
            return first
        return jax.tree.map(self._weighed, first, judged(self.second, both))

    def _weighed(self, first: Array, second: Array) -> Array:
        return (1.0 - self.share) * first + self.share * second

    def _with_direct(
        self, task: Task, model: MLP, x: Array, learned: Array, *, key: PRNGKey
    ) -> Float[Array, "sample both"]:
        """Direct features beside the learned ones, of as much variance."""
        inputs = model.presentation.scaled(x)
        if inputs.shape[1] > MAX_DIRECT:
            inputs = inputs @ self._principal_axes(task, model, key=key)
        return jnp.concatenate([_unit_power(inputs), _unit_power(learned)], axis=1)

    def _principal_axes(
        self, task: Task, model: MLP, *, key: PRNGKey
    ) -> Float[Array, "pre direct"]:
        """Leading principal axes of the task's presented inputs; they do not depend on theta."""
        components = (self.direct or SEEN).components
        data_key, start_key = jax.random.split(key)
        x = self.tasks.unlabelled(task, PRINCIPAL_SAMPLES, key=data_key)
        axes = leading_axes(model.presentation.scaled(x), components, key=start_key)
        return checkpoint_name(jax.lax.stop_gradient(axes), "batch")

    def remat(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, computed again in the backward pass if `checkpoint` says so."""
        if not self.checkpoint:
            return function
        policy = jax.checkpoint_policies.save_only_these_names("batch")
        return jax.checkpoint(function, policy=policy)


def _unit_power(features: Float[Array, "sample dim"]) -> Float[Array, "sample dim"]:
    """Centred, with total variance 1."""
    centred = features - jnp.mean(features, axis=0)
    return centred * jax.lax.rsqrt(jnp.sum(jnp.mean(jnp.square(centred), axis=0)) + 1e-8)


def split_rule(rule: AbstractUpdateRule) -> tuple[Theta, AbstractUpdateRule]:
    """Theta and the rest of a rule; `eqx.combine` joins them.

    Parameters
    ----------
    rule : AbstractUpdateRule
        Any rule.

    Returns
    -------
    (Theta, AbstractUpdateRule)
        The inexact-array leaves, and the rule without them.
    """
    theta, rest = eqx.partition(rule, eqx.is_inexact_array)
    # Strong dtypes, so that the first update and the second share a compilation.
    return jax.tree.map(lambda x: jnp.asarray(x, x.dtype), theta), rest
