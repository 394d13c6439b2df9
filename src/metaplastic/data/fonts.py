"""Installed fonts: which files, which family, which characters."""

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from metaplastic.errors import MissingDataError
from metaplastic.extras import require

FONT_PACKAGES = "fonts-dejavu-core fonts-noto-core fonts-freefont-ttf fonts-liberation"
"""A few Debian packages to start with; every further `fonts-*` package adds families."""

_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
_SUFFIXES = {".ttf", ".otf", ".ttc", ".pfb"}


@dataclasses.dataclass(frozen=True)
class Font:
    """One face of a font file."""

    path: str
    index: int
    family: str


def import_freetype():
    """The FreeType binding, or an error that names the extra it comes with."""
    require("freetype", "rendering glyphs", "glyphs", package="freetype-py")
    import freetype

    return freetype


def find_fonts(folders: Sequence[str | os.PathLike] | None = None) -> list[Font]:
    """All scalable faces below the folders (default: the system's), sorted by path.

    Raises
    ------
    MissingDataError
        If there are none, naming packages to install.
    """
    freetype = import_freetype()
    roots = [Path(os.path.expanduser(f)) for f in (_FOLDERS if folders is None else folders)]
    paths = sorted(p for root in roots for p in root.rglob("*") if p.suffix.lower() in _SUFFIXES)
    fonts = [font for path in paths for font in _faces(freetype, path)]
    if not fonts:
        raise MissingDataError(
            f"no fonts found in {', '.join(map(str, roots))}; install some, for example: "
            f"apt-get install {FONT_PACKAGES}"
        )
    return fonts


def _faces(freetype, path: Path) -> list[Font]:
    """The scalable faces of one file; a broken or unsupported file has none."""
    fonts, index, count = [], 0, 1
    while index < count:
        try:
            face = freetype.Face(str(path), index)
        except freetype.FT_Exception:
            break
        if face.is_scalable and face.family_name:
            family = face.family_name.decode("utf-8", "replace").strip()
            fonts.append(Font(str(path), index, family))
        index, count = index + 1, face.num_faces
    return fonts


def family_share(family: str) -> int:
    """A number from 0 to 99 that a family's name alone decides."""
    return int(hashlib.sha256(family.lower().encode()).hexdigest(), 16) % 100


def family_split(family: str) -> str:
    """`heldout` for 15 % of the families, `validation` for 10 %, `train` for the rest."""
    share = family_share(family)
    if share < 15:
        return "heldout"
    return "validation" if share < 25 else "train"
