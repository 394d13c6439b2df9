"""Folders with one subfolder per class: images, or texts as in the IMDB review folders."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.labels import typed_labels
from metaplastic.data.readers.images import read_images
from metaplastic.data.tables import Options, Table
from metaplastic.data.texts import bag_of_words, read_text
from metaplastic.errors import FileFormatError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
TEXT_SUFFIXES = (".txt",)
SPLITS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
"""Names of folders that are parts of a data set, not classes."""

UNLABELLED_FOLDERS = ("unsup", "unlabeled", "unlabelled")
"""Names of folders whose files have no label, as `unsup` of IMDB."""

_NOTES = ("readme", "license", "licence", "copying", "notice", "attribution", "citation", "labels")
_NOTE_ENDINGS = ("_boxes", "_annotations", "_labels", "_bbox")
_TINY_IMAGENET = "val_annotations.txt"
_OMNIGLOT = "character"


class _Member(NamedTuple):
    """A file, and the names of the folders between the root and it."""

    parts: tuple[str, ...]
    file: Path


def read_folder(
    path: Path,
    image_size: tuple[int, int] | None = None,
    words: Sequence[str] | None = None,
    levels: int | None = None,
) -> Table:
    """Images or texts of a folder, by class and file name; labels are the subfolders' names.

    Without subfolders there are no labels. Images become grey, `image_size` `(height, width)`;
    by default their own size if that is one and at most 64, else 32x32. Texts become counts of
    `words`, by default of the folder's 4,000 commonest. Hidden files and notes beside the data
    are passed over. Of parts called train, val and test, `train` is read.

    Parameters
    ----------
    path : Path
        The folder.
    image_size : (int, int), optional
        `(height, width)` to which images are resized.
    words : sequence of str, optional
        Words to count in texts, by default the 4,000 most frequent.
    levels : int, optional
        Levels of folders that make a class: 1 for the outer folders, 2 for those within them too,
        as in Omniglot (`Greek/character01`). By default 1, unless all files lie deeper in folders
        that differ.

    Raises
    ------
    FileFormatError
        If there are neither images nor texts, or it is not clear which, or what the classes are.
    """
    train, remarks = _training_part(path)
    if train is not None:
        table = read_folder(train, image_size, words, levels)
        return Table(*table, (*remarks, *table.remarks))
    images, texts, remarks = _chosen(path)
    chosen = images or texts
    y, more = _labels(path, chosen, levels)
    remarks += more
    files = [member.file for member in chosen]
    if images:
        return Table(read_images(files, image_size), y, None, remarks)
    counts, counted = bag_of_words(map(read_text, files), path, words)
    return Table(counts, y, counted, remarks)


def row_files(path: Path) -> list[Path]:
    """Of every row of `read_folder` the file; raises as that does."""
    train, _ = _training_part(path)
    if train is not None:
        return row_files(train)
    images, texts, _ = _chosen(path)
    return [member.file for member in images or texts]


def _training_part(path: Path) -> tuple[Path | None, list[str]]:
    """The folder `train` of a folder with several parts of a data set, and a remark."""
    parts = [d.name for d in _folders(path) if d.name.lower() in SPLITS]
    if len(parts) < 2 and not (parts and len(parts) == len(_folders(path))):
        return None, []
    if "train" not in parts:
        raise FileFormatError(
            f"{path}: its folders {', '.join(parts)} are parts of a data set, not classes; "
            f"name one of them, such as {path / parts[0]}"
        )
    return path / "train", [f"rows: those of {path.name}/train, of {', '.join(parts)}"]


def _chosen(path: Path) -> tuple[list[_Member], list[_Member], list[str]]:
    members = list(_walk(path))
    images = [m for m in members if m.file.suffix.lower() in IMAGE_SUFFIXES]
    texts = [m for m in members if m.file.suffix.lower() in TEXT_SUFFIXES]
    return _choose(path, images, texts)


def read_with(path: Path, options: Options) -> Table:
    """`read_folder`, as formats are read."""
    return read_folder(path, options.image_size, options.words, options.levels)


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not _hidden(p.name))


def _hidden(name: str) -> bool:
    """Whether macOS, editors or notebooks made a file or folder, not the user."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini")


def _walk(path: Path) -> Iterator[_Member]:
    """All files, those of the folder itself first, then folder by folder in alphabetical order."""
    seen = set()  # Links may lead in a circle.
    for folder, folders, files in os.walk(path, followlinks=True):
        if (place := os.path.realpath(folder)) in seen:
            folders[:] = []
            continue
        seen.add(place)
        folders[:] = sorted(name for name in folders if not _hidden(name))
        parts = Path(folder).relative_to(path).parts
        for name in sorted(files):
            if not _hidden(name):
                yield _Member(parts, Path(folder) / name)


def _choose(
    path: Path, images: list[_Member], texts: list[_Member]
) -> tuple[list[_Member], list[_Member], list[str]]:
    """Either images or texts, and a remark on what is passed over."""
    notes = [m for m in texts if _is_note(m.file)]
    # Files of the folder itself count only if no subfolder has any.
    deep_images = [m for m in images if m.parts] or images
    plain = [m for m in texts if m not in notes] or (notes if not images else [])
    deep_texts = [m for m in plain if m.parts] or plain
    if deep_images and deep_texts and not deep_texts[0].parts and deep_images[0].parts:
        deep_texts = []
    if deep_images and deep_texts and not deep_images[0].parts and deep_texts[0].parts:
        deep_images = []
    if deep_images and deep_texts:
        # A few of the other kind are notes; as many may be what each other's are about.
        if 2 * len(deep_texts) <= len(deep_images):
            deep_texts = []
        elif 2 * len(deep_images) <= len(deep_texts):
            deep_images = []
    if bool(deep_images) == bool(deep_texts):
        kinds = "both images and .txt files" if images else "neither images nor .txt files"
        named = f" ({deep_images[0].file} and {deep_texts[0].file})" if images else ""
        raise FileFormatError(
            f"{path}: {kinds} found{named}; give a folder with one subfolder per class, of "
            f"{' '.join(IMAGE_SUFFIXES)} files or of .txt files"
        )
    chosen = deep_images or deep_texts
    over = [m.file.relative_to(path) for m in images + texts if m not in chosen]
    remarks = []
    if over:
        shown = ", ".join(map(str, over[:3])) + (", ..." if len(over) > 3 else "")
        remarks.append(f"passed over: {len(over)} files that are not of the classes: {shown}")
    return deep_images, deep_texts, remarks


def _is_note(file: Path) -> bool:
    stem = file.stem.lower()
    return (
        stem.split(".")[0] in _NOTES
        or stem.endswith(_NOTE_ENDINGS)
        or stem
        in (
            "classes",
            "wnids",
            "words",
            "val_annotations",
        )
    )


def _labels(
    path: Path, members: Sequence[_Member], levels: int | None
) -> tuple[NDArray | None, list[str]]:
    annotated = path / _TINY_IMAGENET
    if annotated.is_file():
        return _of_annotations(annotated, members), [f"labels: those of {_TINY_IMAGENET}"]
    # What all files share, such as a folder `images` in every class, tells nothing.
    parts = [member.parts for member in members]
    parts, wrapped = _without_shared(parts)
    if not parts[0]:
        if wrapped:
            shown = "/".join(wrapped)
            return None, [f"no labels: all files lie in one folder, {shown}"]
        return None, []
    deep = Counter(min(len(p), 2) for p in parts)
    remarks = []
    if levels is None and deep[2] and not deep[1]:
        inner = {p[1] for p in parts}
        if not all(name.startswith(_OMNIGLOT) for name in inner):
            raise FileFormatError(
                f"{path}: files lie in folders within folders, such as {'/'.join(parts[0])}: say "
                f"whether a class is an outer folder (--levels 1) or one within (--levels 2)"
            )
        levels = 2
        remarks.append("labels: two levels of folders, as in Omniglot")
    elif levels is None and deep[2]:
        remarks.append(f"{deep[2]} files lie deeper; their class is the outermost folder")
    names = ["/".join(p[: levels or 1]) for p in parts]
    marked = sorted({name for name in names if name.lower() in UNLABELLED_FOLDERS})
    if marked:
        remarks.append(f"files of {', '.join(marked)} are unlabelled")
        names = ["-1" if name in marked else name for name in names]
        return typed_labels(names, path), remarks
    return np.array(names), remarks


def _without_shared(
    parts: list[tuple[str, ...]],
) -> tuple[list[tuple[str, ...]], list[str]]:
    """The folders of every file without those that all have first, or last, in common."""
    wrapped = []
    while all(parts) and len({p[0] for p in parts}) == 1:
        if len({p for p in parts}) == 1 and len(parts[0]) == 1 and not wrapped:
            break  # One class folder: its name is the only label.
        wrapped.append(parts[0][0])
        parts = [p[1:] for p in parts]
    while all(len(p) > 1 for p in parts) and len({p[-1] for p in parts}) == 1:
        parts = [p[:-1] for p in parts]
    if not all(parts):
        parts = [()] * len(parts) if not any(parts) else parts
    return parts, wrapped


def _of_annotations(file: Path, members: Sequence[_Member]) -> NDArray:
    """Labels of the validation images of Tiny ImageNet: a line has the image's name and class."""
    lines = [line.split("\t") for line in read_text(file).splitlines() if line.strip()]
    known = {line[0]: line[1].strip() for line in lines if len(line) > 1}
    missing = [m.file.name for m in members if m.file.name not in known]
    if missing:
        raise FileFormatError(f"{file}: has no line for {missing[0]}")
    return typed_labels([known[m.file.name] for m in members], file)
