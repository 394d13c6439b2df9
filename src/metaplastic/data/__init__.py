"""Data: sources that draw samples on the device, public sets, readers of users' files.

What needs JAX is imported at its first use, so that files are read without it.
"""

from typing import TYPE_CHECKING

from metaplastic.data.cache import cache_dir
from metaplastic.data.dataset import Dataset
from metaplastic.data.files import Table, read_table
from metaplastic.data.named import load_named
from metaplastic.data.sets import SetInfo, list_sets, load_set
from metaplastic.lazy import lazy

if TYPE_CHECKING:
    from metaplastic.data.drawings import PenStrokes, Silhouettes
    from metaplastic.data.glosses import GlossSet, build_glosses, load_glosses
    from metaplastic.data.glyphs import GlyphSet, build_glyphs, load_glyphs
    from metaplastic.data.pictures import PictureSet, build_pictures, load_pictures
    from metaplastic.data.prepared import PreparedGlosses, PreparedWords
    from metaplastic.data.snippets import build_movie_snippets
    from metaplastic.data.sources import AbstractSource, ImageSource, SourceTask, WordSource
    from metaplastic.data.synthetic import (
        GaussianMixture,
        HiddenManifold,
        MixedTable,
        Prototypes,
        SparseTopics,
    )
    from metaplastic.data.writings import WritingSet, build_writings, load_writings

__all__ = [
    "AbstractSource",
    "Dataset",
    "GaussianMixture",
    "GlossSet",
    "GlyphSet",
    "HiddenManifold",
    "ImageSource",
    "MixedTable",
    "PenStrokes",
    "PictureSet",
    "PreparedGlosses",
    "PreparedWords",
    "Prototypes",
    "SetInfo",
    "Silhouettes",
    "SourceTask",
    "SparseTopics",
    "Table",
    "WordSource",
    "WritingSet",
    "build_glosses",
    "build_glyphs",
    "build_movie_snippets",
    "build_pictures",
    "build_writings",
    "cache_dir",
    "list_sets",
    "load_glosses",
    "load_glyphs",
    "load_named",
    "load_pictures",
    "load_set",
    "load_writings",
    "read_table",
]

__getattr__ = lazy(
    __name__,
    {
        "drawings": ("PenStrokes", "Silhouettes"),
        "glosses": ("GlossSet", "build_glosses", "load_glosses"),
        "glyphs": ("GlyphSet", "build_glyphs", "load_glyphs"),
        "pictures": ("PictureSet", "build_pictures", "load_pictures"),
        "prepared": ("PreparedGlosses", "PreparedWords"),
        "snippets": ("build_movie_snippets",),
        "sources": ("AbstractSource", "ImageSource", "SourceTask", "WordSource"),
        "synthetic": (
            "GaussianMixture",
            "HiddenManifold",
            "MixedTable",
            "Prototypes",
            "SparseTopics",
        ),
        "writings": ("WritingSet", "build_writings", "load_writings"),
    },
)
