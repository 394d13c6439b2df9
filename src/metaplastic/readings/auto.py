"""The linear and the graph reading together, each weighted by the evidence for it."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.special import log_softmax

from metaplastic.readings.base import AbstractReading, Features, Scores, sharpened
from metaplastic.readings.neighbours import Neighbours
from metaplastic.readings.poisson import NodeScores
from metaplastic.readings.ridge import RidgeReading

_RIDGE = "ridge_"


@dataclasses.dataclass(frozen=True, eq=False)
class CombinedReading(AbstractReading):
    """`scores = linear * log p_ridge + node scores + bias`; probabilities are their softmax."""

    ridge: RidgeReading
    nodes: NodeScores
    linear: float
    bias: Float[np.ndarray, " class"]
    story: str
    evidence: dict[str, float] = dataclasses.field(default_factory=dict)
    """What the weights were chosen by (`readings.evidence`)."""

    def scores(self, features: Features, near: Neighbours | None = None) -> Scores:
        said = log_softmax(self.ridge.sharpness * self.ridge.scores(features), axis=1)
        return self.linear * said + self.nodes(features, near) + self.bias

    def probabilities(self, features: Features, near: Neighbours | None = None) -> Scores:
        return sharpened(self.scores(features, near), 1.0)

    def explain(self) -> str:
        return self.story

    def arrays(self) -> dict[str, NDArray]:
        ridge = {f"{_RIDGE}{name}": value for name, value in self.ridge.arrays().items()}
        return {**ridge, **self.nodes.arrays(), "prior": self.bias}

    def fields(self) -> dict[str, Any]:
        return {
            "ridge": self.ridge.fields(),
            "k": self.nodes.k,
            "linear": self.linear,
            "story": self.story,
            "evidence": self.evidence,
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray], fields: Mapping[str, Any]) -> Self:
        ridge = {k.removeprefix(_RIDGE): v for k, v in arrays.items() if k.startswith(_RIDGE)}
        return cls(
            RidgeReading.restore(ridge, fields["ridge"]),
            NodeScores.restore(arrays, fields),
            float(fields["linear"]),
            arrays["prior"],
            str(fields["story"]),
            dict(fields["evidence"]),
        )
