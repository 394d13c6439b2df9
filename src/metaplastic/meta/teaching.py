"""A rule taught by a rule: the inner problem whose loss is how far the student's change is off.

Both rules look at the same network on the same batch; one of them then moves it. Where the student
moves it, it meets the states that its own mistakes lead to (Ross, Gordon and Bagnell 2011,
"A reduction of imitation learning and structured prediction to no-regret online learning").
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from metaplastic.errors import InputError
from metaplastic.gradients import AbstractInnerProblem
from metaplastic.meta.judged import draw_horizon
from metaplastic.meta.presenting import present
from metaplastic.models import (
    MLP,
    PLAIN,
    Delta,
    Layer,
    PresentationSettings,
    check_activation,
    unit_columns,
    unit_rows,
)
from metaplastic.rules import AbstractUpdateRule, init_model
from metaplastic.rules.base import RuleState
from metaplastic.tasks import AbstractTaskDistribution, Task
from metaplastic.trees import all_finite, select
from metaplastic.types import PRNGKey, Theta

NOTHING = 1e-12
"""Squared length of a change that is too small to have a direction."""


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What counts in teaching, in plain numbers.

    `weight`, `feedback` and `bias` weigh the three parts of every layer; a part of weight 0 is not
    taught, and the student changes it alone. `size` weighs the relative squared error beside one
    minus the cosine. `student` is the share of steps that follow the student.
    """

    weight: float = 1.0
    feedback: float = 0.5
    bias: float = 0.25
    size: float = 0.5
    student: float = 0.5

    def __post_init__(self) -> None:
        parts = (self.weight, self.feedback, self.bias)
        if min(*parts, self.size) < 0 or not sum(parts) > 0:
            raise InputError(
                "weight, feedback, bias and size must be at least 0, and one of the first three "
                f"above it, got {(*parts, self.size)}"
            )
        if not 0 <= self.student <= 1:
            raise InputError(f"student is a share of steps from 0 to 1, got {self.student}")


class TeachingCarry(eqx.Module):
    """What goes from step to step: one network, and the state of either rule."""

    task: Task
    model: MLP
    teacher: RuleState
    student: RuleState


class TeachingProblem(AbstractInnerProblem):
    """Training one architecture on tasks of one distribution, with a teacher beside the student.

    Theta is the array part of the student, `student` here its static part (`split_rule`). The loss
    of a step is the mean over layers of `mismatch`; no gradient passes from step to step. Networks
    start as the student's do. A teacher of unit-norm weights sees those of another start with
    columns and feedback rows of unit norm, which changes nothing of what the network computes.
    Where `presentation` whitens inputs, it does so for half of the networks.

    Raises
    ------
    InputError
        For settings out of range, or a teacher that cannot live in the student's networks.
    """

    tasks: AbstractTaskDistribution
    teacher: AbstractUpdateRule
    student: AbstractUpdateRule
    sizes: tuple[int, ...] = eqx.field(static=True)
    activation: str = eqx.field(static=True)
    batch_size: int = eqx.field(static=True)
    horizons: tuple[int, int] = eqx.field(static=True)
    lesson: Lesson = eqx.field(static=True, default=Lesson())
    presentation: PresentationSettings = eqx.field(static=True, default=PLAIN)

    def __check_init__(self) -> None:
        check_activation(self.activation)
        low, high = self.horizons
        if self.batch_size < 2 or not 1 <= low <= high:
            raise InputError(
                "batch_size must be at least 2 and horizons (low, high) steps with 1 <= low <= "
                f"high, got {self.batch_size} and {self.horizons}"
            )
        if self.sizes[0] != self.tasks.n_features:
            raise InputError(
                f"sizes[0] must be the {self.tasks.n_features} features of the tasks, got "
                f"{self.sizes[0]}"
            )
        kinds = (self.teacher.initialisation, self.student.initialisation)
        if kinds[0] != kinds[1] and kinds[0] != "unit_norm":
            raise InputError(
                f"{type(self.teacher).__name__} learns in networks of the start {kinds[0]!r} and "
                f"cannot teach {type(self.student).__name__}, whose networks start as {kinds[1]!r}"
            )

    def init(self, theta: Theta, *, key: PRNGKey) -> TeachingCarry:
        """A fresh task, a fresh network, and both rules at their beginning."""
        task_key, data_key, model_key, *rule_keys = jax.random.split(key, 5)
        student = eqx.combine(theta, self.student)
        task = self.tasks.sample(key=task_key)
        presentation = present(self.tasks, task, self.presentation, key=data_key)
        plain = jax.random.bernoulli(jax.random.fold_in(data_key, 2))
        model = init_model(
            student,
            self.sizes,
            key=model_key,
            activation=self.activation,
            presentation=select(plain, presentation.unwhitened(), presentation),
        )
        taught = student.init(model, key=rule_keys[1])
        return TeachingCarry(task, model, self.teacher.init(model, key=rule_keys[0]), taught)

    def step(
        self, theta: Theta, carry: TeachingCarry, *, key: PRNGKey
    ) -> tuple[TeachingCarry, Float[Array, ""], Bool[Array, ""]]:
        """Both rules on one batch: the mismatch, and the network as one of them leaves it."""
        data_key, coin_key, *rule_keys = jax.random.split(key, 4)
        model = carry.model
        trace = model.trace(self.tasks.unlabelled(carry.task, self.batch_size, key=data_key))
        known = self._as_taught(model)
        wanted, teacher = self.teacher.update(known, trace, carry.teacher, key=rule_keys[0])
        rule = eqx.combine(theta, self.student)
        given, student = rule.update(model, trace, carry.student, key=rule_keys[1])
        turns = (turned(known, wanted), turned(model, given))
        losses = [mismatch(*pair, self.lesson) for pair in zip(*turns, strict=True)]
        follow = jax.random.bernoulli(coin_key, self.lesson.student)
        layers = tuple(
            select(follow, own, self._led(own, before, change))
            for own, before, change in zip(
                model.apply(given).layers, known.layers, wanted, strict=True
            )
        )
        # A step's loss is about its own change alone, however many steps a gradient is taken of.
        layers, teacher, student = jax.lax.stop_gradient((layers, teacher, student))
        after = eqx.tree_at(lambda m: m.layers, model, layers)
        loss = jnp.mean(jnp.stack(losses))
        diverged = ~(jnp.isfinite(loss) & all_finite(layers))
        return TeachingCarry(carry.task, after, teacher, student), loss, diverged

    def horizon(self, *, key: PRNGKey) -> Int[Array, ""]:
        """Log-uniform over `horizons`."""
        return draw_horizon(self.horizons, key=key)

    def _as_taught(self, model: MLP) -> MLP:
        if self.teacher.initialisation == self.student.initialisation:
            return model
        layers = tuple(
            Layer(unit_columns(own.weight), own.bias, unit_rows(own.feedback))
            for own in model.layers
        )
        return eqx.tree_at(lambda m: m.layers, model, layers)

    def _led(self, own: Layer, before: Layer, change: Layer) -> Layer:
        """Where the teacher leads to: its directions, with the lengths that the student makes.

        `own` is the layer after the student's change; it keeps what is not taught.
        """
        aim = jax.tree.map(jnp.add, before, change)
        weight = unit_columns(aim.weight) * jnp.linalg.norm(own.weight, axis=0)
        feedback = unit_rows(aim.feedback) * jnp.linalg.norm(own.feedback, axis=1, keepdims=True)
        return Layer(
            weight if self.lesson.weight else own.weight,
            aim.bias if self.lesson.bias else own.bias,
            feedback if self.lesson.feedback else own.feedback,
        )


def turned(model: MLP, delta: Delta) -> Delta:
    """A change as turns of columns and feedback rows; biases as they are.

    Batch norm makes the length of a unit's weights mean nothing to the network, so it is no part
    of what is compared.
    """
    return tuple(
        Layer(
            unit_columns(layer.weight + change.weight) - unit_columns(layer.weight),
            change.bias,
            unit_rows(layer.feedback + change.feedback) - unit_rows(layer.feedback),
        )
        for layer, change in zip(model.layers, delta, strict=True)
    )


def mismatch(wanted: Layer, given: Layer, lesson: Lesson) -> Float[Array, ""]:
    """How far a layer's change is off: per part one minus the cosine plus `size` times the
    squared error relative to the wanted change, added up by the parts' weights.

    A part that is not to change at all counts for nothing.
    """
    parts = (
        (lesson.weight, wanted.weight, given.weight),
        (lesson.feedback, wanted.feedback, given.feedback),
        (lesson.bias, wanted.bias, given.bias),
    )
    return sum((w * _off(a, b, lesson.size) for w, a, b in parts if w), jnp.zeros(()))


def _off(wanted: Array, given: Array, size: float) -> Float[Array, ""]:
    power, own = jnp.sum(jnp.square(wanted)), jnp.sum(jnp.square(given))
    known = power > NOTHING
    power = jnp.where(known, power, 1.0)
    cosine = jnp.sum(wanted * given) * jax.lax.rsqrt(power * (own + NOTHING))
    error = jnp.sum(jnp.square(given - wanted)) / power
    return jnp.where(known, 1.0 - cosine + size * error, 0.0)
