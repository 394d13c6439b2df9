"""Parts of a large table, done here one after another or side by side on Ray."""

from collections.abc import Iterator, Sequence
from typing import Any

from metaplastic.errors import ConfigurationError
from metaplastic.models import FrozenMLP
from metaplastic.scale.cluster import reason_of
from metaplastic.scale.parts import Job, Outcome, Part, do_part, environment
from metaplastic.scale.settings import ClusterSettings


def do_here(encoder: FrozenMLP, parts: Sequence[Part], job: Job) -> Iterator[Outcome]:
    """Outcomes of all parts, one after another in this process."""
    for part in parts:
        yield do_part(encoder, part, job)


def do_on_ray(
    encoder: FrozenMLP,
    parts: Sequence[Part],
    job: Job,
    settings: ClusterSettings,
    *,
    do: Any = do_part,
) -> Iterator[Outcome]:
    """Outcomes of all parts as they come, `settings.workers` at a time.

    The encoder goes out once, through the object store. The part of a process that dies is done
    again by another one, `settings.retries` times at most. Ray must be connected (`scale.connect`).

    Parameters
    ----------
    encoder : FrozenMLP
        The encoder.
    parts : sequence of Part
        What is to be done. All nodes must see these paths.
    job : Job
        What the parts have in common.
    settings : ClusterSettings
        How many at a time, and what each needs.
    do : callable, default=do_part
        Does one part.

    Yields
    ------
    Outcome
        What became of a part.

    Raises
    ------
    ConfigurationError
        If a worker has other versions than this process.
    """
    import ray
    import ray.exceptions

    options = settings.task_options()
    remote: Any = ray.remote(_checked).options(**options)
    shared = ray.put(encoder)
    waiting = list(reversed(parts))
    under_way: dict[Any, Part] = {}
    while waiting or under_way:
        while waiting and len(under_way) < settings.workers:
            part = waiting.pop()
            under_way[remote.remote(do, shared, part, job, environment())] = part
        done, _ = ray.wait(list(under_way), num_returns=1)
        for reference in done:
            part = under_way.pop(reference)
            try:
                found = ray.get(reference)
            except ray.exceptions.RayError as error:
                yield Outcome(part, reason=reason_of(error))
                continue
            if isinstance(found, str):
                raise ConfigurationError(found)
            yield found


def _checked(
    do: Any, encoder: FrozenMLP, part: Part, job: Job, theirs: dict[str, str]
) -> Outcome | str:
    """An outcome, or what is other here than in the process that asks."""
    ours = environment()
    other = [f"{name} {theirs[name]} here and {ours[name]} there" for name in ours]
    if ours != theirs:
        return (
            f"a worker has other versions than this process ({', '.join(other)}); install the same "
            "on all nodes, for example from the same requirements.lock"
        )
    return do(encoder, part, job)
