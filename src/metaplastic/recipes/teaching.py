"""Teaching: who teaches, and what; the teachers of a rule, and which of them a shape has."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from metaplastic.meta.teaching import Lesson
from metaplastic.models import BOUNDED
from metaplastic.recipes.shapes import WRITINGS, Shape
from metaplastic.rules import AbstractUpdateRule
from metaplastic.rules.catalog import load_rule

Kind = Literal["main", "bounded", "sparse"]
"""What a teacher is for: inputs that are mostly zeros; bounded nonlinearities on other inputs; all
else."""

SPARSE_SOURCES = (WRITINGS, "topics")
"""Of bags of words."""


@dataclasses.dataclass(frozen=True)
class Teaching:
    """Section `[teaching]` of a recipe. Without a `teacher`, a name or path that `load_rule`
    takes, a rule is meta-trained and not taught; the other fields are those of `Lesson`."""

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


def teachers(name: str) -> Mapping[Kind, AbstractUpdateRule]:
    """The rules that a rule brings, each to teach where it is the best; raises what `load_rule`
    raises."""
    rule = load_rule(name)
    return {
        "main": rule.suited(sparse=False).for_activation("relu"),
        "bounded": rule.suited(sparse=False).for_activation("tanh"),
        "sparse": rule.suited(sparse=True).for_activation("relu"),
    }


def kind_of(shape: Shape) -> Kind:
    """The kind of teacher that networks of this shape on its source call for."""
    if shape.source in SPARSE_SOURCES:
        return "sparse"
    return "bounded" if shape.activation in BOUNDED else "main"
