"""Where the pinned features are, and what decides their last bits."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import scipy
from threadpoolctl import threadpool_info

from metaplastic.learners.programs import _processor

PINNED = Path(__file__).with_name("pinned.json")


def machine() -> str:
    """Processor, kernels of the BLAS, versions: bits are equal where these are.

    The environment can choose other kernels than those of the processor.
    """
    kernels = {own["architecture"] for own in threadpool_info() if own["user_api"] == "blas"}
    blas = "+".join(sorted(kernels))
    versions = f"jax {jax.__version__} numpy {np.__version__} scipy {scipy.__version__}"
    return f"{_processor()} {blas} {versions}"


def read() -> dict[str, Any]:
    return json.loads(PINNED.read_text())


def write(pinned: dict[str, Any]) -> None:
    PINNED.write_text(
        "{\n" + ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in pinned.items()) + "\n}\n"
    )
