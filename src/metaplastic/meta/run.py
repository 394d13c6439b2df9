"""A complete meta-training run in a directory: checkpoints, metrics, evaluation, interruption.

The directory holds `config.toml`, `metrics.jsonl`, `checkpoints/`, `rule.safetensors` (the
moving average of theta, written with every checkpoint) and `rules/` (the same as it was every
`evaluate_every` updates, `rules/updates-000200.safetensors`: to compare early and late ones).
"""

import contextlib
import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import jax

from metaplastic.errors import ConfigurationError
from metaplastic.files import write_atomically
from metaplastic.meta.checkpoint import load_checkpoint, save_checkpoint
from metaplastic.meta.executor import AbstractExecutor, Bucket
from metaplastic.meta.metrics import MetricsWriter, Progress
from metaplastic.meta.problem import RuleProblem, split_rule
from metaplastic.meta.train import (
    MetaState,
    OuterConfig,
    Report,
    averaged_rule,
    initial_state,
    meta_train,
    state_shapes,
    with_new_tasks,
)
from metaplastic.rules import AbstractUpdateRule
from metaplastic.rules.io import save_rule
from metaplastic.types import Metrics

RULE_FILE, KEPT_RULES = "rule.safetensors", "rules"

Status = Literal["finished", "interrupted", "out_of_time"]
Evaluate = Callable[[AbstractUpdateRule, int], Metrics]
SaveRule = Callable[[Path, AbstractUpdateRule, dict[str, Any]], None]


@dataclasses.dataclass(frozen=True)
class RunResult:
    """How a run ended, its last state, and the rule with averaged theta."""

    status: Status
    state: MetaState
    rule: AbstractUpdateRule
    seconds: float


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What does not change the numbers of a run.

    `checkpoint_seconds` and `checkpoint_updates`: a checkpoint is due when either has passed.
    `max_seconds`: stop (and save) when the run, all its resumptions together, has taken so long.
    `keep_tasks`: checkpoints hold the tasks that are under way, so that a resumed run goes on
    exactly; without them they are a few hundred kB, and a resumed run begins its tasks anew.
    """

    resume: bool = False
    checkpoint_seconds: float = 60.0
    checkpoint_updates: int | None = None
    evaluate_every: int = 100
    max_seconds: float | None = None
    keep_tasks: bool = True
    tensorboard: bool = False


def run_meta_training(
    rule: AbstractUpdateRule,
    buckets: Sequence[Bucket],
    config: OuterConfig,
    executor: AbstractExecutor,
    out: Path,
    *,
    fingerprint: str,
    config_text: str,
    options: RunOptions | None = None,
    evaluate: Evaluate | None = None,
    write_rule: SaveRule | None = save_rule,
    provenance: dict[str, Any] | None = None,
) -> RunResult:
    """Meta-train `rule` in the directory `out`, or go on with the run that is there.

    Args:
        rule: the untrained rule.
        buckets: what `executor` was made of; a bucket's share in an update is its `n_tasks`.
        config: settings of the outer loop.
        executor: computes the gradients.
        out: run directory; must not hold anything unless resuming.
        fingerprint: identifies all settings that change numbers; checked on resuming.
        config_text: TOML to write as `config.toml`.
        options: see `RunOptions`.
        evaluate: called with the averaged rule and the step every `evaluate_every` updates and at
            the end; its metrics go to `metrics.jsonl` as kind `evaluation`.
        write_rule: writes the rule file; `None` for rules of classes that have no file format.
        provenance: metadata of the rule file.

    SIGINT and SIGTERM finish the update under way, save, and return status `interrupted`; a
    second SIGINT stops at once.

    Raises:
        ConfigurationError: for a directory that holds something when not resuming, that holds
            nothing when resuming, or whose run has another configuration. Nothing is written.
        FileFormatError: if the run's checkpoints are all damaged.
    """
    options = RunOptions() if options is None else options
    theta, _ = split_rule(rule)
    found = _open_directory(out, config_text, options.resume)
    before = 0.0
    state = None
    if found:
        shapes = state_shapes(theta, executor, config)
        checkpoint = load_checkpoint(
            out / "checkpoints", shapes, fingerprint=fingerprint, optional=".tasks"
        )
        if checkpoint is not None:
            state, before = checkpoint.tree, float(checkpoint.extra["seconds"])
            if not checkpoint.complete:
                state = with_new_tasks(state, executor, config)
        elif (out / "config.toml").read_text(encoding="utf-8") != config_text:
            raise ConfigurationError(
                f"{out} belongs to a run of other settings (see its config.toml) that has no "
                "checkpoint yet; choose another directory"
            )
    saver = _Saver(out, rule, options, fingerprint, write_rule, provenance or {}, before)
    done = 0 if state is None else int(state.step)
    board = out / "tensorboard" if options.tensorboard else None
    progress = Progress(
        config.n_updates, done=done, task_steps=_task_steps(buckets, executor.estimator.truncation)
    )
    with (
        MetricsWriter(out / "metrics.jsonl", resumed_step=done, tensorboard=board) as writer,
        contextlib.closing(progress),
        _stop_requested() as stop,
    ):
        if state is None:
            state = initial_state(theta, executor, config)
        updates = meta_train(
            rule, executor, config, weights=[float(b.n_tasks) for b in buckets], state=state
        )
        status: Status = "finished"
        log = _Log(writer, progress, saver)
        for step, (state, report) in enumerate(updates, start=done + 1):
            log.add(report)
            last = step == config.n_updates
            if last or step % options.evaluate_every == 0:
                log.flush()
                saver.keep_rule(state)
                if evaluate is not None:
                    scores = evaluate(averaged_rule(rule, state), step)
                    writer.write({"step": step, **scores}, kind="evaluation")
            if last:
                break
            if stop.is_set():
                status = "interrupted"
                break
            if options.max_seconds is not None and saver.seconds() >= options.max_seconds:
                status = "out_of_time"
                break
            if saver.due(step):
                log.flush()
                saver.save(state)
        log.flush()
    saver.save(state)
    return RunResult(status, state, averaged_rule(rule, state), saver.seconds())


class _Log:
    """Writes what updates report, each after the next one has begun, so that no device waits."""

    def __init__(self, writer: MetricsWriter, progress: Progress, saver: "_Saver") -> None:
        self._writer, self._progress, self._saver = writer, progress, saver
        self._held: Report | None = None

    def add(self, report: Report) -> None:
        self.flush()
        self._held = report

    def flush(self) -> None:
        """Write what is held back: before anything that must not be ahead of it."""
        if self._held is not None:
            report, self._held = self._held, None
            self._writer.write({**report, "seconds": round(self._saver.seconds(), 3)})
            self._progress.update(report["step"], report["loss"])


class _Saver:
    """Writes checkpoints and the rule, and knows how long the run has taken."""

    def __init__(
        self,
        out: Path,
        rule: AbstractUpdateRule,
        options: RunOptions,
        fingerprint: str,
        write_rule: SaveRule | None,
        provenance: dict[str, Any],
        seconds_before: float,
    ) -> None:
        self._out, self._rule, self._options = out, rule, options
        self._fingerprint = fingerprint
        self._write_rule, self._provenance = write_rule, provenance
        self._begin = time.monotonic() - seconds_before
        self._saved = time.monotonic()

    def seconds(self) -> float:
        """Seconds that the run has taken, earlier processes included."""
        return time.monotonic() - self._begin

    def due(self, step: int) -> bool:
        """Whether it is time for a checkpoint."""
        updates = self._options.checkpoint_updates
        if updates is not None and step % updates == 0:
            return True
        return time.monotonic() - self._saved >= self._options.checkpoint_seconds

    def save(self, state: MetaState) -> None:
        save_checkpoint(
            self._out / "checkpoints",
            state if self._options.keep_tasks else dataclasses.replace(state, tasks=()),
            step=int(state.step),
            fingerprint=self._fingerprint,
            extra={"seconds": round(self.seconds(), 3)},
        )
        self._save_rule(self._out / RULE_FILE, state)
        self._saved = time.monotonic()

    def keep_rule(self, state: MetaState) -> None:
        """Write the rule as it is now, for good."""
        if self._write_rule is None:
            return
        (self._out / KEPT_RULES).mkdir(exist_ok=True)
        self._save_rule(self._out / KEPT_RULES / f"updates-{int(state.step):06}.safetensors", state)

    def _save_rule(self, path: Path, state: MetaState) -> None:
        if self._write_rule is None:
            return
        record = {
            **self._provenance,
            "updates": int(state.step),
            "seconds": round(self.seconds(), 3),
            "fingerprint": self._fingerprint,
            "device": jax.devices()[0].device_kind,
        }
        self._write_rule(path, averaged_rule(self._rule, state), record)


def _open_directory(out: Path, config_text: str, resume: bool) -> bool:
    """Make the run directory, or check the one to resume; whether there is a run in it."""
    if out.exists() and not out.is_dir():
        raise ConfigurationError(f"{out} is a file; choose a directory for the run")
    occupied = out.is_dir() and any(out.iterdir())
    if resume:
        if not (out / "config.toml").is_file():
            raise ConfigurationError(f"{out} holds no run to resume (no config.toml)")
        return True
    if occupied:
        raise ConfigurationError(
            f"{out} is not empty; resume the run in it, or choose another directory"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "config.toml", config_text.encode())
    return False


def _task_steps(buckets: Sequence[Bucket], truncation: int) -> float:
    """Inner steps over all tasks in one update."""
    total = 0
    for bucket in buckets:
        problem = bucket.problem
        inner = problem.steps_per_loss if isinstance(problem, RuleProblem) else 1
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
