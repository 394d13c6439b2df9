"""Files that outlive the process: written whole or not at all, read with suspicion.

Rules and encoders are safetensors files. The header's metadata says what the file is, in which
version of the format, and the checksum of its tensors; nothing is ever unpickled.
"""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from metaplastic.errors import FileFormatError, InputError

FORMAT_VERSION = 1
"""Version of the files that this package writes, and the newest it reads."""

MAX_BYTES = 1 << 30
"""Largest file that is read into memory."""

MAX_HEADER_BYTES = 1 << 20
"""Longest header that is parsed."""


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` so that the file is there whole or, after a crash, not at all.

    Raises
    ------
    InputError
        If `path` names no file, or the folder does not exist or cannot be written.
    """
    with replacing(path) as temporary, open(temporary, "xb") as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """The name of a temporary file that becomes `path` at the end, and goes if anything fails.

    Parameters
    ----------
    path : str or Path
        The file. An existing file is replaced.

    Yields
    ------
    Path
        A name in the same folder at which the block makes the file.

    Raises
    ------
    InputError
        If the folder does not exist or cannot be written.
    """
    path = Path(path)
    # In the same folder, because a file can be renamed only within one file system.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync_directory(path.parent)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    """Make a rename durable; where directories cannot be opened (Windows) it already is."""
    if os.name == "nt":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_tensors(
    path: str | Path,
    tensors: Mapping[str, NDArray],
    *,
    kind: str,
    fields: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> None:
    """Write named tensors with a description, atomically.

    Parameters
    ----------
    path : str or Path
        The file. An existing file is replaced.
    tensors : mapping of str to ndarray
        Arrays by name.
    kind : str
        What the file is, for example `metaplastic-rule`.
    fields : mapping of str to object
        What a reader needs to make the object again; values that JSON can hold.
    metadata : mapping of str to object
        Provenance; values that JSON can hold. `licence`, if there, also stands alone.

    Raises
    ------
    InputError
        If something is not finite, cannot be told in JSON, or cannot be written.
    """
    arrays = {name: np.array(value, order="C") for name, value in tensors.items()}
    for name, value in arrays.items():
        if not np.all(np.isfinite(value)):
            raise InputError(f"{name} holds NaN or infinity, so it is not saved to {path}")
    try:
        described = {
            "format": kind,
            "format_version": str(FORMAT_VERSION),
            "fields": json.dumps(dict(fields), sort_keys=True, allow_nan=False),
            "provenance": json.dumps(dict(metadata), sort_keys=True, allow_nan=False),
            "licence": str(metadata.get("licence", "")),
        }
    except (TypeError, ValueError) as error:
        raise InputError(f"metadata must be plain JSON values: {error}") from error
    described["sha256"] = _checksum(arrays, described)
    write_atomically(path, _ordered(save(arrays, metadata=described)))


def read_tensors(
    path: str | Path, *, kind: str
) -> tuple[dict[str, NDArray], dict[str, Any], dict[str, Any]]:
    """Tensors, fields and metadata of a file that `write_tensors` wrote.

    Raises
    ------
    FileFormatError
        If the file cannot be read, is not safetensors, of another kind or of a newer version,
        truncated, changed since it was written, or holds numbers that are not finite.
    """
    content = _read(path)
    header = _header(path, content)
    described = header.get("__metadata__", {})
    if not isinstance(described, dict) or described.get("format") != kind:
        actual = described.get("format") if isinstance(described, dict) else None
        raise FileFormatError(f"{path}: expected a file of format {kind!r}, found {actual!r}")
    _check_version(path, described.get("format_version"))
    try:
        tensors = load(content)
        fields = json.loads(described["fields"])
        metadata = json.loads(described["provenance"])
    # TypeError and AttributeError: types of numbers that NumPy does not know.
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(f"{path}: damaged file ({error})") from error
    if not isinstance(fields, dict) or not isinstance(metadata, dict):
        raise FileFormatError(f"{path}: damaged file (its description is no table)")
    if described.get("sha256") != _checksum(tensors, described):
        raise FileFormatError(f"{path}: checksum does not match; the file was changed or damaged")
    for name, value in tensors.items():
        if not np.all(np.isfinite(value)):
            raise FileFormatError(f"{path}: tensor {name!r} holds NaN or infinity")
    return tensors, fields, metadata


def file_kind(path: str | Path) -> str | None:
    """What a file that `write_tensors` wrote says it is; `None` if it does not say.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or is not safetensors.
    """
    described = _header(path, _read(path)).get("__metadata__")
    kind = described.get("format") if isinstance(described, dict) else None
    return kind if isinstance(kind, str) else None


def check_tensors(
    path: str | Path, tensors: Mapping[str, NDArray], expected: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse tensors whose names, shapes or dtype (float32) are not the expected ones."""
    missing, extra = expected.keys() - tensors.keys(), tensors.keys() - expected.keys()
    if missing or extra:
        raise FileFormatError(
            f"{path}: tensors do not fit: missing {sorted(missing)}, unexpected {sorted(extra)}"
        )
    for name, shape in expected.items():
        value = tensors[name]
        if value.shape != shape or value.dtype != np.float32:
            raise FileFormatError(
                f"{path}: tensor {name!r} must be float32 of shape {shape}, "
                f"found {value.dtype} {value.shape}"
            )


def _read(path: str | Path) -> bytes:
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise FileFormatError(f"{path}: larger than {MAX_BYTES} bytes, refused")
            return file.read()
    except OSError as error:
        raise FileFormatError(f"cannot read {path}: {error.strerror}") from error


def _ordered(content: bytes) -> bytes:
    """The same safetensors file with its header in order, so that equal objects are equal files."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors start at a multiple of eight bytes
    return len(header).to_bytes(8, "little") + header + content[end:]


def _header(path: str | Path, content: bytes) -> dict[str, Any]:
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > MAX_HEADER_BYTES or size > len(content) - 8:
        raise FileFormatError(f"{path}: not a safetensors file, or truncated")
    try:
        header = json.loads(content[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: not a safetensors file ({error})") from error
    if not isinstance(header, dict):
        raise FileFormatError(f"{path}: not a safetensors file (its header is no table)")
    return header


def _check_version(path: str | Path, version: Any) -> None:
    if not (isinstance(version, str) and version.isascii() and version.isdigit()):
        raise FileFormatError(f"{path}: damaged file (format version {version!r})")
    if len(version) > 9 or int(version) > FORMAT_VERSION:
        raise FileFormatError(
            f"{path}: format version {version} is newer than this version of metaplastic "
            f"understands ({FORMAT_VERSION}); upgrade metaplastic"
        )


def _checksum(tensors: Mapping[str, NDArray], described: Mapping[str, str]) -> str:
    """SHA-256 over the description (without itself) and every tensor's name, type and bytes."""
    digest = hashlib.sha256()
    for key in sorted(described.keys() - {"sha256"}):
        digest.update(f"{key}={described[key]}\n".encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name}:{value.dtype.str}:{value.shape}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
