"""Teaching: who teaches, what counts, and which teacher a shape has."""

import dataclasses
from collections.abc import Sequence

from metaplastic.errors import ConfigurationError
from metaplastic.meta.teaching import Lesson
from metaplastic.models import BOUNDED
from metaplastic.presets import load_preset
from metaplastic.presets.io import list_presets
from metaplastic.recipes.shapes import WRITINGS, Shape
from metaplastic.rules import AbstractUpdateRule, RuleSet
from metaplastic.rules.catalog import load_rule
from metaplastic.rules.local import LocalRule, narrowed
from metaplastic.rules.rule_set import TAUGHT

SPARSE_SOURCES = (WRITINGS, "topics")
"""Of bags of words: inputs that are mostly zeros."""


@dataclasses.dataclass(frozen=True)
class Teaching:
    """Section `[teaching]` of a recipe. Without a `teacher`, the name of a preset or what
    `load_rule` takes, a rule is meta-trained and not taught. `role` names the one rule of the
    preset that teaches, on the shapes that it is for; all do if it is empty. The other fields are
    those of `Lesson`."""

    teacher: str = ""
    role: str = ""
    weight: float = 1.0
    feedback: float = 0.5
    bias: float = 0.25
    size: float = 0.5
    student: float = 0.5

    @property
    def lesson(self) -> Lesson:
        """What counts; raises `InputError` for numbers out of range."""
        return Lesson(self.weight, self.feedback, self.bias, self.size, self.student)


def teachers(name: str) -> RuleSet:
    """The rules of a preset, each to teach where it is the best, or one rule for everything.

    Raises what `load_preset` and `load_rule` raise.
    """
    return load_preset(name).rules if name in list_presets() else RuleSet(load_rule(name))


def preset_and_role(name: str) -> tuple[str, str]:
    """What `PRESET:ROLE` names; a name of another form has no role."""
    preset, _, role = name.partition(":")
    return (preset, role) if role and preset in list_presets() else (name, "")


def start_rule(name: str) -> AbstractUpdateRule:
    """The rule that `PRESET:ROLE` means, or what `load_rule` makes of the name.

    Raises
    ------
    ConfigurationError
        For a role that the preset has no rule for.
    InputError
        For an unknown rule, as `load_rule`.
    """
    preset, role = preset_and_role(name)
    if not role:
        return load_rule(name)
    known = load_preset(preset).rules.named()
    if role not in known:
        raise ConfigurationError(
            f"start: {preset} has no rule in the role {role!r}; its roles are {', '.join(known)}"
        )
    return known[role]


def taught_shapes(shapes: Sequence[Shape], role: str) -> tuple[Shape, ...]:
    """The shapes that the rule of a role is for, of a preset that has all roles.

    Raises
    ------
    ConfigurationError
        For an unknown role, or if no shape is left.
    """
    if not role:
        return tuple(shapes)
    if role not in TAUGHT:
        known = ", ".join(TAUGHT)
        raise ConfigurationError(f"teaching.role is one of {known}, got {role!r}")
    found = tuple(shape for shape in shapes if role_of(shape) == role)
    if not found:
        raise ConfigurationError(f"no shape is for the {role} rule; change the shapes or the role")
    return found


def role_of(shape: Shape) -> str:
    """The role of the rule that trains networks of this shape."""
    if is_sparse(shape):
        return "sparse"
    return "bounded" if shape.activation in BOUNDED else "main"


def cut(
    teaching: Teaching, hidden: int, n_messages: int | None = None, n_factors: int | None = None
) -> AbstractUpdateRule:
    """The teacher with fewer hidden units, messages and factors; left out, as many as it has.

    Raises
    ------
    ConfigurationError
        For a teacher that is not `local`, or a role that it does not have.
    InputError
        For more of them than it has.
    """
    if not teaching.teacher:
        raise ConfigurationError("the rule narrowed is its teacher cut down: name a teacher")
    known = teachers(teaching.teacher).named()
    rule = known.get(teaching.role or "main")
    if not isinstance(rule, LocalRule):
        raise ConfigurationError(
            f"{teaching.teacher} has no rule of the class `local`, which alone can be narrowed, in "
            f"the role {teaching.role or 'main'!r}; its roles are {', '.join(known)}"
        )
    return narrowed(rule, hidden, n_messages, n_factors)


def is_sparse(shape: Shape) -> bool:
    """Whether the inputs of a shape are mostly zeros."""
    return shape.source in SPARSE_SOURCES
