"""What the user decides of a cluster: how many workers, where, and how patient to be."""

import dataclasses
from typing import Any

from metaplastic.errors import InputError

MODES = ("synchronous", "asynchronous")
STALE = ("drop", "weight")
BY_WORKERS = -1
"""Value of `reducers` that leaves their number to the number of workers."""

_WORKERS_PER_REDUCER = 64


@dataclasses.dataclass(frozen=True)
class ClusterSettings:
    """Settings of `RayExecutor`; in a run's config the section `[cluster]`.

    Attributes
    ----------
    address : str, default=""
        `HOST:PORT` of a running cluster, or `auto`; empty starts Ray on this machine, bound to
        loopback.
    workers : int, default=2
        Processes that hold tasks.
    cpus_per_worker : float, default=1.0
        CPU cores of each worker. Its threads are limited to them.
    gpus_per_worker : float, default=0.0
        GPUs of each worker.
    resources : tuple of str, default=()
        More that a worker needs, as `NAME=AMOUNT`.
    environment : tuple of str, default=()
        Variables of the workers, as `NAME=VALUE`.
    mode : str, default="synchronous"
        `synchronous` waits for every task in every update; `asynchronous` updates whenever `batch`
        gradients have come.
    batch : int, default=0
        Gradients (of one task each) in an asynchronous update; 0 stands for as many as there are
        tasks.
    truncations : int, default=1
        Gradients that an asynchronous worker computes in one call, of its tasks in turn; it sends
        their mean.
    reducers : int, default=-1
        Processes between asynchronous workers and the learner; each adds up what its workers send.
        0 is none, and -1 is one for every 64 workers, but none for up to 64.
    max_staleness : int, default=8
        Updates that theta may be ahead of an asynchronous gradient.
    stale : str, default="drop"
        What becomes of an older gradient: `drop` it, or `weight` it by `max_staleness / staleness`.
    deadline : float, default=300.0
        Seconds that one call may take before its worker is replaced.
    compile_deadline : float, default=1800.0
        Seconds that a worker's first call for each architecture may take.
    retries : int, default=5
        Replacements of one worker in a row, without a result, before the run gives up.
    wait_for_resources : bool, default=False
        Start although the cluster has too little, because it grows (an autoscaler) or nodes will
        join.

    Raises
    ------
    InputError
        For values that are not allowed.
    """

    address: str = ""
    workers: int = 2
    cpus_per_worker: float = 1.0
    gpus_per_worker: float = 0.0
    resources: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    mode: str = "synchronous"
    batch: int = 0
    truncations: int = 1
    reducers: int = BY_WORKERS
    max_staleness: int = 8
    stale: str = "drop"
    deadline: float = 300.0
    compile_deadline: float = 1800.0
    retries: int = 5
    wait_for_resources: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"workers must be at least 1, got {self.workers}")
        if self.cpus_per_worker < 0 or self.gpus_per_worker < 0:
            raise InputError(
                "cpus_per_worker and gpus_per_worker must not be negative, got "
                f"{self.cpus_per_worker} and {self.gpus_per_worker}"
            )
        if self.mode not in MODES:
            raise InputError(f"unknown mode {self.mode!r}; choose one of {', '.join(MODES)}")
        if self.stale not in STALE:
            raise InputError(f"unknown stale {self.stale!r}; choose one of {', '.join(STALE)}")
        if self.batch < 0 or self.max_staleness < 0 or self.retries < 0:
            raise InputError("batch, max_staleness and retries must not be negative")
        if not (self.deadline > 0 and self.compile_deadline > 0):
            raise InputError("deadline and compile_deadline must be positive seconds")
        self._check_tree()
        self.amounts()
        self.variables()

    def _check_tree(self) -> None:
        if self.truncations < 1 or self.reducers < BY_WORKERS:
            raise InputError(
                "truncations must be at least 1 and reducers at least 0 (or -1: by the number of "
                f"workers), got {self.truncations} and {self.reducers}"
            )
        if self.mode == "synchronous" and (self.truncations > 1 or self.reducers > 0):
            raise InputError(
                f"{self.truncations} truncations in a call and {self.reducers} reducers go with "
                'mode = "asynchronous" (--asynchronous); a synchronous update waits for every task'
            )
        if self.reducers > self.workers:
            raise InputError(
                f"{self.reducers} reducers for {self.workers} worker(s): take at most as many "
                "reducers as workers, or -1 for one for every 64 workers"
            )

    def n_reducers(self) -> int:
        """Reducers there will be."""
        if self.reducers != BY_WORKERS:
            return self.reducers
        if self.mode == "synchronous" or self.workers <= _WORKERS_PER_REDUCER:
            return 0
        return -(-self.workers // _WORKERS_PER_REDUCER)

    def amounts(self) -> dict[str, float]:
        """`resources` by name; raises `InputError` for what is not `NAME=AMOUNT`."""
        amounts = {}
        for name, amount in _pairs(self.resources, "resources"):
            try:
                amounts[name] = float(amount)
            except ValueError:
                raise InputError(f"resources takes NAME=AMOUNT, got {name}={amount}") from None
        return amounts

    def variables(self) -> dict[str, str]:
        """`environment` by name; raises `InputError` for what is not `NAME=VALUE`."""
        return dict(_pairs(self.environment, "environment"))

    def actor_options(self) -> dict[str, Any]:
        """Options of a worker, as Ray names them; raises as `amounts` and `variables`."""
        return self._options() | {
            "num_cpus": self.cpus_per_worker,
            "num_gpus": self.gpus_per_worker,
            "resources": self.amounts(),
        }

    def reducer_options(self) -> dict[str, Any]:
        """Options of a reducer, as Ray names them; it needs no core for itself.

        Raises as `variables`.
        """
        return self._options() | {"num_cpus": 0, "scheduling_strategy": "SPREAD"}

    def task_options(self) -> dict[str, Any]:
        """Options of a task that may be done again, as Ray names them; raises as a worker's."""
        own = {k: v for k, v in self.actor_options().items() if not k.startswith("max_")}
        return own | {"max_retries": self.retries}

    def _options(self) -> dict[str, Any]:
        # What is lost is replaced by the pool, which knows what it was doing.
        options: dict[str, Any] = {"max_restarts": 0, "max_task_retries": 0}
        if self.environment:
            options["runtime_env"] = {"env_vars": self.variables()}
        return options


def _pairs(entries: tuple[str, ...], field: str) -> list[tuple[str, str]]:
    pairs = []
    for entry in entries:
        name, sign, value = entry.partition("=")
        if not sign or not name:
            raise InputError(f"{field} takes NAME=VALUE, got {entry!r}")
        pairs.append((name, value))
    return pairs
