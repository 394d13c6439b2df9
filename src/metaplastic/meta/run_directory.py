"""A run directory: what is in it, when it is written, and by what."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from metaplastic.errors import ConfigurationError
from metaplastic.files import write_atomically
from metaplastic.meta.checkpoint import save_checkpoint
from metaplastic.meta.metrics import MetricsWriter, Progress
from metaplastic.meta.reports import Report
from metaplastic.meta.train import MetaState, averaged_rule
from metaplastic.rules import AbstractUpdateRule
from metaplastic.rules.io import save_rule

CONFIG_FILE = "config.toml"
RULE_FILE, KEPT_RULES = "rule.safetensors", "rules"

SaveRule = Callable[[Path, AbstractUpdateRule, dict[str, Any]], None]


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """What does not change the numbers of a run.

    Parameters
    ----------
    resume : bool, default=False
        Whether to continue the run in the directory.
    checkpoint_seconds : float, default=60.0
        Seconds after which a checkpoint is due.
    checkpoint_updates : int, optional
        Updates after which a checkpoint is due, if that is earlier.
    evaluate_every : int, default=100
        Updates between evaluations.
    max_seconds : float, optional
        Seconds after which the run saves and stops, all its resumptions together.
    keep_tasks : bool, default=True
        Whether checkpoints hold the tasks that are under way. A resumed run then repeats the
        numbers of an uninterrupted one. Without tasks a checkpoint has a few hundred kB, and a
        resumed run begins its tasks anew.
    tensorboard : bool, default=False
        Whether to write event files for TensorBoard too.
    """

    resume: bool = False
    checkpoint_seconds: float = 60.0
    checkpoint_updates: int | None = None
    evaluate_every: int = 100
    max_seconds: float | None = None
    keep_tasks: bool = True
    tensorboard: bool = False


@dataclasses.dataclass(frozen=True)
class RunFacts:
    """What the files of a run say of it.

    Parameters
    ----------
    fingerprint : str
        Identifies all settings that change numbers; checked on resuming.
    config_text : str
        TOML to write as `config.toml`.
    provenance : mapping of str to object, optional
        Metadata of the rule file.
    write_rule : SaveRule or None, default=save_rule
        Writes the rule file; `None` for rules of classes that have no file format.
    """

    fingerprint: str
    config_text: str
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    write_rule: SaveRule | None = save_rule


def open_directory(out: Path, config_text: str, resume: bool) -> bool:
    """Make the run directory, or check the one to resume; whether there is a run in it."""
    if out.exists() and not out.is_dir():
        raise ConfigurationError(f"{out} is a file; choose a directory for the run")
    occupied = out.is_dir() and any(out.iterdir())
    if resume:
        if not (out / CONFIG_FILE).is_file():
            raise ConfigurationError(f"{out} holds no run to resume (no config.toml)")
        return True
    if occupied:
        raise ConfigurationError(
            f"{out} is not empty; resume the run in it, or choose another directory"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / CONFIG_FILE, config_text.encode())
    return False


class Saver:
    """Writes checkpoints and the rule, and knows how long the run has taken."""

    def __init__(
        self,
        out: Path,
        rule: AbstractUpdateRule,
        options: RunOptions,
        facts: RunFacts,
        seconds_before: float,
    ) -> None:
        self._out, self._rule, self._options = out, rule, options
        self._facts = facts
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
            fingerprint=self._facts.fingerprint,
            extra={"seconds": round(self.seconds(), 3)},
        )
        self._save_rule(self._out / RULE_FILE, state)
        self._saved = time.monotonic()

    def keep_rule(self, state: MetaState) -> None:
        """Write the rule as it is now, for good."""
        if self._facts.write_rule is None:
            return
        (self._out / KEPT_RULES).mkdir(exist_ok=True)
        self._save_rule(self._out / KEPT_RULES / f"updates-{int(state.step):06}.safetensors", state)

    def _save_rule(self, path: Path, state: MetaState) -> None:
        if self._facts.write_rule is None:
            return
        record = {
            **self._facts.provenance,
            "updates": int(state.step),
            "seconds": round(self.seconds(), 3),
            "fingerprint": self._facts.fingerprint,
            "device": jax.devices()[0].device_kind,
        }
        self._facts.write_rule(path, averaged_rule(self._rule, state), record)


class Log:
    """Writes what updates report, each after the next one has begun, so that no device waits."""

    def __init__(self, writer: MetricsWriter, progress: Progress, saver: Saver) -> None:
        self.writer, self._progress, self._saver = writer, progress, saver
        self._held: Report | None = None

    def add(self, report: Report) -> None:
        self.flush()
        self._held = report

    def flush(self) -> None:
        """Write what is held back: before anything that must not be ahead of it."""
        if self._held is not None:
            report, self._held = self._held, None
            self.writer.write({**report, "seconds": round(self._saver.seconds(), 3)})
            self._progress.update(report["step"], report["loss"])
