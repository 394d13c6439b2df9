"""Training of a base model on rows that come piece by piece, in constant memory.

What comes out depends on the rows and their order, never on how they were cut into pieces.
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree
from numpy.typing import NDArray

from metaplastic.learners import RuleLearner
from metaplastic.learners.eager import one_thread_each
from metaplastic.learners.rule_learner import starts, trained
from metaplastic.models import (
    MLP,
    AbstractPreparation,
    FrozenMLP,
    Key,
    folded_key,
    prepare,
    row_blocks,
    seed_key,
)
from metaplastic.rules import AbstractUpdateRule, RuleState

WARM_UP_ROWS = 1024
"""Rows from which the presentation of inputs is fitted, before the first step is made."""

RESERVOIR_ROWS = 4096
RESERVOIR_NUMBERS = 2**25
"""The rows kept for the final statistics: at most so many, and fewer where they are so wide that
they would hold more numbers than this (128 MiB), but never fewer than `LEAST_ROWS`."""

LEAST_ROWS = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Training:
    """A base model under training, NumPy arrays only: it can be pickled and continued."""

    rule: AbstractUpdateRule
    model: MLP
    state: RuleState
    key: Key
    n_steps: int

    @classmethod
    def of(
        cls, rule: AbstractUpdateRule, model: MLP, state: RuleState, key: Key, n_steps: int
    ) -> "Training":
        """The training by `rule` after `n_steps`, whose steps draw from `key`."""
        return cls(rule, to_numpy(model), to_numpy(state), key, n_steps)


def later_keys(seed: int, n_steps: int, count: int) -> tuple[Key, ...]:
    """Keys of the steps that `count` networks make after the `n_steps` of a fit."""
    key = folded_key(seed_key(seed), n_steps)
    return tuple(folded_key(key, index) for index in range(count))


Trainings = tuple[Training, ...]
"""One for each network, all after equally many steps."""


def begin(learner: RuleLearner, rows: NDArray, seed: int, *, prepared: bool) -> Trainings:
    """Fresh models whose presentation of inputs is fitted to prepared `rows` `(n, d)`."""
    plan = learner.preset.plan(rows, seed, prepared=prepared)
    fresh = starts(plan, rows, learner.preset.networks.hidden_sizes)
    return tuple(
        Training.of(member.rule, *start, 0)
        for member, start in zip(plan.members, fresh, strict=True)
    )


def advance(trainings: Trainings, batch_size: int, rows: NDArray) -> Trainings:
    """Train every network on as many whole batches as prepared `rows` `(n, d)` hold, in order."""
    count, done = len(rows) // batch_size, trainings[0].n_steps
    if count == 0:
        return trainings
    batches = rows[: count * batch_size].reshape(count, batch_size, rows.shape[1])
    after = trained(
        [own.rule for own in trainings],
        [(own.model, own.state, own.key) for own in trainings],
        [lambda: (batches, None)] * len(trainings),
        done,
    )
    return tuple(
        Training.of(own.rule, *network, done + count)
        for own, network in zip(trainings, after, strict=True)
    )


class Reservoir:
    """A uniform sample of the rows seen so far (Vitter 1985, algorithm R)."""

    def __init__(self, n_columns: int, seed: int) -> None:
        wide = max(LEAST_ROWS, RESERVOIR_NUMBERS // n_columns)
        self.capacity = min(RESERVOIR_ROWS, wide)
        self.rows = nothing(n_columns)
        self.n_seen = 0
        self._generator = np.random.default_rng([seed, 3])

    def add(self, rows: NDArray[np.float32]) -> None:
        """Offer rows `(n, d)`; one uniform number is drawn for each, kept or not."""
        number = self.n_seen + np.arange(len(rows))
        slot = np.floor(self._generator.random(len(rows)) * (number + 1)).astype(np.int64)
        self.n_seen += len(rows)
        free = self.capacity - len(self.rows)
        self.rows = np.concatenate([self.rows, rows[:free]])
        late = np.arange(len(rows)) >= free
        late &= slot < self.capacity
        self.rows[slot[late]] = rows[late]  # of several for one slot the last stays


class Stream:
    """A training that takes its rows as they come, and the encoder it has reached.

    Preparation and presentation of inputs are fitted to the first `WARM_UP_ROWS` rows, which are
    held back until then; an encoder asked for earlier is made from what has come, and changes
    nothing.

    Parameters
    ----------
    learner : RuleLearner
        What is trained, and how.
    n_columns : int
        Width of the rows.
    seed : int
        Seed of the model, the rule and the sample of rows.
    trainings : Trainings, optional
        Trainings to continue, with their `encoder`, which stands until a further step is made, and
        whose preparation they keep.
    """

    def __init__(
        self,
        learner: RuleLearner,
        n_columns: int,
        seed: int,
        trainings: Trainings | None = None,
        encoder: FrozenMLP | None = None,
    ) -> None:
        self._learner = learner
        self._seed = seed
        self._trainings = trainings
        self._continued = trainings is not None
        self._encoder = encoder
        self._preparation = None if encoder is None else encoder.preparation
        self._waiting = nothing(n_columns)
        self._reservoir = Reservoir(n_columns, seed)

    @property
    def _batch_size(self) -> int:
        return self._learner.preset.networks.batch_size

    @property
    def n_components(self) -> int:
        """Columns of the features."""
        return self._learner.preset.networks.n_components

    @property
    def n_steps(self) -> int:
        """Steps behind the present encoder."""
        done = 0 if self._trainings is None else self._trainings[0].n_steps
        return done + len(self._waiting) // self._batch_size

    @property
    def models(self) -> tuple[MLP, ...]:
        """The trained base models behind the present encoder."""
        return tuple(training.model for training in self._current()[0])

    @property
    def encoder(self) -> FrozenMLP:
        """The present encoder; made when first asked for, then kept until rows come."""
        if self._encoder is None:
            trainings, preparation = self._current()
            models = [training.model for training in trainings]
            rows = self._reservoir.rows
            self._encoder = self._learner.freeze(models, rows, preparation, seed=self._seed)
        return self._encoder

    @one_thread_each
    def extend(self, x: NDArray) -> None:
        """Take the rows of `x`, array or CSR matrix `(n, d)`."""
        before = self.n_steps
        if self._preparation is not None:  # A bad chunk must leave no trace.
            for rows in row_blocks(x):
                self._preparation.check_rows(rows)
        for rows in row_blocks(x):
            self._reservoir.add(rows)
            self._waiting = np.concatenate([self._waiting, rows])
            if self._trainings is None and len(self._waiting) >= WARM_UP_ROWS:
                first = self._waiting[:WARM_UP_ROWS]
                self._preparation = self._learner.preset.prepare(first)
                changed = self._preparation is not None
                rows = self._prepared(first)
                self._trainings = begin(self._learner, rows, self._seed, prepared=changed)
            if self._trainings is not None:
                whole = self._waiting[: len(self._waiting) // self._batch_size * self._batch_size]
                self._trainings = advance(self._trainings, self._batch_size, self._prepared(whole))
                left = len(self._waiting) % self._batch_size
                self._waiting = self._waiting[len(self._waiting) - left :].copy()
        if not self._continued or self.n_steps > before:
            self._encoder = None

    def _prepared(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return prepare(self._preparation, rows) if len(rows) else rows

    @one_thread_each
    def _current(self) -> tuple[Trainings, AbstractPreparation | None]:
        if self._trainings is not None:
            return self._trainings, self._preparation
        preparation = self._learner.preset.prepare(self._waiting)
        rows = prepare(preparation, self._waiting)
        trainings = begin(self._learner, rows, self._seed, prepared=preparation is not None)
        return advance(trainings, self._batch_size, rows), preparation


def to_numpy(tree: PyTree) -> PyTree:
    """The tree with NumPy arrays for JAX's: it pickles and needs no device."""

    def convert(leaf: Any) -> Any:
        return np.asarray(leaf) if isinstance(leaf, jax.Array) else leaf

    return jax.tree.map(convert, tree)


def nothing(n_columns: int) -> NDArray[np.float32]:
    """No rows yet."""
    return np.zeros((0, n_columns), np.float32)
