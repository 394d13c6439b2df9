"""Features of tables that are larger than memory: Parquet parts in, Parquet parts out.

A part is one file. Its features are written to a file of the same name, whole or not at all, so
that a part can be done again by another process without losing or repeating a row.
"""

import dataclasses
import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metaplastic import __version__
from metaplastic.data.checks import check_names
from metaplastic.data.readers.parquet import parquet_batches
from metaplastic.data.readers.streams import one_line
from metaplastic.errors import FileFormatError, InputError, MetaplasticError
from metaplastic.extras import require
from metaplastic.files import replacing
from metaplastic.models import FrozenMLP, block_rows

SUFFIXES = (".parquet", ".pq")
FEATURES = "features"
"""The column of the features, a list of one length in every row."""

_NOTE = b"metaplastic"
_BLOCKS = 4


@dataclasses.dataclass(frozen=True)
class Part:
    """One file to read and the file to write."""

    source: Path
    target: Path


@dataclasses.dataclass(frozen=True)
class Job:
    """What all parts have in common.

    Attributes
    ----------
    columns : tuple of str, optional
        Names that the encoder was fitted to.
    label : str, optional
        Column of labels, which are no inputs.
    keep : tuple of str, default=()
        Columns that are copied beside the features, and are no inputs.
    digest : str, default=""
        Tells the encoder from others, in the files that are written.
    """

    columns: tuple[str, ...] | None = None
    label: str | None = None
    keep: tuple[str, ...] = ()
    digest: str = ""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a part: its rows, or (`reason` is not empty) why it could not be done."""

    part: Part
    rows: int = 0
    reason: str = ""


def find_parts(source: Path, out: Path) -> list[Part]:
    """The parts of a file or folder, in order of their names, with what they become in `out`.

    Files in folders within keep their places. Names that begin with a dot or an underscore are
    passed over, as other engines do.

    Raises
    ------
    InputError
        If there are none.
    """
    require("pyarrow", f"reading {source}", "parquet")
    if not source.exists():
        raise InputError(f"there is no file or folder {source}")
    if source.is_file() and source.suffix in SUFFIXES:
        return [Part(source, out / source.name)]
    found = [path for path in sorted(source.rglob("*")) if path.suffix in SUFFIXES]
    inner = [(path, path.relative_to(source)) for path in found if path.is_file()]
    shown = [(path, place) for path, place in inner if not _is_hidden(place)]
    if not shown:
        raise InputError(
            f"{source}: a folder of features is made of Parquet files ({' '.join(SUFFIXES)}), and "
            "there are none; name such a file or a folder of them, or --out FILE.npy"
        )
    return [Part(path, out / place) for path, place in shown]


def _is_hidden(place: Path) -> bool:
    return any(name.startswith((".", "_")) for name in place.parts)


def digest_of(encoder: FrozenMLP) -> str:
    """A short name of an encoder by its numbers."""
    found = hashlib.sha256()
    for array in (encoder.shift, encoder.scale, *encoder.weights, *encoder.biases):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def still_to_do(out: Path, parts: Sequence[Part], job: Job, *, resume: bool) -> list[Part]:
    """Parts whose features are not there; nothing is changed.

    Raises
    ------
    InputError
        If the folder exists and `resume` is not set, or holds features of another encoder or of
        other rows.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder for the features")
    if out.is_dir() and any(out.iterdir()) and not resume:
        raise InputError(f"{out} exists; give --resume to go on with it, or name another folder")
    if not out.absolute().parent.is_dir():
        raise InputError(f"the folder {out.absolute().parent} does not exist; make it first")
    return [part for part in parts if not _is_done(part, job)]


def make_folders(parts: Sequence[Part]) -> None:
    """Make the folders of the features."""
    for part in parts:
        part.target.parent.mkdir(parents=True, exist_ok=True)


def _is_done(part: Part, job: Job) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if not part.target.exists():
        return False
    try:
        noted = json.loads((parquet.read_schema(part.target).metadata or {}).get(_NOTE, b"null"))
    except (pa.ArrowException, OSError, ValueError):  # another's file, which is refused below
        noted = None
    if noted != _note(part, job):
        raise InputError(
            f"{part.target} is not of this encoder, these rows and these options; name another "
            "folder"
        )
    return True


def _note(part: Part, job: Job) -> dict[str, Any]:
    """What a file of features says of itself."""
    size = part.source.stat().st_size if part.source.exists() else 0
    options = {"label": job.label, "keep": list(job.keep)}
    return {"encoder": job.digest, "source_bytes": size, **options}


def do_part(encoder: FrozenMLP, part: Part, job: Job) -> Outcome:
    """Features of one part, some thousand rows at a time; what is wrong with it is returned."""
    for left in part.target.parent.glob(f".{part.target.name}.*"):  # By a process that was killed.
        left.unlink(missing_ok=True)
    try:
        with replacing(part.target) as temporary:
            return Outcome(part, _write(encoder, part, job, temporary))
    except MetaplasticError as error:
        return Outcome(part, reason=" ".join(str(error).split()))


def _write(encoder: FrozenMLP, part: Part, job: Job, target: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    schema = _schema(encoder, part, job)
    # Features hardly repeat and hardly compress.
    how: dict[str, Any] = {"use_dictionary": list(job.keep), "compression": "none"}
    n = 0
    try:
        with parquet.ParquetWriter(target, schema, **how) as writer:
            for table in _tables(encoder, part, job):
                writer.write_table(table.cast(schema))
                n += table.num_rows
    except pa.ArrowException as error:
        raise InputError(f"cannot write {part.target} ({one_line(error)})") from error
    return n


def _schema(encoder: FrozenMLP, part: Part, job: Job) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        given = parquet.read_schema(part.source)
    except (pa.ArrowException, OSError) as error:
        raise FileFormatError(f"{part.source}: not a Parquet file ({one_line(error)})") from error
    kept = [given.field(name) for name in job.keep if name in given.names]
    features = pa.field(FEATURES, pa.list_(pa.float32(), encoder.n_features_out))
    return pa.schema([*kept, features], {_NOTE: json.dumps(_note(part, job)).encode()})


def _tables(encoder: FrozenMLP, part: Part, job: Job) -> Iterator[Any]:
    """Kept columns and features of the next rows, as tables of pyarrow."""
    import pyarrow as pa

    rows = _BLOCKS * block_rows(encoder.n_features_in)
    for found, kept in parquet_batches(part.source, rows, label=job.label, keep=job.keep):
        if found.x.shape[1] != encoder.n_features_in:
            raise InputError(
                f"{part.source} has {found.x.shape[1]} columns, but the encoder was fitted to "
                f"{encoder.n_features_in}"
            )
        check_names(found.names, job.columns, str(part.source))
        numbers = pa.array(np.ravel(encoder(found.x)))
        lists = pa.FixedSizeListArray.from_arrays(numbers, encoder.n_features_out)
        yield kept.append_column(FEATURES, lists)


def environment() -> dict[str, str]:
    """What must be the same in all processes that make features of one table."""
    return {
        "metaplastic": __version__,
        "numpy": np.__version__,
        "Python": platform.python_version(),
    }
