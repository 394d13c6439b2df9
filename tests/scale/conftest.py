import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("ray_cases.py")
SECONDS = 600


def environment():
    # Workers find the toy in this process's path, as users' code is found on a cluster's nodes.
    path = os.pathsep.join([str(PROGRAM.parents[1] / "meta"), os.environ.get("PYTHONPATH", "")])
    # In containers there may be no home that Ray could write its token to.
    nowhere = str(Path(os.devnull) / "home")
    changes = {"PYTHONPATH": path.rstrip(os.pathsep), "JAX_PLATFORMS": "cpu", "HOME": nowhere}
    return os.environ | changes


@pytest.fixture(scope="session")
def case():
    """`case(name, folder)`: what a case of `ray_cases.py` says of itself."""

    def run(name, folder):
        done = subprocess.run(
            [sys.executable, PROGRAM, name, folder],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            env=environment(),
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture
def learner():
    """`learner(folder)` starts a run in a process group of its own, which is ended at last."""
    started = []

    def start(folder):
        process = subprocess.Popen(
            [sys.executable, PROGRAM, "learner", folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
