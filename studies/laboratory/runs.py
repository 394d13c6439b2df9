"""Meta-training runs in the folder of a study: what they were given, what their loss did."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaplastic.report import Line, Table, line_figure

WINDOW = 25
"""Updates over which a curve is averaged, and of which the first and last loss is a mean."""


def updates_of(run: Path) -> list[dict[str, Any]]:
    """Metrics of all updates of a run directory, in order; none if it kept no metrics."""
    path = run / "metrics.jsonl"
    if not path.is_file():
        return []
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [record for record in records if record["kind"] == "update"]


def run_table(folder: Path, stages: Mapping[str, str]) -> Table:
    """What every run started from and did, by what the table calls it."""
    rows = tuple(_row(folder / stage, shown) for stage, shown in stages.items())
    header = ("", "from", "updates", "rate", "tasks an update", "seconds", "first loss", "last")
    note = (
        f"Losses are the meta-loss, means of the first and of the last {WINDOW} updates. Seconds "
        "include compiling. A dash: no metrics were kept."
    )
    return Table(header, rows, note)


def _row(run: Path, shown: str) -> tuple[str, ...]:
    settings = tomllib.loads((run / "config.toml").read_text("utf-8"))
    outer, updates = settings["outer"], updates_of(run)
    losses = [record["loss"] for record in updates]
    return (
        f"[{shown}]({run.name}/config.toml)",
        _start(Path(settings["start"])),
        str(len(updates) or outer["n_updates"]),
        f"{outer['learning_rate']:.1e}",
        str(sum(shape["n_tasks"] for shape in settings["shapes"])),
        f"{updates[-1]['seconds']:,.0f}" if updates else "-",
        f"{np.mean(losses[:WINDOW]):.3f}" if losses else "-",
        f"{np.mean(losses[-WINDOW:]):.3f}" if losses else "-",
    )


def _start(rule: Path) -> str:
    """What a run began from: a shipped rule, a stage, or another file in a run's folder."""
    if not rule.suffix:
        return rule.name
    return rule.parent.name if rule.stem == "rule" else f"{rule.parent.name}/{rule.name}"


def loss_figure(curves: Mapping[str, Sequence[float]]) -> Any:
    """Meta-loss over updates, averaged over `WINDOW` updates."""
    lines = [_line(name, np.asarray(losses)) for name, losses in curves.items()]
    return line_figure(
        {"": lines},
        x_label="meta-updates",
        y_label=f"meta-loss, mean of {WINDOW} updates",
        columns=1,
        height=3.2,
    )


def run_figure(folder: Path, stages: Mapping[str, str]) -> Any:
    """`loss_figure` of the runs of a study."""
    kept = {shown: updates_of(folder / stage) for stage, shown in stages.items()}
    return loss_figure({k: [u["loss"] for u in updates] for k, updates in kept.items() if updates})


def _line(name: str, losses: NDArray[np.float64]) -> Line:
    smooth = np.convolve(losses, np.full(WINDOW, 1 / WINDOW), "valid")
    return Line(name, np.arange(WINDOW, len(losses) + 1).tolist(), smooth.tolist())
