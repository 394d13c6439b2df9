"""What a preset decides for one pool: the networks to train, and how inputs reach them."""

import dataclasses

from metaplastic.models import PresentationSettings
from metaplastic.rules import AbstractUpdateRule


@dataclasses.dataclass(frozen=True, eq=False)
class Member:
    """One network: the rule that trains it, and how it starts.

    Attributes
    ----------
    rule : AbstractUpdateRule
        The rule that trains it.
    activation : str
        Its nonlinearity.
    whitened : bool
        Whether it sees whitened inputs, if the plan's presentation whitens at all.
    seed : int
        Seed of its initial weights and its order of rows.
    units : int
        Units of its top layer.
    """

    rule: AbstractUpdateRule
    activation: str
    whitened: bool
    seed: int
    units: int


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """The networks to train on a pool, in the order of their features.

    Attributes
    ----------
    members : tuple of Member
        The networks. Their units hold at least the learned features.
    presentation : PresentationSettings
        How inputs are presented.
    n_direct : int
        Number of direct features.
    n_learned : int
        Number of learned features.
    """

    members: tuple[Member, ...]
    presentation: PresentationSettings
    n_direct: int
    n_learned: int
