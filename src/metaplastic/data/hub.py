"""Data of Hugging Face `datasets` and of OpenML: by name, or as those libraries keep it on disk."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metaplastic.data.cache import NOWHERE, cache_dir
from metaplastic.data.folders import IMAGE_SUFFIXES, SPLITS
from metaplastic.data.labels import typed_labels
from metaplastic.data.readers.frames import check_both, index_columns, label_values, read_columns
from metaplastic.data.readers.images import grey_images
from metaplastic.data.readers.nominal import Column, encode
from metaplastic.data.tables import Options, Table, find_label
from metaplastic.data.texts import bag_of_words
from metaplastic.errors import FileFormatError, InputError, MissingDataError
from metaplastic.extras import require

# What Arrow and JSON say of damaged files (pyarrow's own errors are ValueError, OSError or
# RuntimeError too): the library has no error for it.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError)


def is_saved(path: Path) -> bool:
    """Whether `path` is a folder that `save_to_disk` made, of one split or of several."""
    return any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))


def read_saved(path: Path, columns: Options, split: str | None = None) -> Table:
    """A data set that `datasets` saved to disk; of several splits `split`, or `train`.

    Raises
    ------
    MissingDataError
        Without the package datasets.
    FileFormatError
        If the folder is damaged or a column cannot be numbers.
    InputError
        For an unknown split or column.
    """
    require("datasets", f"reading {path}", "hub")
    import datasets

    with _quiet():
        try:
            saved: Any = datasets.load_from_disk(str(path))
        except _DAMAGE as error:
            raise FileFormatError(f"{path}: not a data set of save_to_disk ({error})") from error
        if isinstance(saved, datasets.DatasetDict):
            split = split or "train"
            if split not in saved:
                raise InputError(
                    f"{path} has no split {split!r}; it has {', '.join(map(str, saved))}"
                )
            saved = saved[split]
        return _of_dataset(saved, str(path), columns)


def read_with(path: Path, options: Options) -> Table:
    """`read_saved`, as formats are read."""
    return read_saved(path, options)


def load_huggingface(name: str, config: str | None, split: str, columns: Options) -> Table:
    """A data set of the Hugging Face Hub, or a folder in one of its layouts; fetched if need be.

    Parameters
    ----------
    name : str
        `user/name`, or the path of a folder.
    config : str or None
        One of its configurations, if there are several.
    split : str
        A split, such as `train` or `train[:1000]`.
    columns : Options
        Columns to take, by default the column of class labels and all others.

    Raises
    ------
    MissingDataError
        Without the package datasets or the network.
    InputError
        For an unknown name, configuration, split or column.
    FileFormatError
        If a column cannot be numbers.
    """
    require("datasets", f"loading hf:{name}", "hub")
    _check_folders(name)
    import datasets
    from datasets.exceptions import DatasetsError

    with _quiet():
        try:
            dataset = datasets.load_dataset(name, config, split=split)
        except (ConnectionError, TimeoutError) as error:
            raise MissingDataError(
                f"hf:{name}: the Hub cannot be reached, and the data are not on this machine "
                f"({error}); fetch them where there is a network, save_to_disk, and name the folder"
            ) from error
        except RuntimeError as error:  # There is no home folder to keep anything in.
            raise MissingDataError(
                f"hf:{name}: {' '.join(str(error).split())} (set HOME, or HF_HOME to a folder)"
            ) from error
        # ValueError: configuration or split; FileNotFoundError: name.
        except (ValueError, FileNotFoundError, OSError, DatasetsError) as error:
            raise InputError(f"hf:{name}: {' '.join(str(error).split())}") from error
        return _of_dataset(dataset, f"hf:{name}", columns)


def _of_dataset(dataset: Any, source: str, columns: Options) -> Table:
    """Rows and labels of a `datasets.Dataset`: images, texts or numbers, whatever it holds."""
    import datasets
    import pyarrow as pa

    features = dataset.features
    table = dataset.with_format("arrow")[:]
    names = table.column_names
    classes = [n for n in names if isinstance(features[n], datasets.ClassLabel)]
    label = columns.label
    if label is None and len(classes) == 1:
        label = classes[0]
    text = find_label(names, columns.text, source) if columns.text is not None else None
    number = find_label(names, label, source)
    check_both(text, number, names, source)
    index = [n for n in index_columns(dataset.data.table) if n in names and n != label]
    rest = [n for i, n in enumerate(names) if i != number and n not in index]
    y = None
    if number is not None:
        values = label_values(table.column(number), pa)
        if isinstance(features[names[number]], datasets.ClassLabel):
            values = _class_names(values, features[names[number]].names)
        y = typed_labels(values, source)
    images = [n for n in rest if isinstance(features[n], datasets.Image)]
    strings = [n for n in rest if getattr(features[n], "dtype", "") in ("string", "large_string")]
    if text is not None or (strings == rest and len(rest) == 1):
        chosen = names[text] if text is not None else rest[0]
        counts, words = bag_of_words((t or "" for t in dataset[chosen]), source, columns.words)
        return Table(counts, y, words)
    if images:
        pictures = list(dataset[images[0]])
        if any(picture is None for picture in pictures):
            raise FileFormatError(f"{source}: column {images[0]!r} has missing images; drop them")
        return Table(grey_images(pictures, columns.image_size, f"{source}: image"), y)
    read = read_columns(_stored(table, pa), label, source, index)
    return read if y is None else Table(read.x, y, read.names, read.remarks)


def _class_names(numbers: Any, names: Sequence[str]) -> Any:
    """What classes are called, as a folder of images calls them; -1 stays the mark of no label.

    Names that are the numbers themselves say nothing.
    """
    if list(names) == [str(i) for i in range(len(names))]:
        return numbers
    return [n if n is None or n < 0 else names[n] for n in np.asarray(numbers, object)]


def _check_folders(name: str) -> None:
    """Refuse a folder of images in which classes of one name lie in several folders, as those of
    Omniglot do: `datasets` would make one class of them."""
    root, parents = Path(name), {}
    for file in root.rglob("*") if root.is_dir() else ():
        if file.suffix.lower() in IMAGE_SUFFIXES:
            folders = [p for p in file.relative_to(root).parts[:-1] if p.lower() not in SPLITS]
            parents.setdefault(folders[-1] if folders else "", set()).add(tuple(folders[:-1]))
    shared = sorted(folder for folder, among in parents.items() if len(among) > 1)
    if shared:
        raise InputError(
            f"hf:{name}: folders called {shared[0]!r} lie in several folders and would be one "
            f"class; name the folder without hf: (and levels=2, --levels 2)"
        )


def _stored(table: Any, pa: Any) -> Any:
    """The table with arrays of several axes, a type of the library's own, as lists."""
    for i, field in enumerate(table.schema):
        if isinstance(field.type, pa.ExtensionType):
            chunks = [chunk.storage for chunk in table.column(i).chunks]
            table = table.set_column(
                i, field.name, pa.chunked_array(chunks, field.type.storage_type)
            )
    return table


def load_openml(name: str, version: int | None, label: str | None) -> Table:
    """A table of OpenML by name; fetched if it is not in the cache folder.

    Nominal columns become one column a category (`colour_red`), 0 or 1.

    Parameters
    ----------
    name : str
        A name on openml.org.
    version : int or None
        A version, by default the first active one.
    label : str or None
        The column of labels, by default the data set's own target.

    Raises
    ------
    MissingDataError
        Without pandas or the network.
    InputError
        For an unknown name, version or column.
    FileFormatError
        For missing values, or columns that are neither numbers nor nominal.
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
            bunch: Any = fetch_openml(
                name, **chosen, data_home=str(cache_dir()), target_column=target, as_frame=True
            )
        except (URLError, TimeoutError, ConnectionError) as error:
            raise MissingDataError(
                f"openml:{name}: OpenML cannot be reached, and the data are not in "
                f"{cache_dir() / 'openml'} ({error})"
            ) from error
        except (ValueError, KeyError) as error:
            raise InputError(f"openml:{name}: {' '.join(str(error).split())}") from error
    return _of_frame(bunch.data, bunch.target, f"openml:{name}")


def _of_frame(frame: Any, target: Any, source: str) -> Table:
    import pandas as pd

    columns = []
    for name in frame:
        kind = frame[name].dtype
        nominal = isinstance(kind, pd.CategoricalDtype)
        if not nominal and not pd.api.types.is_numeric_dtype(kind):
            raise FileFormatError(
                f"{source}: column {name!r} holds {kind}, neither numbers nor categories; give the "
                "table as a file without it"
            )
        values = [
            None if gap else v for v, gap in zip(frame[name], frame[name].isna(), strict=True)
        ]
        columns.append(
            Column(str(name), values, tuple(map(str, kind.categories)) if nominal else None)
        )
    x, names = encode(columns, source)
    return Table(x, None if target is None else typed_labels(target.tolist(), source), names)


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
