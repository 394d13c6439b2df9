"""Rendered glyphs: characters of many scripts in many fonts, the main meta-training data.

After the "Alphabet" data of Metz et al. 2018 (arXiv 1804.00222), section 4.3. A class is a
character, its samples are renderings in different font families. Never rendered for training:
digits and other numerals, the scripts Georgian, Armenian, Cherokee, Ethiopic and Khmer, and a
quarter of the families (15 % held out, 10 % for validation), chosen by a hash of their names.
"""

import dataclasses
import json
import os
import sys
import tempfile
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from metaplastic.data.cache import cache_dir
from metaplastic.data.fonts import Font, family_split, find_fonts, import_freetype
from metaplastic.errors import FileFormatError, InputError, MissingDataError

FORMAT_VERSION = 1
SIDE = 16
SPLITS = ("train", "validation", "heldout_families", "heldout_scripts")

_TRAINING = {
    "latin": "0041-005A 0061-007A 00C6 00D0 00D8 00DE 00DF 00E6 00F0 00F8 00FE 0152-0153",
    "greek": "0391-03A9 03B1-03C9",
    "cyrillic": "0402-040F 0410-044F 0452-045F",
    "hebrew": "05D0-05EA",
    "arabic": "0621-064A",
    "devanagari": "0905-0939",
    "bengali": "0985-09B9",
    "gurmukhi": "0A05-0A39",
    "gujarati": "0A85-0AB9",
    "oriya": "0B05-0B39",
    "tamil": "0B85-0BB9",
    "telugu": "0C05-0C39",
    "kannada": "0C85-0CB9",
    "malayalam": "0D05-0D39",
    "sinhala": "0D85-0DC6",
    "thai": "0E01-0E2E",
    "lao": "0E81-0EAE",
    "tibetan": "0F40-0F69",
    "myanmar": "1000-1021",
    "runic": "16A0-16EA",
    "coptic": "2C80-2CB1",
    "hiragana": "3042-3093",
    "katakana": "30A2-30F3",
    "hangul": "AC00-D7A3/61",
    "cjk": "4E00-9FA5/53",
}
_HELD_OUT = {
    "armenian": "0531-0556 0561-0586",
    "ethiopic": "1200-1357",
    "cherokee": "13A0-13F4",
    "khmer": "1780-17A2",
    "georgian": "10A0-10C5 10D0-10F0",
}


@dataclasses.dataclass(frozen=True, eq=False)
class GlyphSet:
    """One split. `images` `(n, 16, 16)` uint8 (ink 255) sorted by `labels` `(n,)`; `families[i]`
    indexes `family_names`, `labels[i]` indexes `characters` and `scripts`."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int32]
    families: NDArray[np.int32]
    characters: tuple[str, ...]
    scripts: tuple[str, ...]
    family_names: tuple[str, ...]


def characters_of(split: str) -> dict[str, str]:
    """Characters that a split may hold, each with its script; letters only, never a numeral."""
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    table = _HELD_OUT if split == "heldout_scripts" else _TRAINING
    return {
        c: script
        for script, ranges in table.items()
        for c in _expand(ranges)
        if unicodedata.category(c).startswith("L")
    }


def _expand(ranges: str) -> list[str]:
    found = []
    for part in ranges.split():
        part, _, step = part.partition("/")
        low, _, high = part.partition("-")
        codes = range(int(low, 16), int(high or low, 16) + 1, int(step or 1))
        found += [chr(c) for c in codes]
    return found


def split_of(family: str, held_out_script: bool) -> str:
    """The split to which a rendering belongs."""
    if held_out_script:
        return "heldout_scripts"
    name = family_split(family)
    return "heldout_families" if name == "heldout" else name


def render_font(font: Font) -> list[tuple[str, NDArray[np.uint8]]]:
    """All wanted characters that a face covers, rendered; blank and box glyphs are left out."""
    freetype = import_freetype()
    try:
        face = freetype.Face(font.path, font.index)
        face.set_pixel_sizes(0, 48)
    except freetype.FT_Exception:
        return []
    found = []
    for character in (*characters_of("train"), *characters_of("heldout_scripts")):
        index = face.get_char_index(character)
        if index == 0:
            continue
        try:
            face.load_glyph(index, freetype.FT_LOAD_RENDER | freetype.FT_LOAD_NO_HINTING)
        except freetype.FT_Exception:
            continue
        bitmap = face.glyph.bitmap
        if bitmap.rows < 4 or bitmap.width < 2 or bitmap.pixel_mode != 2:
            continue
        rows = np.array(bitmap.buffer, np.uint8).reshape(bitmap.rows, bitmap.pitch)
        image = fit_to_square(rows[:, : bitmap.width])
        if image.max() > 64:
            found.append((character, image))
    return found


def fit_to_square(ink: NDArray[np.uint8], side: int = SIDE, margin: int = 1) -> NDArray[np.uint8]:
    """Scale `(h, w)` by area averaging to fit inside the margins, aspect kept, centred."""
    height, width = ink.shape
    inner = side - 2 * margin
    scale = inner / max(height, width)
    h, w = (max(1, round(n * scale)) for n in (height, width))
    small = _average(h, height) @ ink.astype(np.float32) @ _average(w, width).T
    out = np.zeros((side, side), np.uint8)
    top, left = (side - h) // 2, (side - w) // 2
    peak = max(float(small.max()), 1.0)
    out[top : top + h, left : left + w] = np.clip(small * (255.0 / peak), 0, 255).round()
    return out


def _average(n_out: int, n_in: int) -> NDArray[np.float32]:
    """Matrix that averages `n_in` pixels over `n_out` equal intervals."""
    edges = np.linspace(0, n_in, n_out + 1)
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(n_in)
    overlap = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    return (overlap / overlap.sum(1, keepdims=True)).astype(np.float32)


def build_glyphs(
    out: str | os.PathLike | None = None,
    *,
    folders: Sequence[str | os.PathLike] | None = None,
    per_class: int = 160,
    min_per_class: int = 8,
    workers: int = 2,
    seed: int = 0,
) -> dict[str, GlyphSet]:
    """Render the installed fonts and write one file per split; deterministic given the fonts.

    Args:
        out: folder for `glyphs_SPLIT.safetensors`; default the cache folder.
        folders: where to look for fonts; default the system's.
        per_class: most renderings of one character in one split, drawn at random beyond it.
        min_per_class: characters with fewer different renderings are left out
            (3 in the held-out scripts, which few fonts cover).
        workers: processes.
        seed: of the draw.

    Raises:
        MissingDataError: without fonts or without FreeType.
    """
    out = cache_dir() if out is None else Path(out)
    fonts = find_fonts(folders)
    held_out = set(characters_of("heldout_scripts"))
    found: dict[str, dict[str, dict[bytes, str]]] = {s: {} for s in SPLITS}
    with ProcessPoolExecutor(workers) as pool:
        rendered = pool.map(render_font, fonts, chunksize=8)
        for done, (font, glyphs) in enumerate(zip(fonts, rendered, strict=True), 1):
            for character, image in glyphs:
                split = found[split_of(font.family, character in held_out)]
                split.setdefault(character, {}).setdefault(image.tobytes(), font.family)
            if sys.stderr.isatty():
                print(f"\rrendered {done} of {len(fonts)} faces", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    out.mkdir(parents=True, exist_ok=True)
    sets = {}
    for split in SPLITS:
        least = 3 if split == "heldout_scripts" else min_per_class
        sets[split] = _collect(found[split], characters_of(split), per_class, least, seed)
        _save(out / f"glyphs_{split}.safetensors", sets[split], split)
    return sets


def _collect(
    found: dict[str, dict[bytes, str]],
    scripts: dict[str, str],
    per_class: int,
    least: int,
    seed: int,
) -> GlyphSet:
    rng = np.random.default_rng(seed)
    characters = [c for c in scripts if len(found.get(c, {})) >= least]
    names = sorted({family for c in characters for family in found[c].values()})
    number = {name: i for i, name in enumerate(names)}
    images, labels, families = [], [], []
    for label, character in enumerate(characters):
        items = list(found[character].items())
        chosen = sorted(rng.permutation(len(items))[:per_class])
        images += [np.frombuffer(items[i][0], np.uint8).reshape(SIDE, SIDE) for i in chosen]
        families += [number[items[i][1]] for i in chosen]
        labels += [label] * len(chosen)
    return GlyphSet(
        np.array(images, np.uint8).reshape(-1, SIDE, SIDE),
        np.array(labels, np.int32),
        np.array(families, np.int32),
        tuple(characters),
        tuple(scripts[c] for c in characters),
        tuple(names),
    )


def _save(path: Path, glyphs: GlyphSet, split: str) -> None:
    from safetensors.numpy import save

    metadata = {
        "format": "metaplastic-glyphs",
        "format_version": str(FORMAT_VERSION),
        "split": split,
        "characters": json.dumps(glyphs.characters),
        "scripts": json.dumps(glyphs.scripts),
        "families": json.dumps(glyphs.family_names),
    }
    tensors = {"images": glyphs.images, "labels": glyphs.labels, "families": glyphs.families}
    data = save(tensors, metadata)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)


def load_glyphs(split: str, folder: str | os.PathLike | None = None) -> GlyphSet:
    """Read a split that `build_glyphs` wrote.

    Raises:
        InputError: for an unknown split.
        MissingDataError: if it was not built yet; says how.
        FileFormatError: if the file is damaged or of another version.
    """
    from safetensors import SafetensorError, safe_open

    characters_of(split)
    path = (cache_dir() if folder is None else Path(folder)) / f"glyphs_{split}.safetensors"
    if not path.exists():
        raise MissingDataError(
            f"{path} is not there: install fonts (for example the Debian packages "
            "fonts-dejavu-core fonts-noto-core) and run: metaplastic data build glyphs"
        )
    try:
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            tensors = {k: file.get_tensor(k) for k in ("images", "labels", "families")}
        texts = [tuple(json.loads(metadata[k])) for k in ("characters", "scripts", "families")]
    except (SafetensorError, KeyError, ValueError) as error:
        raise FileFormatError(
            f"{path} is damaged ({error}); run: metaplastic data build glyphs"
        ) from error
    if metadata.get("format_version") != str(FORMAT_VERSION):
        raise FileFormatError(f"{path} is of another version; run: metaplastic data build glyphs")
    return GlyphSet(tensors["images"], tensors["labels"], tensors["families"], *texts)
