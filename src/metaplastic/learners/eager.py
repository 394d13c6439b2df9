"""Networks trained by NumPy, where their rule can: nothing is compiled, a core for each."""

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from typing import Any, TypeVar

import jax
import threadpoolctl

from metaplastic.rules import AbstractUpdateRule, EagerSteps

T = TypeVar("T")


def eager_steps(rule: AbstractUpdateRule, activation: str) -> EagerSteps | None:
    """Steps of the rule by NumPy; none where it has none, or where JAX has a GPU or the like."""
    return rule.eager(activation) if _on_cpu() else None


def all_eager(rules: Sequence[AbstractUpdateRule]) -> bool:
    """Whether networks of these rules are trained by NumPy."""
    return all(eager_steps(rule, "relu") is not None for rule in rules)


class OneThreadEach(contextlib.ContextDecorator):
    """While any fit runs, in whatever thread, a product of NumPy's has one thread.

    Its numbers are then the same on any machine with more or fewer cores. What held before holds
    again when the last fit is done. Gives how many threads products had.
    """

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):  # The threads of other fits are not in the child.
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._lock, self._stack = threading.Lock(), contextlib.ExitStack()
        self._fits, self._threads = 0, 1

    def __enter__(self) -> int:
        with self._lock:
            if self._fits == 0:
                libraries: Any = threadpoolctl.ThreadpoolController().select(user_api="blas")
                found = (library.num_threads for library in libraries.lib_controllers)
                self._threads = max(found, default=1)
                self._stack.enter_context(libraries.limit(limits=1))
            self._fits += 1
            return self._threads

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._fits -= 1
            if self._fits == 0:
                self._stack.close()


one_thread_each = OneThreadEach()


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What the calls return; side by side in as many threads as NumPy's products may use."""
    with one_thread_each as n_threads:
        if min(n_threads, len(calls)) < 2:
            return [call() for call in calls]
        with ThreadPoolExecutor(min(n_threads, len(calls))) as pool:
            return list(pool.map(lambda call: call(), calls))


@functools.cache
def _on_cpu() -> bool:
    # Asking JAX starts its backend, which NumPy alone does not need.
    return not entry_points(group="jax_plugins") or jax.default_backend() == "cpu"
