"""Where built data are kept."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """`$METAPLASTIC_DATA`, else `metaplastic` in the user's cache folder; not created."""
    chosen = os.environ.get("METAPLASTIC_DATA")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "metaplastic"
