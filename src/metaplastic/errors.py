"""Errors a user can mend, raised before any work is done."""


class MetaplasticError(Exception):
    """Base of the errors that the command line prints as one line and exit status 2."""


class InputError(MetaplasticError, ValueError):
    """Bad input: the message says what was given, what is allowed and how to mend it."""


class FileFormatError(MetaplasticError, ValueError):
    """A file that cannot be read, is truncated, tampered with, or of another format or version."""


class MissingDataError(MetaplasticError, FileNotFoundError):
    """Data, fonts or an optional package that is missing; the message names what to install."""


class ConfigurationError(MetaplasticError, ValueError):
    """A configuration that is unknown, inconsistent, or not that of an existing run directory."""


class DivergenceError(MetaplasticError, RuntimeError):
    """Training stopped being finite: the message says where and what to change."""
