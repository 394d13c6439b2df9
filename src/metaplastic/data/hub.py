"""Data of Hugging Face `datasets` and of OpenML: by name, or as those libraries keep it on disk."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.cache import NOWHERE, cache_dir
from metaplastic.data.columns import find_label, label_array
from metaplastic.data.folders import grey_images
from metaplastic.data.texts import bag_of_words
from metaplastic.errors import FileFormatError, InputError, MissingDataError
from metaplastic.extras import require

Found = tuple[Any, NDArray | None, tuple[str, ...] | None]
"""Rows, labels and names of columns, as readers give them."""


# What Arrow and JSON say of damaged files (pyarrow's own errors are ValueError, OSError or
# RuntimeError too): the library has no error for it.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError)


class Columns(NamedTuple):
    """Which columns to take, as `files.read_table` has it."""

    label: str | int | None = None
    text: str | int | None = None
    words: Sequence[str] | None = None
    image_size: tuple[int, int] | None = None


def is_saved(path: Path) -> bool:
    """Whether `path` is a folder that `save_to_disk` made, of one split or of several."""
    return any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))


def read_saved(path: Path, columns: Columns, split: str | None = None) -> Found:
    """A data set that `datasets` saved to disk; of several splits `split`, or `train`.

    Raises:
        MissingDataError: without the package datasets.
        FileFormatError: if the folder is damaged or a column cannot be numbers.
        InputError: for an unknown split or column.
    """
    require("datasets", f"reading {path}", "hub")
    import datasets

    with _quiet():
        try:
            found: Any = datasets.load_from_disk(str(path))
        except _DAMAGE as error:
            raise FileFormatError(f"{path}: not a data set of save_to_disk ({error})") from error
        if isinstance(found, datasets.DatasetDict):
            split = split or "train"
            if split not in found:
                raise InputError(
                    f"{path} has no split {split!r}; it has {', '.join(map(str, found))}"
                )
            found = found[split]
        return _of_dataset(found, str(path), columns)


def load_huggingface(name: str, config: str | None, split: str, columns: Columns) -> Found:
    """A data set of the Hugging Face Hub, or a folder in one of its layouts; fetched if need be.

    Args:
        name: as `user/name`, or the path of a folder.
        config: which of its configurations, if there are several.
        split: such as `train` or `train[:1000]`.
        columns: which to take; by default the column of class labels, and all others.

    Raises:
        MissingDataError: without the package datasets or the network.
        InputError: for an unknown name, configuration, split or column.
        FileFormatError: if a column cannot be numbers.
    """
    require("datasets", f"loading hf:{name}", "hub")
    import datasets
    from datasets.exceptions import DatasetsError

    with _quiet():
        try:
            found = datasets.load_dataset(name, config, split=split)
        except (ConnectionError, TimeoutError) as error:
            raise MissingDataError(
                f"hf:{name}: the Hub cannot be reached, and the data are not on this machine "
                f"({error}); fetch them where there is a network, save_to_disk, and name the folder"
            ) from error
        # ValueError: configuration or split; FileNotFoundError: name.
        except (ValueError, FileNotFoundError, OSError, DatasetsError) as error:
            raise InputError(f"hf:{name}: {' '.join(str(error).split())}") from error
        return _of_dataset(found, f"hf:{name}", columns)


def _of_dataset(found: Any, source: str, columns: Columns) -> Found:
    """Rows and labels of a `datasets.Dataset`: images, texts or numbers, whatever it holds."""
    import datasets

    names, features = found.column_names, found.features
    classes = [n for n in names if isinstance(features[n], datasets.ClassLabel)]
    label = columns.label
    if label is None and len(classes) == 1:
        label = classes[0]
    number = find_label(names, label, Path(source))
    rest = [name for i, name in enumerate(names) if i != number]
    y = None if number is None else label_array(list(found[names[number]]), Path(source))
    text = find_label(names, columns.text, Path(source)) if columns.text is not None else None
    images = [n for n in rest if isinstance(features[n], datasets.Image)]
    strings = [n for n in rest if getattr(features[n], "dtype", "") in ("string", "large_string")]
    if text is not None or (strings == rest and len(rest) == 1):
        chosen = names[text] if text is not None else rest[0]
        counts, words = bag_of_words((t or "" for t in found[chosen]), source, columns.words)
        return counts, y, words
    if images:
        pictures = list(found[images[0]])
        if any(picture is None for picture in pictures):
            raise FileFormatError(f"{source}: column {images[0]!r} has missing images; drop them")
        return grey_images(pictures, columns.image_size), y, None
    return _numbers(found, rest, source), y, _names(found, rest)


def _numbers(found: Any, names: Sequence[str], source: str) -> NDArray:
    parts = []
    for name in names:
        values = np.asarray(found.select_columns([name]).with_format("numpy")[:][name])
        if values.dtype.kind not in "biuf":
            raise FileFormatError(
                f"{source}: column {name!r} holds {found.features[name]}, not numbers of one "
                "shape; remove it, or name it as label or text"
            )
        parts.append(values.reshape(len(values), -1))
    if not parts:
        raise FileFormatError(f"{source}: no column of numbers, images or texts")
    return np.concatenate(parts, axis=1)


def _names(found: Any, names: Sequence[str]) -> tuple[str, ...] | None:
    """Names of the columns if each is one number."""
    single = all(getattr(found.features[name], "dtype", None) for name in names)
    return tuple(names) if single else None


def load_openml(name: str, version: int | None, label: str | None) -> Found:
    """A table of OpenML by name; fetched if it is not in the cache folder.

    Nominal columns become one column a category (`colour_red`), 0 or 1.

    Args:
        name: as on openml.org.
        version: the first active one if left out.
        label: the column of labels; the data set's own target if left out.

    Raises:
        MissingDataError: without pandas or the network.
        InputError: for an unknown name, version or column.
        FileFormatError: for missing values, or columns that are neither numbers nor nominal.
    """
    require("pandas", f"loading openml:{name}", "hub")
    from urllib.error import URLError

    from sklearn.datasets import fetch_openml

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of several versions, and of every retry
        try:
            target = "default-target" if label is None else label
            chosen: Any = {"version": "active" if version is None else version}
            chosen["cache"] = cache_dir() != NOWHERE
            found: Any = fetch_openml(
                name, **chosen, data_home=str(cache_dir()), target_column=target, as_frame=True
            )
        except (URLError, TimeoutError, ConnectionError) as error:
            raise MissingDataError(
                f"openml:{name}: OpenML cannot be reached, and the data are not in "
                f"{cache_dir() / 'openml'} ({error})"
            ) from error
        except (ValueError, KeyError) as error:
            raise InputError(f"openml:{name}: {' '.join(str(error).split())}") from error
    return _of_frame(found.data, found.target, f"openml:{name}")


def _of_frame(frame: Any, target: Any, source: str) -> Found:
    import pandas as pd

    missing = frame.isna().sum()
    if missing.any():
        column = missing.idxmax()
        raise FileFormatError(
            f"{source}: {int((missing > 0).sum())} columns have missing values, {column!r} "
            f"{int(missing[column])}; fill them and give the table as a file"
        )
    nominal = [n for n in frame if isinstance(frame[n].dtype, pd.CategoricalDtype)]
    frame = pd.get_dummies(frame, columns=nominal, dtype=float)
    other = [n for n in frame if not pd.api.types.is_numeric_dtype(frame[n].dtype)]
    if other:
        raise FileFormatError(
            f"{source}: column {other[0]!r} holds {frame[other[0]].dtype}, neither numbers nor "
            "categories; give the table as a file without it"
        )
    y = None if target is None else label_array(target.tolist(), Path(source))
    return frame.to_numpy(np.float64), y, tuple(map(str, frame.columns))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars of `datasets`, which are no result and no note of ours."""
    import datasets

    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
