"""Learners by name, for the evaluation of any labelled set."""

import dataclasses
from collections.abc import Sequence

from metaplastic.errors import InputError
from metaplastic.learners import (
    PCA,
    AbstractLearner,
    KMeansTriangle,
    RandomNetwork,
    Raw,
    RuleLearner,
)
from metaplastic.rules.catalog import load_rule

LEARNERS = {
    "raw": "the inputs themselves",
    "pca": "principal components, as many as features",
    "k-means": "k-means with triangle activation, as many centres as features",
    "k-means-400": "the same with 400 centres",
    "random": "the same network, untrained",
}
"""Names that `learners` takes, with one line each."""


@dataclasses.dataclass(frozen=True)
class Network:
    """The base model and its training, for all learners that have one; as `RuleLearner`."""

    hidden_sizes: tuple[int, ...] = RuleLearner.hidden_sizes
    n_components: int = RuleLearner.n_components
    activation: str = RuleLearner.activation
    n_steps: int = RuleLearner.n_steps
    batch_size: int = RuleLearner.batch_size
    n_networks: int = RuleLearner.n_networks


def learners(
    rules: Sequence[str], others: Sequence[str], network: Network
) -> dict[str, AbstractLearner]:
    """Learners by label: those named in `others` (of `LEARNERS`), then one per rule.

    Raises:
        InputError: for an unknown learner or rule, or sizes that are not allowed.
        FileFormatError: for a rule file that cannot be read.
    """
    found = {name: _learner(name, network) for name in others}
    for rule in rules:
        found[rule] = RuleLearner(load_rule(rule), alias=rule, **dataclasses.asdict(network))
    return found


def _learner(name: str, network: Network) -> AbstractLearner:
    if name == "raw":
        return Raw()
    if name == "pca":
        return PCA(network.n_components)
    if name == "k-means":
        return KMeansTriangle(network.n_components)
    if name == "k-means-400":
        return KMeansTriangle(400)
    if name == "random":
        return RandomNetwork((*network.hidden_sizes, network.n_components), network.activation)
    raise InputError(f"unknown learner {name!r}; choose one of {', '.join(LEARNERS)}")
