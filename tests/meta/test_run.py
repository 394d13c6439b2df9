"""Runs in a directory: stopped, killed, resumed, refused."""

import dataclasses
import importlib.util
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from metaplastic.errors import ConfigurationError
from metaplastic.meta import devices
from metaplastic.meta.run import RunOptions
from metaplastic.recipes.named import RECIPES
from metaplastic.recipes.training import run_recipe

PROGRAM = Path(__file__).parents[1] / "meta" / "toy_run.py"


@pytest.fixture(scope="module")
def toy():
    spec = importlib.util.spec_from_file_location("toy_run", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def executor(toy):
    return toy.make_executor()


@pytest.fixture(scope="module")
def whole(toy, executor, tmp_path_factory):
    """An uninterrupted run of 40 updates."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return toy.run(out, 40, executor=executor), numbers(out)


def numbers(out):
    """The records of the updates without their times."""
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    updates = [r for r in records if r["kind"] == "update"]
    return [{k: v for k, v in r.items() if k != "seconds"} for r in updates]


def bits(state):
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(state)]


def files(out):
    return {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}


def signal_at(step, number):
    """An `evaluate` that sends this process a signal."""

    def evaluate(rule, now):
        if now == step:
            signal.raise_signal(number)
        return {"accuracy": 0.5}

    return evaluate


@pytest.mark.slow
def test_layout(toy, executor, tmp_path):
    rules = []
    result = toy.run(
        tmp_path / "run",
        12,
        executor=executor,
        options=RunOptions(checkpoint_seconds=math.inf, checkpoint_updates=5, evaluate_every=4),
        evaluate=lambda rule, step: {"accuracy": float(step)},
        write_rule=lambda *arguments: rules.append(arguments),
        provenance={"licence": "Apache-2.0"},
    )
    assert result.status == "finished" and int(result.state.step) == 12
    out = tmp_path / "run"
    assert (out / "config.toml").read_text() == "toy = 1\n"
    names = {"config.toml", "metrics.jsonl", "checkpoints", "rules"}
    assert {p.name for p in out.iterdir()} == names
    assert {p.stem for p in (out / "checkpoints").iterdir()} == {"step-00000010", "step-00000012"}
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records if r["kind"] == "evaluation"] == [4, 8, 12]
    kept = [record["updates"] for path, _, record in rules if path.parent == out / "rules"]
    last = [record["updates"] for path, _, record in rules if path == out / "rule.safetensors"]
    assert (kept, last) == ([4, 8, 12], [5, 10, 12])
    path, rule, record = rules[-1]
    assert path == out / "rule.safetensors"
    np.testing.assert_array_equal(rule.drift, result.state.average.drift)
    assert record["licence"] == "Apache-2.0" and record["fingerprint"] == "toy"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_resumed_run_is_the_same_bit_for_bit(
    toy, executor, whole, tmp_path, number
):
    out = tmp_path / "run"
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    options = RunOptions(evaluate_every=1)
    stopped = toy.run(out, 40, executor=executor, options=options, evaluate=signal_at(17, number))
    assert stopped.status == "interrupted" and int(stopped.state.step) == 17
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before
    resumed = toy.run(out, 40, executor=executor, options=RunOptions(resume=True))
    assert resumed.status == "finished"
    assert resumed.seconds > stopped.seconds
    assert bits(resumed.state) == bits(whole[0].state)
    assert numbers(out) == whole[1]


@pytest.fixture
def interrupts():
    """SIGINT raises, also in a process that was started in the background and ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_a_second_interrupt_stops_at_once(toy, executor, tmp_path):

    def evaluate(rule, step):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        return {}

    with pytest.raises(KeyboardInterrupt):
        toy.run(
            tmp_path / "run",
            5,
            executor=executor,
            options=RunOptions(evaluate_every=1),
            evaluate=evaluate,
        )


def test_time_budget_counts_all_resumptions(toy, executor, whole, tmp_path):
    out = tmp_path / "run"
    first = toy.run(out, 40, executor=executor, options=RunOptions(max_seconds=0.0))
    assert first.status == "out_of_time" and int(first.state.step) == 1
    with safe_open(out / "checkpoints" / "step-00000001.safetensors", framework="numpy") as file:
        spent = json.loads(file.metadata()["checkpoint"])["extra"]["seconds"]
    again = RunOptions(resume=True, max_seconds=spent)
    assert int(toy.run(out, 40, executor=executor, options=again).state.step) == 2
    last = toy.run(out, 40, executor=executor, options=RunOptions(resume=True))
    assert bits(last.state) == bits(whole[0].state)
    assert numbers(out) == whole[1]


def test_a_damaged_newest_checkpoint_costs_only_time(toy, executor, whole, tmp_path):
    out = tmp_path / "run"
    options = RunOptions(checkpoint_seconds=math.inf, checkpoint_updates=5, evaluate_every=1)
    evaluate = signal_at(13, signal.SIGTERM)
    toy.run(out, 40, executor=executor, options=options, evaluate=evaluate)
    newest = out / "checkpoints" / "step-00000013.safetensors"
    data = bytearray(newest.read_bytes())
    data[-3] ^= 16
    newest.write_bytes(data)
    with pytest.warns(RuntimeWarning, match="damaged"):
        resumed = toy.run(out, 40, executor=executor, options=RunOptions(resume=True))
    assert bits(resumed.state) == bits(whole[0].state)
    assert numbers(out) == whole[1]


def test_light_checkpoints_are_without_tasks_which_begin_anew(toy, executor, whole, tmp_path):
    out = tmp_path / "run"
    light = RunOptions(keep_tasks=False, evaluate_every=1)
    stopped = toy.run(
        out, 40, executor=executor, options=light, evaluate=signal_at(13, signal.SIGTERM)
    )
    stored = load_file(out / "checkpoints" / "step-00000013.safetensors")
    assert stored and not [name for name in stored if name.startswith(".tasks")]
    assert stored.keys() & {".theta.drift", ".optimiser[0].mu.drift"}
    last = toy.run(out, 40, executor=executor, options=dataclasses.replace(light, resume=True))
    assert last.status == "finished"
    assert [r["step"] for r in numbers(out)] == list(range(1, 41))
    assert numbers(out)[:13] == whole[1][:13] and numbers(out)[13] != whole[1][13]
    assert bits(stopped.state.theta) != bits(last.state.theta) != bits(whole[0].state.theta)


def test_resuming_a_finished_run_changes_nothing(toy, executor, tmp_path):
    out = tmp_path / "run"
    first = toy.run(out, 6, executor=executor)
    again = toy.run(out, 6, executor=executor, options=RunOptions(resume=True))
    assert again.status == "finished"
    assert bits(again.state) == bits(first.state)
    assert [r["step"] for r in numbers(out)] == list(range(1, 7))


def test_what_is_refused_is_left_as_it_was(toy, executor, tmp_path):
    out = tmp_path / "run"
    toy.run(out, 3, executor=executor)
    before = files(out)
    with pytest.raises(ConfigurationError, match="not empty; resume"):
        toy.run(out, 3, executor=executor)
    resume = RunOptions(resume=True)
    with pytest.raises(ConfigurationError, match="another configuration"):
        toy.run(out, 3, executor=executor, options=resume, fingerprint="other")
    assert files(out) == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigurationError, match="is a file"):
        toy.run(tmp_path / "file", 3, executor=executor)
    for place in ("missing", "file"):
        with pytest.raises(ConfigurationError, match=r"no run to resume|is a file"):
            toy.run(tmp_path / place, 3, executor=executor, options=resume)
    assert (tmp_path / "file").read_text() == "mine" and not (tmp_path / "missing").exists()


def test_before_the_first_checkpoint_the_settings_are_compared(toy, executor, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    (out / "config.toml").write_text("toy = 1\n")
    resume = RunOptions(resume=True)
    with pytest.raises(ConfigurationError, match="other settings"):
        toy.run(out, 3, executor=executor, options=resume, text="toy = 2\n")
    assert toy.run(out, 3, executor=executor, options=resume).status == "finished"


def start(*arguments):
    # Bits must not depend on whether a program was compiled here or found in a cache.
    environment = {k: v for k, v in os.environ.items() if "JAX_COMPILATION_CACHE" not in k}
    return subprocess.Popen(
        [sys.executable, PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


@pytest.mark.slow
def test_killed_anywhere_resumes_bit_for_bit(whole, tmp_path):
    out = tmp_path / "run"
    process = start(out, 40, "--pause", 0.2)
    wait_for(out / "checkpoints" / "step-00000010.json", process)
    time.sleep(random.random() * 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    reference = tmp_path / "whole"
    process = start(out, 40, "--resume", "--whole", reference)
    printed, errors = process.communicate()
    assert (process.returncode, printed) == (0, "finished\nfinished\n"), errors
    assert numbers(out) == whole[1]
    state = max((out / "checkpoints").glob("*.safetensors"))
    again = max((reference / "checkpoints").glob("*.safetensors"))
    assert tensors(state) == tensors(again)


def tensors(path):
    """The file without its header, which tells the time."""
    data = path.read_bytes()
    return path.name, data[8 + int.from_bytes(data[:8], "little") :]


def test_more_shapes_than_can_be_compiled_leave_no_directory(monkeypatch, tmp_path):
    limit = tmp_path / "max_map_count"
    limit.write_text("4000\n")
    monkeypatch.setattr(devices, "_MOST_MAPS", limit)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    with pytest.raises(ConfigurationError, match=r"2 shapes .* at most 1 shapes"):
        run_recipe(RECIPES["small"], tmp_path / "run", validate=False)
    assert not (tmp_path / "run").exists()
