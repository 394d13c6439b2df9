"""The rules that a preset trains networks with: one for each kind of network and of inputs."""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

from metaplastic.models import BOUNDED
from metaplastic.rules.base import AbstractUpdateRule

TAUGHT = ("main", "bounded", "sparse")
"""Roles that a rule can be taught for; `main` is always there."""

ROLES = (*TAUGHT, "pictures", "labels")
"""Fields of a `RuleSet`."""


@dataclasses.dataclass(frozen=True, eq=False)
class RuleSet:
    """Up to five rules.

    Parameters
    ----------
    main : AbstractUpdateRule
        The rule that trains whatever the others do not.
    bounded : AbstractUpdateRule, optional
        The rule for networks whose nonlinearity is bounded (`models.BOUNDED`), on inputs that are
        not mostly zeros; `main` if left out.
    sparse : AbstractUpdateRule, optional
        The rule for inputs that are mostly zeros, whatever the nonlinearity; if left out, `main`
        and `bounded` train those networks too.
    pictures : AbstractUpdateRule, optional
        The rule for the other networks on pictures; `main` if left out.
    labels : AbstractUpdateRule, optional
        The rule for all networks that hear labels; if left out, the others train those too.

    Examples
    --------
    >>> from metaplastic import load_rule
    >>> from metaplastic.rules import RuleSet
    >>> rules = RuleSet(load_rule("oja"), sparse=load_rule("hebb"))
    >>> type(rules.rule_for("relu", sparse=True)).__name__
    'Hebb'
    """

    later_fields: ClassVar[frozenset[str]] = frozenset({"pictures"})
    """Fields that older versions lack; left out, they change nothing."""

    main: AbstractUpdateRule
    bounded: AbstractUpdateRule | None = None
    sparse: AbstractUpdateRule | None = None
    pictures: AbstractUpdateRule | None = None
    labels: AbstractUpdateRule | None = None

    @property
    def hear_labels(self) -> bool:
        """Whether there is a rule for every network that hears labels."""
        rules = self.named().values() if self.labels is None else (self.labels,)
        return all(rule.hears_labels for rule in rules)

    def rule_for(
        self, activation: str, *, sparse: bool, pictures: bool = False, heard: bool = False
    ) -> AbstractUpdateRule:
        """The rule for a network of this nonlinearity, on inputs that are mostly zeros, pictures or
        neither, that hears labels or does not."""
        if heard and self.labels is not None:
            return self.labels
        if sparse and self.sparse is not None:
            return self.sparse
        if self.bounded is not None and activation in BOUNDED:
            return self.bounded
        if pictures and self.pictures is not None:
            return self.pictures
        return self.main

    def named(self) -> dict[str, AbstractUpdateRule]:
        """The rules that are there, by role."""
        rules = {role: getattr(self, role) for role in ROLES}
        return {role: rule for role, rule in rules.items() if rule is not None}

    def map(self, function: Callable[[AbstractUpdateRule], AbstractUpdateRule]) -> "RuleSet":
        """A set of the same roles with `function` of every rule."""
        return RuleSet(**{role: function(rule) for role, rule in self.named().items()})
