"""Metrics of a run: JSON lines, TensorBoard if wanted, and a progress line on a terminal."""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from metaplastic.extras import require
from metaplastic.files import write_atomically
from metaplastic.types import Metrics


class MetricsWriter:
    """Appends records to a file of JSON lines, one per record, each with a `step`.

    Numbers that are not finite are written as null. Raises `MissingDataError` if TensorBoard is
    asked for and `tensorboardX` is not installed.

    Parameters
    ----------
    path : Path
        The file; made if missing.
    resumed_step : int, default=0
        Records of later steps, and a last line cut short by a crash, are dropped on opening, so
        that a resumed run writes no step twice.
    tensorboard : Path, optional
        A directory for TensorBoard event files, or `None`.
    """

    def __init__(self, path: Path, *, resumed_step: int = 0, tensorboard: Path | None = None):
        self._board = None if tensorboard is None else _summary_writer(tensorboard, resumed_step)
        if path.exists():
            _truncate(path, resumed_step)
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def __enter__(self) -> "MetricsWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, metrics: Metrics, *, kind: str = "update") -> None:
        """Append one record; `metrics["step"]` is the update it belongs to."""
        self._file.write(json.dumps({"kind": kind, **_plain(metrics)}) + "\n")
        if self._board is not None:
            for name, value in _scalars(metrics).items():
                self._board.add_scalar(f"{kind}/{name}", value, int(metrics["step"]))

    def close(self) -> None:
        """Flush and close."""
        self._file.close()
        if self._board is not None:
            self._board.close()


class Progress:
    """One line on stderr, rewritten in place; nothing at all when stderr is not a terminal.

    Parameters
    ----------
    total : int
        Updates in the whole run.
    done : int, default=0
        Updates done before this process.
    task_steps : float
        Inner steps over all tasks in one update.
    stream : TextIO, optional
        Where to write, by default `sys.stderr`.
    """

    def __init__(
        self, total: int, *, done: int = 0, task_steps: float, stream: TextIO | None = None
    ) -> None:
        self._total, self._done, self._task_steps = total, done, task_steps
        self._stream = sys.stderr if stream is None else stream
        self._active = self._stream.isatty()
        self._begin: float | None = None
        self._shown = 0.0
        self._first = done

    def update(self, step: int, loss: float) -> None:
        """Report that update `step` is done. The first one (compilation) starts the clock."""
        now = time.monotonic()
        if self._begin is None:
            self._begin, self._first = now, step
        if not self._active or (now - self._shown < 0.5 and step < self._total):
            return
        self._shown = now
        self._stream.write(f"\r{self._line(step, loss, now - self._begin)}\x1b[K")
        self._stream.flush()

    def close(self) -> None:
        """End the line."""
        if self._active and self._shown:
            self._stream.write("\n")
            self._stream.flush()

    def _line(self, step: int, loss: float, seconds: float) -> str:
        text = f"update {step}/{self._total}  loss {loss:.4f}"
        if step == self._first or seconds <= 0:
            return text
        rate = (step - self._first) / seconds
        left = time.strftime("%H:%M:%S", time.gmtime((self._total - step) / rate))
        return f"{text}  {rate * self._task_steps:.0f} task-steps/s  {left} left"


def _truncate(path: Path, step: int) -> None:
    """Keep the records of steps up to `step`, in order."""
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict) and record.get("step", math.inf) <= step:
            kept.append(line)
    write_atomically(path, "".join(line + "\n" for line in kept).encode())


def _summary_writer(directory: Path, resumed_step: int) -> Any:
    require("tensorboardX", "writing TensorBoard events", "tensorboard")
    from tensorboardX import SummaryWriter

    return SummaryWriter(str(directory), purge_step=resumed_step + 1)


def _plain(value: Any) -> Any:
    """What JSON can hold: arrays to lists, numbers that are not finite to null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _scalars(metrics: Metrics) -> dict[str, float]:
    """Numbers by name; entries of lists and dictionaries by `name/entry`."""
    numbers: dict[str, float] = {}
    for name, value in _plain(metrics).items():
        entries = value.items() if isinstance(value, dict) else None
        if isinstance(value, list):
            entries = enumerate(value)
        for key, entry in [(None, value)] if entries is None else list(entries):
            if isinstance(entry, int | float) and name != "step":
                numbers[name if key is None else f"{name}/{key}"] = float(entry)
    return numbers
