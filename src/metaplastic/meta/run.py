"""A complete meta-training run in a directory: checkpoints, metrics, evaluation, interruption.

SIGINT and SIGTERM finish the update under way, save, and return status `interrupted`. A second
SIGINT stops at once.

The directory holds `config.toml`, `metrics.jsonl`, `checkpoints/`, `rule.safetensors` (the
moving average of theta, written with every checkpoint) and `rules/` (the same as it was every
`evaluate_every` updates, `rules/updates-000200.safetensors`: to compare early and late ones).
"""

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from metaplastic.errors import ConfigurationError
from metaplastic.meta.checkpoint import load_checkpoint
from metaplastic.meta.executor import AbstractExecutor, Bucket
from metaplastic.meta.judged import AbstractJudgedProblem
from metaplastic.meta.metrics import MetricsWriter, Progress
from metaplastic.meta.problem import split_rule
from metaplastic.meta.reports import Report
from metaplastic.meta.run_directory import (
    CONFIG_FILE,
    Log,
    RunFacts,
    RunOptions,
    Saver,
    open_directory,
)
from metaplastic.meta.train import (
    MetaState,
    OuterConfig,
    averaged_rule,
    initial_state,
    meta_train,
    state_shapes,
    with_new_tasks,
)
from metaplastic.rules import AbstractUpdateRule
from metaplastic.types import Metrics, Theta

Status = Literal["finished", "interrupted", "out_of_time"]
Evaluate = Callable[[AbstractUpdateRule, int], Metrics]


@dataclasses.dataclass(frozen=True)
class RunResult:
    """How a run ended, its last state, and the rule with averaged theta."""

    status: Status
    state: MetaState
    rule: AbstractUpdateRule
    seconds: float


def run_meta_training(
    rule: AbstractUpdateRule,
    buckets: Sequence[Bucket],
    config: OuterConfig,
    executor: AbstractExecutor,
    out: Path,
    *,
    facts: RunFacts,
    options: RunOptions | None = None,
    evaluate: Evaluate | None = None,
) -> RunResult:
    """Meta-train `rule` in the directory `out`, or go on with the run that is there.

    Parameters
    ----------
    rule : AbstractUpdateRule
        The untrained rule.
    buckets : sequence of Bucket
        What `executor` was made of; a bucket's share in an update is its `n_tasks`.
    config : OuterConfig
        Settings of the outer loop.
    executor : AbstractExecutor
        Computes the gradients.
    out : Path
        Run directory; must not hold anything unless resuming.
    facts : RunFacts
        What the files of the run say of it.
    options : RunOptions, optional
        What does not change the numbers of the run.
    evaluate : Evaluate, optional
        Called with the averaged rule and the step; its metrics are logged as kind `evaluation`.

    Returns
    -------
    RunResult
        How the run ended, its last state and its rule.

    Raises
    ------
    ConfigurationError
        For a directory that holds something when not resuming, that holds nothing when resuming, or
        whose run has another configuration. Nothing is written.
    FileFormatError
        If the run's checkpoints are all damaged.
    """
    options = RunOptions() if options is None else options
    theta, _ = split_rule(rule)
    state, before = _opened(out, theta, executor, config, facts, options)
    saver = Saver(out, rule, options, facts, before)
    done = 0 if state is None else int(state.step)
    steps = _task_steps(buckets, executor.estimator.truncation)
    with _log(out, config, options, done, steps, saver) as log, _stop_requested() as stop:
        state = initial_state(theta, executor, config) if state is None else state
        weights = [float(b.n_tasks) for b in buckets]
        updates = meta_train(rule, executor, config, weights=weights, state=state)
        observe = _Observer(rule, saver, log, evaluate)
        status, state = _follow(updates, state, observe, config.n_updates, options, stop)
    saver.save(state)
    return RunResult(status, state, averaged_rule(rule, state), saver.seconds())


@contextlib.contextmanager
def _log(
    out: Path, config: OuterConfig, options: RunOptions, done: int, steps: float, saver: Saver
) -> Iterator[Log]:
    """The metrics file and the line of progress, closed at the end."""
    board = out / "tensorboard" if options.tensorboard else None
    with (
        MetricsWriter(out / "metrics.jsonl", resumed_step=done, tensorboard=board) as writer,
        contextlib.closing(Progress(config.n_updates, done=done, task_steps=steps)) as progress,
    ):
        yield Log(writer, progress, saver)


@dataclasses.dataclass(frozen=True)
class _Observer:
    """What happens between updates: metrics, kept rules, evaluations, checkpoints."""

    rule: AbstractUpdateRule
    saver: Saver
    log: Log
    evaluate: Evaluate | None

    def judge(self, state: MetaState, step: int) -> None:
        """Keep the rule as it is now, and evaluate it."""
        self.log.flush()
        self.saver.keep_rule(state)
        if self.evaluate is not None:
            scores = self.evaluate(averaged_rule(self.rule, state), step)
            self.log.writer.write({"step": step, **scores}, kind="evaluation")

    def save_if_due(self, state: MetaState, step: int) -> None:
        if self.saver.due(step):
            self.log.flush()
            self.saver.save(state)


def _follow(
    updates: Iterator[tuple[MetaState, Report]],
    state: MetaState,
    observe: _Observer,
    n_updates: int,
    options: RunOptions,
    stop: threading.Event,
) -> tuple[Status, MetaState]:
    """Take updates until the last one, a request to stop or the limit of time."""
    status: Status = "finished"
    done = int(state.step)
    for step, (after, report) in enumerate(updates, start=done + 1):
        state = after
        observe.log.add(report)
        last = step == n_updates
        if last or step % options.evaluate_every == 0:
            observe.judge(state, step)
        status = _status(last, stop.is_set(), observe.saver.seconds(), options.max_seconds)
        if last or status != "finished":
            break
        observe.save_if_due(state, step)
    observe.log.flush()
    return status, state


def _opened(
    out: Path,
    theta: Theta,
    executor: AbstractExecutor,
    config: OuterConfig,
    facts: RunFacts,
    options: RunOptions,
) -> tuple[MetaState | None, float]:
    """State and seconds of the run in `out`; `None` and 0 if it is new or has no checkpoint yet."""
    if not open_directory(out, facts.config_text, options.resume):
        return None, 0.0
    shapes = state_shapes(theta, executor, config)
    checkpoint = load_checkpoint(
        out / "checkpoints", shapes, fingerprint=facts.fingerprint, optional=".tasks"
    )
    if checkpoint is None:
        if (out / CONFIG_FILE).read_text(encoding="utf-8") != facts.config_text:
            raise ConfigurationError(
                f"{out} belongs to a run of other settings (see its config.toml) that has no "
                "checkpoint yet; choose another directory"
            )
        return None, 0.0
    state = checkpoint.tree
    if not checkpoint.complete:
        state = with_new_tasks(state, executor, config)
    return state, float(checkpoint.extra["seconds"])


def _status(last: bool, stop: bool, seconds: float, limit: float | None) -> Status:
    if last:
        return "finished"
    if stop:
        return "interrupted"
    return "out_of_time" if limit is not None and seconds >= limit else "finished"


def _task_steps(buckets: Sequence[Bucket], truncation: int) -> float:
    """Inner steps over all tasks in one update."""
    total = 0
    for bucket in buckets:
        problem = bucket.problem
        judged = isinstance(problem, AbstractJudgedProblem)
        inner = problem.settings.steps_per_loss if judged else 1
        total += bucket.n_tasks * truncation * inner
    return float(total)


@contextlib.contextmanager
def _stop_requested() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the second SIGINT acts as it did before.

    Signals can be handled in the main thread alone; elsewhere the event is never set.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    earlier = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, earlier[signal.SIGINT] or signal.default_int_handler)

    for number in earlier:
        signal.signal(number, handle)
    try:
        yield stop
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler or signal.SIG_DFL)
