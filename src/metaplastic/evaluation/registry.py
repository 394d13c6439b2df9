"""Learners by name, for the evaluation of any labelled set."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from metaplastic.errors import InputError
from metaplastic.evaluation.trials import Judged
from metaplastic.learners import (
    PCA,
    Autoencoder,
    KMeansTriangle,
    LabelPropagation,
    RandomNetwork,
    Raw,
    RuleLearner,
    SupervisedMLP,
    VariationalAutoencoder,
    VICReg,
)
from metaplastic.models import plain_activation
from metaplastic.presets import NetworkSettings
from metaplastic.presets.io import is_preset, resolve, stored_preset

LEARNERS = {
    "raw": "the inputs themselves",
    "pca": "principal components, as many as features",
    "k-means": "k-means with triangle activation, as many centres as features",
    "k-means-400": "the same with 400 centres",
    "random": "the same network, untrained",
    "autoencoder": "a network of that shape as encoder of a denoising autoencoder",
    "vae": "the same of a variational autoencoder, inputs taken for probabilities",
    "vae-gaussian": "the same with a Gaussian likelihood",
    "vicreg": "the same network, trained to agree on corrupted views (VICReg)",
    "supervised": "the same network, trained on the labelled rows alone; no readout",
    "label-propagation": "labels spread over neighbours in the whole set; no readout",
}
"""Names that `learners` takes, with one line each."""


@dataclasses.dataclass(frozen=True)
class Network:
    """The base model and its training by a rule, as in `NetworkSettings`.

    Networks that are trained by gradient descent are of the same shape and otherwise as their
    classes say (chosen by study 044).
    """

    hidden_sizes: tuple[int, ...] = NetworkSettings.hidden_sizes
    n_components: int = NetworkSettings.n_components
    activation: str = NetworkSettings.activation
    n_steps: int = NetworkSettings.n_steps
    batch_size: int = NetworkSettings.batch_size
    n_networks: int = NetworkSettings.n_networks


def learners(
    rules: Sequence[str],
    others: Sequence[str],
    network: Network,
    given: Mapping[str, Any] | None = None,
) -> dict[str, Judged]:
    """Learners by label: those named in `others` (of `LEARNERS`), then one per rule.

    A preset, named or in a file, stands for all of it, not for its rules in another one; of
    `network` it takes what is `given` (all if None), the rest is its own. A rule that was made for
    top layers of one size (`metz2018`) has as many features as that makes.

    Raises
    ------
    InputError
        For an unknown learner or rule, or sizes that are not allowed.
    FileFormatError
        For a rule file that cannot be read.
    """
    judged: dict[str, Judged] = {name: _learner(name, network) for name in others}
    for name in rules:
        sizes = dataclasses.asdict(network)
        if is_preset(name):
            sizes = sizes if given is None else given
            judged[name] = RuleLearner(stored_preset(name).with_networks(**sizes), alias=name)
            continue
        preset = resolve(name)
        if preset.rules.main.n_top is not None:
            sizes["n_components"] = preset.rules.main.n_top * network.n_networks
        judged[name] = RuleLearner(preset.with_networks(**sizes), alias=name)
    return judged


def _learner(name: str, network: Network) -> Judged:
    shape: dict[str, Any] = {
        "hidden_sizes": network.hidden_sizes,
        "n_components": network.n_components,
        "activation": plain_activation(network.activation),
    }
    known: dict[str, Callable[[], Judged]] = {
        "raw": Raw,
        "pca": lambda: PCA(network.n_components),
        "k-means": lambda: KMeansTriangle(network.n_components),
        "k-means-400": lambda: KMeansTriangle(400),
        "random": lambda: RandomNetwork(
            (*network.hidden_sizes, network.n_components), plain_activation(network.activation)
        ),
        "autoencoder": lambda: Autoencoder(**shape),
        "vae": lambda: VariationalAutoencoder(**shape),
        "vae-gaussian": lambda: VariationalAutoencoder.gaussian(**shape),
        "vicreg": lambda: VICReg(**shape),
        "supervised": lambda: SupervisedMLP(**shape),
        "label-propagation": LabelPropagation,
    }
    if name not in known:
        raise InputError(f"unknown learner {name!r}; choose one of {', '.join(LEARNERS)}")
    return known[name]()
