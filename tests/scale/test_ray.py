"""Meta-training on Ray against training in this process, and against everything that goes wrong."""

import json
import os
import signal
import time

import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def faults(case, tmp_path_factory):
    return case("faults", tmp_path_factory.mktemp("faults"))


def test_synchronous_updates_are_those_of_one_process(case, tmp_path):
    found = case("synchronous", tmp_path)
    np.testing.assert_allclose(found["ray"], found["local"], rtol=1e-5)
    # What Ray opened on this machine can be reached from this machine alone.
    assert found["opened"] > 0 and found["beyond_loopback"] == []


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
@pytest.mark.parametrize(
    ("fault", "late", "not_finite"),
    [
        ("killed", False, False),
        ("hanging", True, False),
        ("not_finite", False, True),
        ("broken", False, False),
    ],
)
def test_a_bad_worker_is_replaced_and_counted(faults, fault, mode, late, not_finite):
    found = faults[f"{fault} {mode}"]
    assert found["done"] and found["finite"] and found["skipped"] == 0
    assert found["steps"] == list(range(1, 11))
    # Both workers may reach their sixth call before the flag is there.
    assert 1 <= found["lost_workers"] <= 2
    assert (found["late_workers"] > 0) == late
    assert (found["not_finite"] > 0) == not_finite


def test_asynchronous_updates_do_not_wait(case, tmp_path):
    found = case("asynchronous", tmp_path)
    losses = found["losses"]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:5])
    # Theta has three numbers, and so has each of the five tasks' gradients.
    assert found["bytes"]["theta_bytes"] == 12
    assert found["bytes"]["gradient_bytes"] == 12 * found["bytes"]["gradients"] >= 60
    # A slow task (0.1 s) is waited for by the worker that has it, not by the updates.
    assert found["slow_seconds"] < 0.1 * 390
    assert False in found["slow_arrivals"]
    assert found["dropped"] > 0
    assert found["weighted"] == 0 and found["staleness"] > 1


def test_nodes_go_and_come(case, tmp_path):
    found = case("nodes", tmp_path)
    assert found["steps"] == list(range(1, 61))
    assert found["finite"] and found["lost"] >= 1


def test_a_tree_loses_only_what_is_in_flight(case, tmp_path):
    found = case("tree", tmp_path)
    assert found["happened"] == ["bad worker", "hanging reducer", "killed reducer", "killed worker"]
    assert found["steps"] == list(range(1, 91)) and found["finite"]
    assert found["lost_reducers"] >= 2 and found["lost_workers"] >= 2 and found["not_finite"] == 1
    # Every update has what was asked for, and no worker is with two reducers.
    assert min(found["gradients"]) >= 8
    members = [number for post in found["members"] for number in post]
    assert len(members) == len(set(members))
    assert np.mean(found["losses"][-10:]) < 0.8 * np.mean(found["losses"][:5])


def test_no_row_is_lost_or_repeated_when_a_worker_is_killed(case, tmp_path):
    found = case("rows", tmp_path)
    assert found["killed"]
    rows, files, (reason,) = found["first"]
    assert (rows, files) == (100_000, 6) and "part-3.parquet: not a Parquet file" in reason
    assert found["second"] == [20_000, 1, []]
    assert found["rows"] == [120_000, 120_000] and found["equal"]
    assert found["files"] == [f"part-{i}.parquet" for i in range(6)]
    assert "metaplastic 0 here" in found["versions"] and "requirements.lock" in found["versions"]


def test_a_killed_learner_goes_on_from_its_checkpoint(learner, tmp_path):
    process = learner(tmp_path)
    metrics = tmp_path / "run" / "metrics.jsonl"
    limit = time.monotonic() + 300
    while not (metrics.exists() and metrics.read_text().count('"update"') > 12):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < limit
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stderr.close()
    process = learner(tmp_path)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-2000:]
    found = json.loads(out.splitlines()[-1])
    assert found["status"] == "finished" and found["start"] >= 10
    # Theta, Adam's moments, the schedule and the counters went on: 40 updates, each once.
    assert found["step"] == found["schedule"] == 40
    records = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [r["step"] for r in records if r["kind"] == "update"] == list(range(1, 41))


def test_errors_come_before_work_and_say_what_to_mend(case, tmp_path):
    found = case("errors", tmp_path)
    assert "cannot reach a Ray cluster at 127.0.0.1" in found["closed"]
    assert "check that its head runs" in found["closed"]
    assert found["closed seconds"] < 30
    assert "HOST:PORT" in found["form"]
    assert (
        "5000 worker(s) need more than the cluster has free (CPU: 5000 needed" in found["resources"]
    )
    assert "jax" in found["versions"] and "0.0.1 there" in found["versions"]
    assert "50 workers for 5 task(s)" in found["tasks"]
    assert "lost 3 times in a row" in found["retries"] and "broken on purpose" in found["retries"]


def test_a_ray_that_does_not_start_is_one_line(case, tmp_path):
    said = case("no_start", tmp_path)["said"]
    assert said.startswith("Ray did not start on this machine: ") and "RAY_TMPDIR" in said
    assert "\n" not in said


def test_an_address_that_does_not_answer_is_given_up(case, tmp_path):
    found = case("silent", tmp_path)
    assert "cannot reach a Ray cluster" in found["said"]
    assert found["seconds"] < 30
