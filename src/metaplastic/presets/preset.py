"""`Preset`: everything that experiments decided about learning features, as data."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from metaplastic.errors import InputError
from metaplastic.models import (
    AUTO,
    NO_DIRECT,
    NO_PICTURES,
    NO_PREPARATION,
    PLAIN,
    AbstractPreparation,
    DirectSettings,
    PictureSettings,
    PreparationSettings,
    PresentationSettings,
    check_activations,
    fit_preparation,
    share_of_least,
)
from metaplastic.presets.networks import NetworkSettings
from metaplastic.presets.plan import Member, Plan
from metaplastic.readings.settings import DEFAULT, ReadingSettings
from metaplastic.rules import AbstractUpdateRule, RuleSet
from metaplastic.types import Rows


@dataclasses.dataclass(frozen=True, eq=False)
class Preset:
    """Rules, presentation and networks: all that turns a pool without labels into features.

    Parameters
    ----------
    name : str
        What it is called.
    rules : RuleSet
        The update rules, by kind of network and of inputs.
    presentation : PresentationSettings, default=PLAIN
        How inputs are presented.
    sparse_presentation : PresentationSettings, default=PLAIN
        The same for inputs that are mostly zeros.
    direct : DirectSettings, default=NO_DIRECT
        How many of the features are the inputs themselves, for pictures and for inputs that are
        mostly zeros.
    dense_direct : DirectSettings, default=NO_DIRECT
        The same for other inputs.
    networks : NetworkSettings, optional
        Sizes, number and training of the networks.
    reading : ReadingSettings, default=DEFAULT
        How classes are read from the features.
    mostly_zero : float, default=1.0
        Share of the entries that are the least of their column above which inputs count as mostly
        zeros, as bags of words are (`models.share_of_least`).
    whiten_in_turn : bool, default=True
        Whether every other network sees inputs that are not whitened. Some things are told apart
        better one way, some the other.
    preparation : PreparationSettings, default=NO_PREPARATION
        What raw inputs go through before they are presented.
    pictures : PictureSettings, default=NO_PICTURES
        When inputs count as pictures.

    Raises
    ------
    InputError
        For values that are not allowed.

    Examples
    --------
    >>> from metaplastic import load_preset
    >>> load_preset("base").networks.n_networks
    4
    """

    later_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that older files lack; they get their default."""

    name: str
    rules: RuleSet
    presentation: PresentationSettings = PLAIN
    sparse_presentation: PresentationSettings = PLAIN
    direct: DirectSettings = NO_DIRECT
    dense_direct: DirectSettings = NO_DIRECT
    networks: NetworkSettings = dataclasses.field(default_factory=NetworkSettings)
    reading: ReadingSettings = DEFAULT
    mostly_zero: float = 1.0
    whiten_in_turn: bool = True
    preparation: PreparationSettings = NO_PREPARATION
    pictures: PictureSettings = NO_PICTURES

    def __post_init__(self) -> None:
        if not 0.0 <= self.mostly_zero <= 1.0:
            raise InputError(f"mostly_zero is a share from 0 to 1, got {self.mostly_zero!r}")

    def with_networks(self, **changes: Any) -> "Preset":
        """The preset with other `NetworkSettings`; raises what they raise."""
        return dataclasses.replace(self, networks=dataclasses.replace(self.networks, **changes))

    def without_direct(self) -> "Preset":
        """The preset whose features are learned alone."""
        return dataclasses.replace(self, direct=NO_DIRECT, dense_direct=NO_DIRECT)

    def without_preparation(self) -> "Preset":
        """The preset whose presentation gets the inputs as they are."""
        return dataclasses.replace(self, preparation=NO_PREPARATION)

    def prepare(self, x: Rows) -> AbstractPreparation | None:
        """What raw inputs go through first, fitted to a pool.

        Parameters
        ----------
        x : array or sparse matrix (n, d)
            The raw pool.

        Returns
        -------
        AbstractPreparation or None
            `None` if inputs stay as they are.
        """
        if self.preparation == NO_PREPARATION:
            return None
        return fit_preparation(x, self.preparation, pictures=self.pictures.seen_in(x))

    def check_hearing(self) -> None:
        """Raise `InputError` unless its rules hear labels."""
        if not self.rules.hear_labels:
            raise InputError(
                f"the rules of preset {self.name!r} hear no labels; give a preset with a rule that "
                "does, or such a rule"
            )

    def plan(self, x: Rows, seed: int, *, prepared: bool = False, heard: bool = False) -> Plan:
        """The networks to train on a pool.

        All networks have one shape, so that those of one nonlinearity and rule share a compiled
        program. What they have too many of together is left out when they are frozen.

        Parameters
        ----------
        x : array or sparse matrix (n, d)
            The prepared pool.
        seed : int
            Seed of the first network; those of the others follow from it.
        prepared : bool, default=False
            Whether `prepare` changed the pool, which then holds no pictures.
        heard : bool, default=False
            Whether the networks hear labels.

        Returns
        -------
        Plan
            Members, presentation and number of direct features.

        Raises
        ------
        InputError
            If several nonlinearities cannot share the features, or a rule is to hear labels and
            does not.
        """
        if heard:
            self.check_hearing()
        own = self.networks
        sparse = share_of_least(x) > self.mostly_zero
        pictures = not (sparse or prepared) and self.pictures.seen_in(x)
        direct = self.direct if sparse or pictures else self.dense_direct
        n_direct = direct.count(x.shape[1], own.n_components)
        n_learned = own.n_components - n_direct
        count = min(own.n_networks, n_learned)
        wanted = own.sparse if sparse else own.pictures if pictures else own.dense
        names = self._nonlinearities(wanted, count, n_learned)
        presentation = self.sparse_presentation if sparse else self.presentation
        members = [
            Member(
                rule=self.rules.rule_for(name, sparse=sparse, pictures=pictures, heard=heard),
                activation=name,
                whitened=not (self.whiten_in_turn and index % 2),
                seed=own_seed,
                units=-(-n_learned // count),
            )
            for index, (name, own_seed) in enumerate(
                zip(
                    np.repeat(names, count // len(names)).tolist(), _seeds(seed, count), strict=True
                )
            )
        ]
        return Plan(tuple(members), presentation, n_direct, n_learned)

    def direct_beside(self, n_in: int, units: Sequence[int]) -> tuple[int, DirectSettings]:
        """The direct features that stand beside the networks of a plan of this preset.

        Parameters
        ----------
        n_in : int
            Prepared columns.
        units : sequence of int
            Top units of the networks, which tell whether the plan was for dense inputs.

        Returns
        -------
        tuple of int and DirectSettings
            Their number and their settings.

        Raises
        ------
        InputError
            If no plan of this preset has such networks.
        """
        n, most = self.networks.n_components, self.networks.n_networks
        for own in (self.dense_direct, self.direct):
            n_direct = own.count(n_in, n)
            count = min(most, n - n_direct)
            if list(units) == [-(-(n - n_direct) // count)] * count:
                return n_direct, own
        raise InputError(f"no plan of this preset has networks of {list(units)} top units")

    def _nonlinearities(self, wanted: str, count: int, n_learned: int) -> tuple[str, ...]:
        """Those of `count` networks that share `n_learned` features, each of equally many."""
        own = self.networks
        if own.activation != AUTO:
            names = check_activations(own.activation)
            if not self._shared(names, count, n_learned):
                raise InputError(
                    f"{own.n_components} features cannot be shared by {own.n_networks} networks of "
                    f"{len(names)} nonlinearities; make n_components a multiple of n_networks"
                )
            return names
        return next(
            (
                names
                for names in (check_activations(wanted), check_activations(own.dense))
                if self._shared(names, count, n_learned)
            ),
            check_activations(own.dense)[:1],
        )

    def _shared(self, names: Sequence[str], count: int, n_learned: int) -> bool:
        """Whether networks of these nonlinearities can have equally many units each."""
        cut = n_learned % count if self.rules.main.readout == "post" else 0
        return len(names) == 1 or not (count % len(names) or cut)


def _seeds(seed: int, count: int) -> list[int]:
    more: NDArray[np.int64] = np.random.default_rng([seed, 4]).integers(2**31, size=count - 1)
    return [seed, *more.tolist()]


def plain_preset(rule: AbstractUpdateRule, **networks: Any) -> Preset:
    """A preset of one rule and nothing else, for comparing and dissecting rules.

    Inputs are scaled and not whitened, no feature is direct, and the rule trains every network.

    Parameters
    ----------
    rule : AbstractUpdateRule
        The rule of all networks.
    networks : object
        Fields of `NetworkSettings`.

    Returns
    -------
    Preset
        The preset.

    Examples
    --------
    >>> from metaplastic import load_rule
    >>> from metaplastic.presets import plain_preset
    >>> plain_preset(load_rule("oja"), n_networks=2).networks.n_networks
    2
    """
    return Preset(type(rule).__name__, RuleSet(rule), networks=NetworkSettings(**networks))
