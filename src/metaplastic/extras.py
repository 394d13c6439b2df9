"""Optional packages: whether one is there, and what to install if not."""

from importlib.util import find_spec

from metaplastic.errors import MissingDataError


def require(module: str, purpose: str, extra: str, *, package: str | None = None) -> None:
    """Check that an optional package is installed; nothing is imported.

    Parameters
    ----------
    module : str
        The package's top-level module, for example `PIL`.
    purpose : str
        What needs it, as the start of a sentence: `reading images`.
    extra : str
        The extra of metaplastic that brings it.
    package : str, optional
        The package's name for people, if it is not the module's: `Pillow`.

    Raises
    ------
    MissingDataError
        If it is not installed; the message names the extra.
    """
    if find_spec(module) is None:
        raise MissingDataError(
            f"{purpose} needs {package or module}, which is not installed; "
            f"install it with: pip install 'metaplastic[{extra}]'"
        )
