"""The central learner: networks trained by update rules on an unlabelled pool, then frozen.

A preset plans which networks are trained with what; the learner plans, trains and freezes.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.learners.base import AbstractLearner
from metaplastic.learners.eager import all_eager, at_once, eager_steps, one_thread_each
from metaplastic.learners.inner_loop import chunk_steps, train
from metaplastic.learners.pool import (
    FREEZE_ROWS,
    check_pool,
    pool_presentation,
    subsample,
)
from metaplastic.learners.programs import compiled, training
from metaplastic.learners.told import Draws, Told
from metaplastic.models import (
    MLP,
    AbstractPreparation,
    FrozenMLP,
    Key,
    Presentation,
    draw_mlp,
    first_features,
    freeze,
    prepare,
    seed_key,
    side_by_side,
    split_key,
    with_direct,
)
from metaplastic.presets import Member, Plan, Preset, plain_preset
from metaplastic.rules import AbstractUpdateRule, RuleState, init_model
from metaplastic.types import Rows

Snapshot = Callable[[int, tuple[MLP, ...], tuple[RuleState, ...]], None]
"""Called with the number of steps done, and every network's model and state of the rule."""

Start = tuple[MLP, RuleState, Key]
"""A fresh model, the state of its rule, and the key of its inner steps."""


@dataclasses.dataclass(frozen=True, eq=False)
class RuleLearner(AbstractLearner):
    """Trains the networks that a preset plans for a pool, then freezes them into one encoder.

    The networks differ in their initial weights, in the order of rows and in what else the plan
    says; the features are those of all of them, after the direct ones.

    Parameters
    ----------
    preset : Preset
        What is trained, and how.
    alias : str, default=""
        Name in tables; the preset's name when left out.

    Raises
    ------
    InputError
        If `preset` is none.
    """

    name: ClassVar[str] = "rule"

    preset: Preset
    alias: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.preset, Preset):
            raise InputError(f"preset must be a preset, got {type(self.preset).__name__}")

    @property
    def label(self) -> str:
        """The alias, or the preset's name."""
        return self.alias or self.preset.name

    def fit(self, x: Rows, *, seed: int) -> FrozenMLP:
        """Train on the pool `x` `(n, d)` and freeze; raises `InputError` or `DivergenceError`."""
        return self.fit_with_snapshots(x, seed=seed)

    @one_thread_each
    def fit_with_snapshots(
        self,
        x: Rows,
        *,
        seed: int,
        snapshot_steps: Sequence[int] = (),
        on_snapshot: Snapshot | None = None,
        told: Told | None = None,
    ) -> FrozenMLP:
        """As `fit`, calling `on_snapshot(step, models, states)` at the given numbers of steps.

        Steps outside 0 to `n_steps` are passed over. Snapshots change nothing of the result. `told`
        is what the networks hear of labels.
        """
        raw = check_pool(x)
        preparation = self.preset.prepare(raw)
        x = prepare(preparation, raw)
        plan = self.preset.plan(x, seed, prepared=preparation is not None, heard=told is not None)
        networks = starts(plan, x, self.preset.networks.hidden_sizes)
        rules = [member.rule for member in plan.members]
        own = self.preset.networks
        draws = [Draws(x, own.batch_size, told, seed=member.seed) for member in plan.members]
        most = chunk_steps(min(own.batch_size, x.shape[0]), x.shape[1])
        stops = sorted({s for s in snapshot_steps if 0 <= s <= own.n_steps} | {own.n_steps})
        done = 0
        for stop in stops:
            while done < stop:
                count = min(most, stop - done)
                networks = trained(
                    rules, networks, [functools.partial(each.take, count) for each in draws], done
                )
                done += count
            if on_snapshot is not None and stop in snapshot_steps:
                models, states, _ = zip(*networks, strict=True)
                on_snapshot(stop, models, states)
        return self.freeze([model for model, _, _ in networks], raw, preparation, seed=seed)

    @one_thread_each
    def freeze(
        self,
        models: Sequence[MLP],
        x: Rows,
        preparation: AbstractPreparation | None = None,
        *,
        seed: int,
    ) -> FrozenMLP:
        """One encoder of all networks, with the statistics of the rows `x` `(n, d)`.

        Of more rows than `FREEZE_ROWS` a random sample is used. `preparation` is what the rows
        went through before the networks were trained on them.
        """
        x = prepare(preparation, subsample(x, FREEZE_ROWS, seed=seed))
        preset, units = self.preset, [model.sizes[-1] for model in models]
        n_direct, direct = preset.direct_beside(x.shape[1], units)
        encoder = side_by_side([freeze(model, x) for model in models])
        encoder = first_features(encoder, preset.networks.n_components - n_direct)
        if n_direct:
            encoder = with_direct(encoder, n_direct, x, direct, seed=seed)
        return dataclasses.replace(encoder, preparation=preparation)


def plain_learner(rule: AbstractUpdateRule, *, alias: str = "", **networks: Any) -> RuleLearner:
    """A learner of one rule and nothing else (`plain_preset`).

    Parameters
    ----------
    rule : AbstractUpdateRule
        The rule of all networks.
    alias : str, default=""
        Name in tables; the class of the rule when left out.
    networks : object
        Fields of `NetworkSettings`.

    Returns
    -------
    RuleLearner
        The learner.

    Raises
    ------
    InputError
        For settings that are not allowed.

    Examples
    --------
    >>> import numpy as np
    >>> from metaplastic import load_rule
    >>> from metaplastic.learners import plain_learner
    >>> sizes = {"hidden_sizes": (6,), "n_components": 4, "n_networks": 1, "n_steps": 2}
    >>> x = np.random.default_rng(0).normal(size=(20, 8))
    >>> plain_learner(load_rule("hebb"), **sizes).fit(x, seed=0)(x).shape
    (20, 4)
    """
    return RuleLearner(plain_preset(rule, **networks), alias=alias)


Take = Callable[[], tuple[NDArray[np.float32], NDArray[np.float32] | None]]
"""Gives a network its next batches, and what is heard of them."""


def trained(
    rules: Sequence[AbstractUpdateRule], networks: Sequence[Start], takes: Sequence[Take], done: int
) -> list[Start]:
    """The networks after one step with each of their next batches; `done` steps were made before.

    Networks that NumPy trains are trained side by side.
    """

    def call(rule: AbstractUpdateRule, network: Start, take: Take) -> Start:
        model, state, key = network
        batches, targets = take()
        after = train(rule, model, state, batches, key=key, first_step=done, targets=targets)
        return (*after, key)

    calls = [functools.partial(call, *own) for own in zip(rules, networks, takes, strict=True)]
    return at_once(calls) if all_eager(rules) else [each() for each in calls]


@one_thread_each
def starts(plan: Plan, x: Rows, hidden_sizes: tuple[int, ...]) -> list[Start]:
    """Fresh models of a plan for the pool `x` `(n, d)`, their rule states and training keys."""
    whitened = pool_presentation(x, plan.presentation)
    plain = whitened.unwhitened()
    return [
        start(member, whitened if member.whitened else plain, hidden_sizes)
        for member in plan.members
    ]


def start(member: Member, presentation: Presentation, hidden_sizes: tuple[int, ...]) -> Start:
    """A fresh model of one member whose inputs are so presented, its rule state and key."""
    sizes = (presentation.shift.shape[0], *hidden_sizes, member.units)
    rule, activation = member.rule, member.activation
    model_key, rule_key, step_key = split_key(seed_key(member.seed), 3)
    eager = eager_steps(rule, activation)
    if eager is not None:
        model = draw_mlp(
            sizes,
            model_key,
            activation=activation,
            readout=rule.readout,
            presentation=presentation,
        )
        return model, eager.init(), step_key
    with training():
        model, state = _start(rule, sizes, model_key, rule_key)
    own = dataclasses.replace(model, presentation=presentation, activation=activation)
    return own, state, step_key


@compiled(once=True)
def _start(
    rule: AbstractUpdateRule, sizes: tuple[int, ...], model_key: Array, rule_key: Array
) -> tuple[MLP, RuleState]:
    # Presentation and nonlinearity are no part of it, so that all networks share one program.
    model = init_model(rule, sizes, key=jax.random.wrap_key_data(model_key))
    return model, rule.init(model, key=jax.random.wrap_key_data(rule_key))
