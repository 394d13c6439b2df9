"""Whether the accuracy that the page of `metaplastic label` estimates is the true one."""

import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ways import Pool

from metaplastic.labelling import Answers, Cells, Session
from metaplastic.presets import load_preset

ASKED = (20, 40, 60)
"""Labels after which the estimate is compared with the truth."""


def estimates(pool: Pool, seed: int) -> Iterator[dict[str, Any]]:
    """Labels as a person would give them on the page, and what it then says."""
    most = min(ASKED[-1], len(pool.y) // 2)
    with tempfile.TemporaryDirectory() as folder:
        answers = Answers(Path(folder, "labels.csv"), len(pool.y), pool.name)
        looks = Cells(pool.features, None)
        session = Session(pool.features, looks, answers, load_preset("base").reading, seed)
        state = session.state()
        while state["labelled"] < most:
            row = state["row"]["number"]
            state = session.label(row, f"class {pool.y[row]}")
            if state["labelled"] in ASKED and state["estimate"] is not None:
                said = {name: state["estimate"][name] for name in ("share", "low", "high")}
                estimate = {"labels": state["labelled"], "accuracy": _accuracy(pool, state)}
                yield {"pool": pool.name, "seed": seed, **estimate, **said}
        answers.close()


def _accuracy(pool: Pool, state: dict[str, Any]) -> float:
    """Share of all rows that are read right."""
    read = np.frombuffer(base64.b64decode(state["read"]), np.uint8)
    known = np.array([int(one["name"].removeprefix("class ")) for one in state["classes"]])
    return float(np.mean(known[read] == pool.y))
