"""Processes that were forked while JAX was running. Imported before JAX, so that none is missed."""

import os
import sys

from metaplastic.errors import ConfigurationError


class _Forks:
    """Remembers whether this process was forked from one in which JAX had threads.

    A fork copies the calling thread alone. JAX in the child waits for ever for the others.
    """

    def __init__(self) -> None:
        self.running = self.forked = False
        if hasattr(os, "register_at_fork"):  # Windows has no forks.
            os.register_at_fork(before=self._before, after_in_child=self._after)

    def check(self) -> None:
        """Raise `ConfigurationError` where JAX would hang; else note that it runs from now on."""
        if self.forked:
            raise ConfigurationError(
                "this process was forked from one in which JAX was running already, and JAX would "
                "wait in it for ever: nothing can be fitted here (predict and transform can be "
                "called). Start processes by 'spawn' or 'forkserver' instead "
                "(multiprocessing.get_context('spawn'); joblib's 'loky'), or fork before the first "
                "fit"
            )
        self.running = True

    def _before(self) -> None:
        # JAX tells nobody whether it runs. Were this name to go, our own runs would still be known.
        started = getattr(sys.modules.get("jax._src.xla_bridge"), "backends_are_initialized", None)
        self.running = self.running or (started is not None and started())

    def _after(self) -> None:
        self.forked = self.running


_forks = _Forks()


def check_fork() -> None:
    """Say that JAX runs in this process from now on.

    Raises
    ------
    ConfigurationError
        Where JAX would hang, because the process was forked from one in which it was running.
    """
    _forks.check()
