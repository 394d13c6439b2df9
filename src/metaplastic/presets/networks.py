"""`NetworkSettings`: sizes, number and training of the networks of a preset."""

import dataclasses

import numpy as np

from metaplastic.checks import check_integer
from metaplastic.errors import InputError
from metaplastic.models import AUTO, check_activations

LEAST = {"n_components": 1, "n_steps": 0, "batch_size": 2, "n_networks": 1}
"""Least values of those that are integers."""


@dataclasses.dataclass(frozen=True)
class NetworkSettings:
    """Sizes, number and training of the networks.

    Parameters
    ----------
    hidden_sizes : tuple of int, default=(128, 128)
        Units of the hidden layers, from the input side; may be empty.
    n_components : int, default=512
        Features; direct ones and the units of the top layers together.
    n_networks : int, default=4
        Networks of one shape, at most one per learned feature.
    activation : str, default=AUTO
        A name of `models.ACTIVATIONS`, or several as in `relu+tanh`: then equally many networks
        have each of them. `auto` is `dense`, `pictures` or `sparse`, as inputs are.
    dense : str, default="relu"
        The nonlinearities of `auto` for most inputs.
    pictures : str, default="relu"
        The nonlinearities of `auto` for pictures.
    sparse : str, default="relu"
        The nonlinearities of `auto` for inputs that are mostly zeros. `dense` holds if networks or
        features cannot be shared equally.
    n_steps : int, default=100
        Inner steps of each network; 0 leaves it as initialised.
    batch_size : int, default=128
        Rows a step, drawn as shuffled epochs; the whole pool if it is smaller.

    Raises
    ------
    InputError
        For values that are not allowed.
    """

    hidden_sizes: tuple[int, ...] = (128, 128)
    n_components: int = 512
    n_networks: int = 4
    activation: str = AUTO
    dense: str = "relu"
    pictures: str = "relu"
    sparse: str = "relu"
    n_steps: int = 100
    batch_size: int = 128

    def __post_init__(self) -> None:
        if isinstance(self.hidden_sizes, (str, bytes)) or not np.iterable(self.hidden_sizes):
            raise InputError(
                f"hidden_sizes must be a tuple of positive integers, got {self.hidden_sizes!r}; "
                "write (128,) for one layer"
            )
        sizes = tuple(check_integer("hidden_sizes", size, 1) for size in self.hidden_sizes)
        object.__setattr__(self, "hidden_sizes", sizes)
        for name, least in LEAST.items():
            object.__setattr__(self, name, check_integer(name, getattr(self, name), least))
        for name in ("activation", "dense", "pictures", "sparse"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"{name} must be a name, got {getattr(self, name)!r}")
        for names in (self.dense, self.pictures, self.sparse):
            check_activations(names)
        names = () if self.activation == AUTO else check_activations(self.activation)
        if names and self.n_networks % len(names):
            raise InputError(
                f"{len(names)} nonlinearities ({self.activation}) need a multiple of {len(names)} "
                f"networks, got {self.n_networks}"
            )
