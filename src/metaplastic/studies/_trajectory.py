"""Encoders along one training, each offered to the evaluation as a learner."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from metaplastic.learners import AbstractLearner, RuleLearner
from metaplastic.models import MLP, FrozenMLP


class Trajectory:
    """The encoders along one training, which is done once per seed and pool."""

    def __init__(self, learner: RuleLearner, steps: Sequence[int]) -> None:
        self.learner = learner
        last = learner.preset.networks.n_steps
        self.steps = sorted({s for s in steps if s <= last} | {last})
        self._found: dict[int, tuple[NDArray, dict[int, FrozenMLP]]] = {}

    def at(self, x: NDArray, step: int, *, seed: int) -> FrozenMLP:
        """The encoder after `step` inner steps on the pool `x`."""
        if seed not in self._found or not np.array_equal(self._found[seed][0], x):
            encoders: dict[int, FrozenMLP] = {}
            preparation = self.learner.preset.prepare(x)

            def keep(done: int, models: tuple[MLP, ...], _: object) -> None:
                encoders[done] = self.learner.freeze(models, x, preparation, seed=seed)

            self.learner.fit_with_snapshots(
                x,
                seed=seed,
                snapshot_steps=self.steps,
                on_snapshot=keep,
            )
            self._found[seed] = (x, encoders)
        return self._found[seed][1][step]


@dataclasses.dataclass(frozen=True)
class AtStep(AbstractLearner):
    """One point of a trajectory, as a learner."""

    name: ClassVar[str] = "at step"

    trajectory: Trajectory
    step: int

    def fit(self, x: NDArray, *, seed: int) -> FrozenMLP:
        return self.trajectory.at(x, self.step, seed=seed)
