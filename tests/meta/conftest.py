import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def toy():
    """The module `toy_run`, which is also a program."""
    path = Path(__file__).with_name("toy_run.py")
    spec = importlib.util.spec_from_file_location("toy_run", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
