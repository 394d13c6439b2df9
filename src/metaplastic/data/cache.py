"""Where built data are kept."""

import os
from pathlib import Path

from metaplastic.errors import InputError

NOWHERE = Path(os.devnull) / "no-home-folder-so-set-METAPLASTIC_DATA"
"""In place of a cache where there is no home: nothing is there, and nothing can be written there.
Messages that name a file of the cache then say what to do."""


def cache_dir() -> Path:
    """The folder of the data that metaplastic builds; it is not created.

    Returns
    -------
    Path
        `$METAPLASTIC_DATA` if it is set, else `metaplastic` in the user's cache folder. It is
        `NOWHERE` for users without a home, as in containers that run under a bare user number.
    """
    chosen = os.environ.get("METAPLASTIC_DATA")
    if chosen:
        return Path(chosen)
    caches = os.environ.get("XDG_CACHE_HOME")
    if caches:
        return Path(caches) / "metaplastic"
    home = os.path.expanduser("~")  # Path.home() raises an error if there is none.
    return Path(home) / ".cache" / "metaplastic" if os.path.isabs(home) else NOWHERE


def output_folder(out: str | os.PathLike | None) -> Path:
    """The folder to write built data to, made if it is not there; by default the cache folder.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    folder = cache_dir() if out is None else Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}") from error
    return folder
