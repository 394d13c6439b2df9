"""What there is to say of an update of the outer loop."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from metaplastic.types import Metrics


class Report(Mapping[str, Any]):
    """What there is to say of an update, fetched from the device when it is first asked for.

    Who asks after the next update has begun keeps no device waiting.
    """

    def __init__(self, fetch: Callable[[], Metrics]) -> None:
        self._fetch = functools.cache(fetch)

    def __getitem__(self, name: str) -> Any:
        return self._fetch()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fetch())

    def __len__(self) -> int:
        return len(self._fetch())


def summary(
    step: int,
    skipped: Int[Array, ""],
    parts: list[Metrics],
    norm: Float[Array, ""],
    besides: Metrics,
) -> Metrics:
    """Plain numbers: totals, and the mean loss of every bucket over its live tasks.

    A bucket without a live task has the loss `None` and is left out of the mean over buckets.
    """
    losses = []
    parts = jax.device_get(parts)
    for part in parts:
        live = part["diverged"] == 0
        losses.append(float(np.mean(part["loss"][live])) if np.any(live) else None)
    known = [loss for loss in losses if loss is not None]
    everything = {k: np.concatenate([np.atleast_1d(p[k]) for p in parts]) for k in parts[0]}
    return {
        "step": step,
        "loss": float(np.mean(known)) if known else float("nan"),
        "bucket_losses": losses,
        "update_norm": float(norm),
        "task_gradient_norm": float(np.mean(everything["gradient_norm"])),
        "clipped": float(np.mean(everything["clipped"])),
        "diverged": int(np.sum(everything["diverged"])),
        "restarted": int(np.sum(everything["restarted"])),
        "skipped_updates": int(skipped),
        **besides,
    }
