"""Networks trained by NumPy, where their rule can: nothing is compiled, and all cores are used."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
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


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What the calls return; side by side in as many threads as NumPy's products may use.

    Each call has one thread for its products, so that its numbers are the same on any machine with
    more or fewer cores.
    """
    with _one_thread_each() as n_threads:
        if min(n_threads, len(calls)) < 2:
            return [call() for call in calls]
        with ThreadPoolExecutor(min(n_threads, len(calls))) as pool:
            return list(pool.map(lambda call: call(), calls))


@contextlib.contextmanager
def _one_thread_each() -> Iterator[int]:
    """Products of one thread; gives how many they had."""
    libraries: Any = threadpoolctl.ThreadpoolController().select(user_api="blas")
    threads = max((each.num_threads for each in libraries.lib_controllers), default=1)
    with libraries.limit(limits=1):
        yield threads


@functools.cache
def _on_cpu() -> bool:
    # Asking JAX starts its backend, which NumPy alone does not need.
    return not entry_points(group="jax_plugins") or jax.default_backend() == "cpu"
