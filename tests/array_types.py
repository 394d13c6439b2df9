"""The type checker of the tests: beartype on annotations of arrays alone.

Plain arguments are left to the package, whose own messages for wrong ones are tested.
"""

import inspect
import typing
from typing import Any, TypeVar

import beartype
import jaxtyping

F = TypeVar("F")


def check(function: F) -> F:
    """`beartype.beartype` with annotations that mention no jaxtyping array dropped."""
    if inspect.isfunction(function):
        annotations = inspect.get_annotations(function)
        function.__annotations__ = {k: v for k, v in annotations.items() if mentions_arrays(v)}
    return beartype.beartype(function)


def mentions_arrays(annotation: Any) -> bool:
    if inspect.isclass(annotation) and issubclass(annotation, jaxtyping.AbstractArray):
        return True
    return any(mentions_arrays(part) for part in typing.get_args(annotation))
