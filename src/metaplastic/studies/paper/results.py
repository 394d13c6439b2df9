"""Results in files: found again if nothing that they depend on has changed, else measured anew."""

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

from metaplastic import __version__
from metaplastic.errors import InputError
from metaplastic.files import write_atomically
from metaplastic.studies.paper.experiment import AbstractExperiment, Subject

FORMAT = "metaplastic-experiment-1"
"""Name and version of the format of result files."""

KEYS = ("provenance", "seconds", "result")


def fingerprint(experiment: AbstractExperiment, subject: Subject) -> str:
    """Differs between measurements that may come out differently."""
    what = {
        "experiment": experiment.name,
        "revision": experiment.revision,
        "settings": experiment.settings(),
        "rule": [subject.name, subject.digest],
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def result_path(out: Path, experiment: type[AbstractExperiment]) -> Path:
    """Where an experiment's result is kept."""
    return out / f"{experiment.name}.json"


def write_result(
    out: Path, experiment: AbstractExperiment, subject: Subject, found: dict[str, Any]
) -> dict[str, Any]:
    """Keep what was measured (`KEYS`); returns what stands in the file."""
    content = {
        "format": FORMAT,
        "experiment": experiment.name,
        "fingerprint": fingerprint(experiment, subject),
        "rule": {"name": subject.name, "sha256": subject.digest},
        "settings": experiment.settings(),
        **{key: found[key] for key in KEYS},
    }
    text = json.dumps(content, separators=(",", ":")) + "\n"
    write_atomically(result_path(out, type(experiment)), text.encode())
    return json.loads(text)


def read_result(
    out: Path, experiment: AbstractExperiment, subject: Subject
) -> dict[str, Any] | None:
    """What was kept, or `None` if there is nothing or it is of other settings, rule or version.

    A damaged file counts as nothing, with a warning.

    Raises
    ------
    InputError
        If the file is there and cannot be opened.
    """
    path = result_path(out, type(experiment))
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        text = ""
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    try:
        content = json.loads(text)
        if content["format"] != FORMAT or not isinstance(content["result"], dict):
            raise ValueError
        whole = {key: content[key] for key in ("fingerprint", "rule", "settings", *KEYS)}
    except (ValueError, KeyError, TypeError):
        warnings.warn(
            f"{path} is damaged or no result file; it is measured anew and replaced",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return content if whole["fingerprint"] == fingerprint(experiment, subject) else None
