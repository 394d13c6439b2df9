"""The metrics file, TensorBoard, and the progress line."""

import io
import json
import sys

import numpy as np
import pytest

from metaplastic.errors import MissingDataError
from metaplastic.meta import metrics as module
from metaplastic.meta.metrics import MetricsWriter, Progress


def records(path):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def test_records_are_plain_json(tmp_path):
    path = tmp_path / "m.jsonl"
    with MetricsWriter(path) as writer:
        writer.write({"step": 1, "loss": np.float32(0.5), "each": np.array([1.0, np.nan])})
        # Written at once, so that a crash loses nothing.
        assert records(path) == [{"kind": "update", "step": 1, "loss": 0.5, "each": [1.0, None]}]
        writer.write({"step": 1, "scores": {"a": float("inf")}}, kind="evaluation")
    assert records(path)[1] == {"kind": "evaluation", "step": 1, "scores": {"a": None}}


def test_resuming_drops_later_steps_and_a_torn_line(tmp_path):
    path = tmp_path / "m.jsonl"
    with MetricsWriter(path) as writer:
        for step in range(1, 8):
            writer.write({"step": step})
    with path.open("a") as file:
        file.write('{"kind": "update", "step')
    with MetricsWriter(path, resumed_step=4) as writer:
        writer.write({"step": 5, "again": True})
    assert [r["step"] for r in records(path)] == [1, 2, 3, 4, 5]
    assert records(path)[-1]["again"]


def test_tensorboard_gets_every_number(tmp_path, monkeypatch):
    written = []

    class Board:
        def add_scalar(self, *arguments):
            written.append(arguments)

        def close(self):
            written.append("closed")

    monkeypatch.setattr(module, "_summary_writer", lambda directory, step: Board())
    with MetricsWriter(tmp_path / "m.jsonl", tensorboard=tmp_path / "t") as writer:
        writer.write({"step": 3, "loss": 0.5, "each": [1.0, np.nan], "by": {"a": 2}, "text": "x"})
    assert written == [
        ("update/loss", 0.5, 3),
        ("update/each/0", 1.0, 3),
        ("update/by/a", 2.0, 3),
        "closed",
    ]


def test_tensorboard_missing_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingDataError, match=r"pip install 'metaplastic\[tensorboard\]'"):
        MetricsWriter(tmp_path / "m.jsonl", tensorboard=tmp_path / "t")
    assert not (tmp_path / "m.jsonl").exists()


def test_tensorboard_writes_event_files(tmp_path):
    pytest.importorskip("tensorboardX")
    with MetricsWriter(tmp_path / "m.jsonl", tensorboard=tmp_path / "t") as writer:
        writer.write({"step": 1, "loss": 0.5})
    assert any(path.stat().st_size > 0 for path in (tmp_path / "t").iterdir())


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_silent_without_a_terminal():
    stream = io.StringIO()
    progress = Progress(3, task_steps=10, stream=stream)
    for step in (1, 2, 3):
        progress.update(step, 0.5)
    progress.close()
    assert stream.getvalue() == ""


def test_progress_shows_rate_and_time_left(monkeypatch):
    now = iter([100.0, 102.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))
    stream = Terminal()
    progress = Progress(101, done=0, task_steps=10, stream=stream)
    progress.update(1, 0.75)
    progress.update(2, 0.5)
    progress.close()
    lines = [part.removesuffix("\x1b[K") for part in stream.getvalue().strip().split("\r")]
    assert lines[0] == "update 1/101  loss 0.7500"
    assert lines[1] == "update 2/101  loss 0.5000  5 task-steps/s  00:03:18 left"
