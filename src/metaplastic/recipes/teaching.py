"""Teaching: who teaches, what counts, and which teacher a shape has."""

import dataclasses

from metaplastic.meta.teaching import Lesson
from metaplastic.presets import load_preset
from metaplastic.presets.io import list_presets
from metaplastic.recipes.shapes import WRITINGS, Shape
from metaplastic.rules import RuleSet
from metaplastic.rules.catalog import load_rule

SPARSE_SOURCES = (WRITINGS, "topics")
"""Of bags of words: inputs that are mostly zeros."""


@dataclasses.dataclass(frozen=True)
class Teaching:
    """Section `[teaching]` of a recipe. Without a `teacher`, the name of a preset or what
    `load_rule` takes, a rule is meta-trained and not taught. The other fields are those of
    `Lesson`."""

    teacher: str = ""
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


def is_sparse(shape: Shape) -> bool:
    """Whether the inputs of a shape are mostly zeros."""
    return shape.source in SPARSE_SOURCES
