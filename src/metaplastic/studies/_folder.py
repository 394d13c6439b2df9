"""The folder that a command writes its results to, made sure of before any work."""

import os
from collections.abc import Sequence
from pathlib import Path

from metaplastic.errors import InputError


def prepare_folder(out: Path, marks: Sequence[str], what: str) -> Path:
    """The folder to write to, made if need be; what is not `what`'s is left alone.

    Parameters
    ----------
    out : Path
        The folder.
    marks : sequence of str
        Files of which one at least is there if the folder is `what`'s.
    what : str
        Whose results are written, for the message: `a demo`.

    Raises
    ------
    InputError
        If it is a file, holds other files, or cannot be made or written.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder for the results of {what}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        others = any(out.iterdir()) and not any((out / mark).exists() for mark in marks)
    except OSError as error:
        raise InputError(f"cannot make or read the folder {out}: {error.strerror}") from error
    if others:
        listed = marks[0] if len(marks) == 1 else "result"
        raise InputError(
            f"{out} holds other files and no {listed} of {what}; name an empty or new folder"
        )
    if not os.access(out, os.W_OK | os.X_OK):
        raise InputError(f"the folder {out} cannot be written; choose another one")
    return out
