"""Joining a Ray cluster, or starting Ray on this machine, with clear errors in good time."""

import contextlib
import functools
import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from typing import Any

from metaplastic.errors import ConfigurationError
from metaplastic.extras import require
from metaplastic.scale.settings import ClusterSettings

LOOPBACK = "127.0.0.1"
_CONNECT_SECONDS = 15.0
# Ray's own switch for machines without a cluster: all of its servers listen on loopback.
_NO_CLUSTER = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_TOKEN, _TOKEN_PATH = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


@contextlib.contextmanager
def connect(settings: ClusterSettings) -> Iterator[None]:
    """Join the cluster at `settings.address`, or start Ray here; leave or stop it at the end.

    A Ray to which this process is connected already is used, and left connected. What is started
    here listens on loopback alone, has no dashboard, and takes calls of this process alone: they
    carry a token, drawn once for this process and kept in memory unless the environment names one.

    Parameters
    ----------
    settings : ClusterSettings
        Settings of the cluster.

    Yields
    ------
    None
        The block in which the cluster can be used.

    Raises
    ------
    MissingDataError
        If Ray is not installed; says which extra.
    ConfigurationError
        If Ray does not start here, the address cannot be reached within half a minute, or the
        cluster has fewer resources than the workers need (unless `wait_for_resources`).
    """
    require_ray()
    with _own_cluster() if not settings.address else contextlib.nullcontext():
        import ray

        if ray.is_initialized():
            check_resources(settings)
            yield
            return
        if settings.address:
            _join(settings.address)
        else:
            _start(settings)
    try:
        check_resources(settings)
        yield
    finally:
        ray.shutdown()


def require_ray() -> None:
    """Raises `MissingDataError` if Ray is not installed; says which extra."""
    require("ray", "work on a cluster", "ray")


@contextlib.contextmanager
def _own_cluster() -> Iterator[None]:
    """While it lasts, Ray starts as one that listens on loopback alone and knows its token.

    Ray would write a token into the user's home, which containers may lack.
    """
    wanted = {_NO_CLUSTER: "0"}
    if _TOKEN not in os.environ and _TOKEN_PATH not in os.environ:
        wanted[_TOKEN] = _token()
    earlier = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in earlier.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@functools.cache
def _token() -> str:
    """One token for this process: Ray's core reads it once and keeps it for later clusters."""
    return secrets.token_hex(32)


def _start(settings: ClusterSettings) -> None:
    import ray

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        ray.init(
            address="local",
            num_cpus=cores,
            resources={name: settings.workers * each for name, each in settings.amounts().items()},
            include_dashboard=False,
            _node_ip_address=LOOPBACK,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except BaseException as error:
        if not isinstance(error, Exception):  # Ctrl-C.
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(
            f"Ray did not start on this machine: {reason}; give it memory and disk space, or a "
            "temporary folder with a short path (RAY_TMPDIR); its logs are in ray/session_latest "
            "there"
        ) from error
    if not ray.get_runtime_context().gcs_address.startswith(LOOPBACK + ":"):
        ray.shutdown()
        raise ConfigurationError(
            "Ray was imported before it could be bound to loopback; connect before anything "
            "imports it, or call ray.init yourself"
        )


def _join(address: str) -> None:
    import ray

    if address != "auto":
        _probe(address)
    outcome: list[BaseException | None] = []

    def attempt() -> None:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            outcome.append(None)
        except BaseException as error:
            outcome.append(error)

    # Ray waits for minutes for what answers but is no cluster.
    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS)
    if not outcome:
        raise ConfigurationError(_unreachable(address, "it does not answer as a Ray cluster"))
    if outcome[0] is not None:
        raise ConfigurationError(_unreachable(address, str(outcome[0]).splitlines()[0]))


def _probe(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise ConfigurationError(
            f"an address is HOST:PORT of the head node (ray start --head prints it) or auto, got "
            f"{address!r}"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=5.0):
            pass
    except (OSError, OverflowError) as error:
        raise ConfigurationError(_unreachable(address, str(error))) from error


def _unreachable(address: str, reason: str) -> str:
    return (
        f"cannot reach a Ray cluster at {address} ({reason}); check that its head runs (ray "
        "status there), that host and port are those of its head, that no firewall is between, "
        "and that both have the same versions of Python and Ray"
    )


def check_resources(settings: ClusterSettings) -> None:
    """Raises `ConfigurationError` if the workers need more than the cluster has; says what is."""
    import ray

    if settings.wait_for_resources:
        return
    needs = {"CPU": settings.cpus_per_worker, "GPU": settings.gpus_per_worker}
    needs |= settings.amounts()
    free: dict[str, Any] = ray.available_resources()
    short = {
        name: (settings.workers * each, free.get(name, 0.0))
        for name, each in needs.items()
        if settings.workers * each > free.get(name, 0.0) + 1e-9
    }
    if short:
        said = "; ".join(
            f"{name}: {need:g} needed, {has:g} free" for name, (need, has) in short.items()
        )
        raise ConfigurationError(
            f"{settings.workers} worker(s) need more than the cluster has free ({said}); ask for "
            "fewer or smaller workers, or set cluster.wait_for_resources=true if it will grow"
        )


def reason_of(error: BaseException) -> str:
    """The last line of an error."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
