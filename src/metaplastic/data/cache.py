"""Where built data are kept."""

import os
from pathlib import Path

NOWHERE = Path(os.devnull) / "no-home-folder-so-set-METAPLASTIC_DATA"
"""In place of a cache where there is no home: nothing is there, and nothing can be written there.
Messages that name a file of the cache then say what to do."""


def cache_dir() -> Path:
    """`$METAPLASTIC_DATA`, else `metaplastic` in the user's cache folder; not created.

    `NOWHERE` for users without a home, as in containers that run under a number alone.
    """
    chosen = os.environ.get("METAPLASTIC_DATA")
    if chosen:
        return Path(chosen)
    caches = os.environ.get("XDG_CACHE_HOME")
    if caches:
        return Path(caches) / "metaplastic"
    home = os.path.expanduser("~")  # Path.home() raises an error if there is none.
    return Path(home) / ".cache" / "metaplastic" if os.path.isabs(home) else NOWHERE
