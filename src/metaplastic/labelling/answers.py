"""What a person answered, on disk before anything else happens.

Beside `labels.csv` lies `labels.csv.answers`, a line of JSON for every answer. It is the truth: a
line is appended and synced, then `labels.csv` is written anew from all of them. Whatever ends the
process, no answer is lost, and a line that was cut off is no answer.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import IO, Any

from metaplastic.data.labels import MISSING_CELLS
from metaplastic.data.row_labels import read_row_labels, write_row_labels
from metaplastic.errors import FileFormatError, InputError
from metaplastic.files import write_atomically

ENDING = ".answers"
LONGEST = 80
"""Characters of the name of a class."""

Answer = dict[str, Any]
"""Of `row` and `label`, of `row` alone (skipped), of `class` (a new one), or `undo`. With `read`,
what the reading said of a row that was drawn at random, before the person did."""


def check_class(name: Any) -> str:
    """The name of a class without spaces around it; `InputError` if a table could not hold it."""
    word = name.strip() if isinstance(name, str) else ""
    if not word or len(word) > LONGEST or not word.isprintable():
        raise InputError(
            f"a class has a name of 1 to {LONGEST} printable characters, got {name!r:.40}"
        )
    if word in MISSING_CELLS or word == "-1":
        raise InputError(f"a class cannot be called {word!r}: in tables it means no label")
    return word


class Answers:
    """Labels by row, the rows that were skipped, and the classes, kept in files.

    Parameters
    ----------
    out : Path
        `labels.csv`; of an existing one the labels are taken over.
    n_rows : int
        Of the pool.
    pool : str
        What tells it from other pools, such as a checksum.
    classes : tuple[str, ...], default=()
        Known from the start.
    names : list[str], optional
        Files of the rows, if they are files.

    Raises
    ------
    InputError
        If the files cannot be written, belong to another pool, are open in another
        process or were written by one, or hold a class that `classes` does not name; every answer
        raises it too, if something else wrote the files meanwhile.
    """

    def __init__(
        self,
        out: Path,
        n_rows: int,
        pool: str,
        classes: tuple[str, ...] = (),
        names: list[str] | None = None,
    ) -> None:
        self._out, self._n_rows, self._names = out, n_rows, names
        self.labels: dict[int, str] = {}
        self.skipped: dict[int, None] = {}
        self.checks: dict[int, bool] = {}
        self.classes = list(dict.fromkeys(map(check_class, classes)))
        self._done: list[Answer] = []
        place = out.with_name(out.name + ENDING)
        try:
            self._file: IO[bytes] = open(place, "a+b")  # noqa: SIM115
        except OSError as error:
            raise InputError(f"cannot write {place}: {error.strerror}") from error
        try:
            _lock(self._file, place)
            self._begin(place, pool, fixed=bool(classes))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others open the files."""
        self._file.close()

    def label(self, row: int, name: str, read: str | None = None) -> None:
        """A person says that a row is of a class, which may be a new one.

        Parameters
        ----------
        row : int
            Its number.
        name : str
            Of the class.
        read : str, optional
            What the reading said before, if the row was drawn at random to check it.
        """
        said = {} if read is None else {"read": read}
        self._add({"row": row, "label": check_class(name), **said})

    def skip(self, row: int) -> None:
        """A person cannot say."""
        self._add({"row": row})

    def name_class(self, name: str) -> None:
        """A class without a row yet."""
        name = check_class(name)
        if name not in self.classes:
            self._add({"class": name})

    def undo(self) -> int | None:
        """Take the last label or skip back; its row, `None` if there is none."""
        last = self._last()
        if last is None:
            return None
        self._add({"undo": True})
        return int(last["row"])

    def _last(self) -> Answer | None:
        return next((answer for answer in reversed(self._done) if "row" in answer), None)

    def _begin(self, place: Path, pool: str, *, fixed: bool) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):  # The process ended while it wrote the line.
            self._file.truncate(whole)
        lines = content[:whole].splitlines()
        try:
            records = [json.loads(line) for line in lines]
        except ValueError as error:
            raise FileFormatError(f"{place}: damaged ({error})") from error
        self._known = None if not self._out.exists() else _state(self._out)
        if not records:
            self._start(pool)
        elif records[0] != {"pool": pool, "rows": self._n_rows}:
            raise InputError(
                f"{place} belongs to other data than this; name another file by --out, or the data "
                "that were labelled"
            )
        before = set(self.classes)
        for answer in records[1:]:
            self._apply(answer)
        if records and self._known and self._out.read_bytes() != self._table():
            raise InputError(
                f"{self._out} is not what {place.name} says; something else wrote it. Move one of "
                "the two away: what is left is gone on with"
            )
        strange = [name for name in self.labels.values() if name not in before]
        if fixed and strange:
            raise InputError(
                f"{self._out} holds the class {strange[0]!r}, which --classes does not name"
            )
        self._write_table()

    def _start(self, pool: str) -> None:
        """The first line, and the labels that `labels.csv` holds already."""
        self._append({"pool": pool, "rows": self._n_rows})
        if self._known is None:
            return
        labels = read_row_labels(self._out, self._n_rows).tolist()
        for row, label in enumerate(labels):
            if label != -1:
                self._append(answer := {"row": row, "label": check_class(str(label))})
                self._apply(answer)

    def _add(self, answer: Answer) -> None:
        if self._known != _state(self._out):
            raise InputError(
                f"something else wrote {self._out}; end this process, move one of the files away "
                "and start again. Nothing that was answered is lost"
            )
        self._append(answer)
        self._apply(answer)
        self._write_table()

    def _append(self, answer: Answer) -> None:
        self._file.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _apply(self, answer: Answer) -> None:
        if "undo" in answer:
            last = self._last()
            self._done = [answer for answer in self._done if answer is not last]
            self._replay()
            return
        self._done.append(answer)
        self._count(answer)

    def _replay(self) -> None:
        self.labels.clear()
        self.skipped.clear()
        self.checks.clear()
        for answer in self._done:
            self._count(answer)

    def _count(self, answer: Answer) -> None:
        name = answer.get("class", answer.get("label"))
        if name is not None and name not in self.classes:
            self.classes.append(name)
        if "label" in answer:
            self.labels[answer["row"]] = answer["label"]
            self.skipped.pop(answer["row"], None)
            if "read" in answer:
                self.checks[answer["row"]] = answer["read"] == answer["label"]
        elif "row" in answer:
            self.skipped[answer["row"]] = None

    def _table(self) -> bytes:
        rows = list(self.labels)
        names = None if self._names is None else [self._names[row] for row in rows]
        return write_row_labels(rows, list(self.labels.values()), names)

    def _write_table(self) -> None:
        write_atomically(self._out, self._table())
        self._known = _state(self._out)


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes when something else writes the file; `None` if it is not there."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns
    return None


def _lock(file: IO[bytes], place: Path) -> None:
    """The file for this process alone; the system lets go when the process ends, however."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # pyright: ignore
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InputError(
            f"{place} is open in another page; go on there, or end that process first"
        ) from error
