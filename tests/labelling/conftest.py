"""A small pool whose rows are easily told apart, and what labels it."""

import numpy as np
import pytest

from metaplastic.labelling import Answers, Cells, Session
from metaplastic.presets import load_preset

N = 90
NAMES = ("ant", "bee", "cat")


@pytest.fixture(scope="session")
def pool():
    """Rows `(90, 6)` of three groups, and the name of each row's."""
    of = np.arange(N) % 3
    x = 6.0 * np.eye(3, 6)[of] + np.random.default_rng(0).normal(size=(N, 6))
    return x.astype(np.float32), np.array(NAMES)[of]


@pytest.fixture
def make_session(pool, tmp_path):
    """A session on `labels.csv`; its answers are closed at the end."""
    opened = []

    def make(x=pool[0], classes=()):
        answers = Answers(tmp_path / "labels.csv", len(x), "pool", classes)
        opened.append(answers)
        settings = load_preset("base").reading
        return Session(x, Cells(x, None), answers, settings), answers

    yield make
    for answers in opened:
        answers.close()
