"""Which characters make classes of rendered glyphs, and which never do.

Never rendered for training: numerals of any script, and the scripts Armenian, Cherokee,
Ethiopic, Georgian and Khmer, which stay for evaluation.
"""

import functools
import unicodedata

from metaplastic.errors import InputError

SPLITS = ("train", "validation", "heldout_families", "heldout_scripts")
"""Splits of the rendered glyphs."""

DIGITS = tuple("0123456789")

_TRAINING = {
    "latin": "0041-005A 0061-007A 00C6 00D0 00D8 00DE 00DF 00E6 00F0 00F8 00FE 0152-0153",
    "greek": "0391-03A9 03B1-03C9",
    "cyrillic": "0402-040F 0410-044F 0452-045F",
    "hebrew": "05D0-05EA",
    "arabic": "0621-064A",
    "syriac": "0710-072F",
    "thaana": "0780-07A5",
    "nko": "07CA-07EA",
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
    "canadian": "1401-1676/3",
    "ogham": "1681-169A",
    "runic": "16A0-16EA",
    "mongolian": "1820-1842",
    "glagolitic": "2C00-2C2E",
    "coptic": "2C80-2CB1",
    "tifinagh": "2D30-2D67",
    "hiragana": "3042-3093",
    "katakana": "30A2-30F3",
    "bopomofo": "3105-3129",
    "hangul": "AC00-D7A3/61",
    "cjk": "4E00-9FA5/53",
    "gothic": "10330-10349",
}
_HELD_OUT = {
    "armenian": "0531-0556 0561-0586",
    "ethiopic": "1200-1357",
    "cherokee": "13A0-13F4",
    "khmer": "1780-17A2",
    "georgian": "10A0-10C5 10D0-10F0",
}
_HELD_OUT_PREFIXES = tuple(name.upper() + " " for name in _HELD_OUT)


def is_numeral(character: str) -> bool:
    """Whether Unicode gives the character a numeric value or a numeral's category (N*)."""
    return (
        unicodedata.category(character).startswith("N")
        or unicodedata.numeric(character, None) is not None
    )


def is_heldout_script(character: str) -> bool:
    """Whether the character belongs to a script that is kept for evaluation, by its name."""
    return unicodedata.name(character, "").startswith(_HELD_OUT_PREFIXES)


@functools.cache
def characters_of(split: str) -> dict[str, str]:
    """Characters that a split may hold, each with its script; letters only, never a numeral.

    Raises
    ------
    InputError
        For an unknown split.
    """
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    table = _HELD_OUT if split == "heldout_scripts" else _TRAINING
    return {
        c: script
        for script, ranges in table.items()
        for c in _expand(ranges)
        if unicodedata.category(c).startswith("L") and not is_numeral(c)
    }


@functools.cache
def numerals() -> tuple[str, ...]:
    """Decimal digits and numerals of all scripts, below U+20000; no ideograph such as "three"."""
    return tuple(c for c in map(chr, range(0x20000)) if unicodedata.category(c).startswith("N"))


def _expand(ranges: str) -> list[str]:
    characters = []
    for part in ranges.split():
        part, _, step = part.partition("/")
        low, _, high = part.partition("-")
        codes = range(int(low, 16), int(high or low, 16) + 1, int(step or 1))
        characters += [chr(c) for c in codes]
    return characters
