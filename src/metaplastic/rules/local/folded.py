"""The local rule's arrays as its step by NumPy uses them (`eager.LocalSteps`)."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.rules.local.start import (
    MAX_RATE,
    N_SAMPLE,
    N_UNIT,
    TIME_SCALE,
)

if TYPE_CHECKING:
    from metaplastic.rules.local.rule import LocalRule

Array = NDArray[np.float32]


class Theta:
    """The rule's arrays as the step uses them.

    Rows of what its network reads: elements of a (sample, unit), what holds for all samples of a
    unit, for all units of a sample, and a one. `reads` has the weights to the hidden units; `below`
    and `top` those from rows and hidden units together to what a layer emits: post-synaptic
    factors, messages, pre-synaptic factors (not at the top) and the push of biases.
    """

    def __init__(self, rule: "LocalRule") -> None:
        names = ("element_in", "unit_in", "sample_in", "role_in", "element_out", "hidden_out")
        element_in, unit_in, sample_in, role_in, element_out, hidden_out = (
            np.asarray(getattr(rule, name), np.float32) for name in names
        )
        self.unit = element_in.shape[1]
        self.sample = self.unit + N_UNIT
        self.one = self.sample + N_SAMPLE
        self.reads = np.concatenate([element_in, unit_in, sample_in], axis=1)
        self.role = role_in

        def readout(elements: Any, hidden: Any, offset: Any = 0.0) -> Array:
            own = np.zeros((len(hidden), self.one + 1), np.float32)
            own[:, : self.unit], own[:, self.one] = elements, offset
            return np.concatenate([own, hidden], axis=1)

        n_all = len(rule.input_out)
        every = readout(element_out, hidden_out, np.asarray(rule.offset_out))
        post, pre, messages = np.split(every, [n_all, 2 * n_all])
        push = readout(0.0, np.asarray(rule.bias_out)[None])
        top = readout(np.asarray(rule.top_element_out), np.asarray(rule.top_hidden_out))
        self.below = np.concatenate([post, messages, pre, push])
        self.top = np.concatenate([post, top, push])
        self.n_all, self.n_factors, self.n_messages = n_all, rule.n_factors, rule.n_messages
        self.input_out = np.asarray(rule.input_out, np.float32)
        self.weight_terms = np.asarray(rule.weight_terms).tolist()
        self.feedback_terms = np.asarray(rule.feedback_terms).tolist()
        self.rates = MAX_RATE / (1.0 + np.exp(-np.asarray(rule.rates, np.float64)))
        tau, gamma = np.asarray(rule.decay, np.float64)
        self.tau = TIME_SCALE * float(np.exp(tau))
        self.gamma = 1.0 / (1.0 + float(np.exp(-gamma)))
        self.settle = rule.settle
        self.competition = float(np.exp(rule.competition))
        self.similarity = 5.0 * float(np.exp(rule.similarity))

    def rates_at(self, time: float) -> list[float]:
        """Step sizes of weights, feedback weights and biases."""
        slow = (1.0 + time / self.tau) ** -self.gamma
        if self.settle:
            slow /= 1.0 + (time / self.settle) ** 2
        return (self.rates * slow).tolist()
