"""What a preset decides for one pool: the networks to train, and how inputs reach them."""

import dataclasses

from metaplastic.models import PresentationSettings
from metaplastic.rules import AbstractUpdateRule


@dataclasses.dataclass(frozen=True, eq=False)
class Member:
    """One network: the rule that trains it, and how it starts.

    `whitened` says whether it sees whitened inputs, if the plan's presentation whitens at all;
    `units` are those of its top layer; `seed` decides its initial weights and its order of rows.
    """

    rule: AbstractUpdateRule
    activation: str
    whitened: bool
    seed: int
    units: int


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """The networks to train on a pool, in the order of their features.

    `n_direct` of the features are direct; the members' units hold at least the `n_learned` others.
    """

    members: tuple[Member, ...]
    presentation: PresentationSettings
    n_direct: int
    n_learned: int
