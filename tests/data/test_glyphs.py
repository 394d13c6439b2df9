import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from metaplastic.data import build_glyphs, load_glyphs
from metaplastic.data.characters import (
    DIGITS,
    SPLITS,
    characters_of,
    is_heldout_script,
    is_numeral,
    numerals,
)
from metaplastic.data.fonts import Font, family_share, family_split, find_fonts
from metaplastic.data.glyphs import _sort_out, glyph_path, split_of
from metaplastic.data.rendering import fit_to_square, render_font
from metaplastic.errors import FileFormatError, InputError, MissingDataError

DEJAVU = Path("/usr/share/fonts/truetype/dejavu")
HELD_OUT = ("ARMENIAN ", "CHEROKEE ", "ETHIOPIC ", "GEORGIAN ", "KHMER ")

# The rules of exclusion, without any font


@pytest.mark.parametrize("split", SPLITS)
def test_no_split_holds_a_numeral(split):
    characters = characters_of(split)
    assert not set(characters) & set(numerals())
    assert not [c for c in characters if is_numeral(c)]
    assert all(unicodedata.category(c).startswith("L") for c in characters)


def test_scripts_held_out_are_in_their_own_split_alone():
    held_out = characters_of("heldout_scripts")
    assert all(unicodedata.name(c).startswith(HELD_OUT) for c in held_out)
    assert {unicodedata.name(c).split()[0] + " " for c in held_out} == set(HELD_OUT)
    for split in SPLITS[:3]:
        assert not [c for c in characters_of(split) if unicodedata.name(c).startswith(HELD_OUT)]
        assert not any(map(is_heldout_script, characters_of(split)))
        assert len(characters_of(split)) > 1000


@pytest.mark.parametrize("character", ["0", "9", "٣", "८", "²", "½", "Ⅷ", "三", "๕", "၈"])
def test_numerals_are_known(character):
    assert is_numeral(character)


def test_unknown_split():
    with pytest.raises(InputError, match="unknown split 'test'"):
        characters_of("test")


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.text(max_size=20))
def test_a_family_is_in_one_split_whatever_its_case(family):
    share = family_share(family)
    assert 0 <= share < 100
    expected = "heldout" if share < 15 else "validation" if share < 25 else "train"
    assert family_split(family) == expected
    if family.isascii():
        assert family_split(family.upper()) == family_split(family)


def test_shares_of_families():
    splits = [family_split(f"Family {i}") for i in range(4000)]
    assert abs(splits.count("heldout") / 4000 - 0.15) < 0.03
    assert abs(splits.count("validation") / 4000 - 0.10) < 0.03


def first_family(split):
    return next(f for f in map("Family {}".format, range(1000)) if split_of(f, False) == split)


def test_images_that_must_not_be_in_a_split_are_removed():
    families = [first_family(split) for split in SPLITS[:3]]
    fonts = [Font("", 0, family) for family in families]

    def image(value):
        return np.full((2, 2), value, np.uint8)

    rendered = [
        {"O": image(0), "A": image(1), "B": image(2), "M": image(3)},  # of train
        {"A": image(1), "B": image(4), "Մ": image(3)},  # of validation, and a held-out script
        {"A": image(5), "B": image(2), "0": image(0)},  # of held-out families, and a digit
    ]
    found = _sort_out(fonts, rendered)

    def values(split):
        return {c: sorted(i[0] for i in images) for c, images in found[split].items() if images}

    assert values("train") == {"A": [1], "B": [2]}
    assert values("validation") == {"B": [4]}
    assert values("heldout_families") == {"A": [5]}
    assert values("heldout_scripts") == {"Մ": [3]}


# Rendering


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60)), elements=st.integers(0, 255)
    )
)
def test_glyphs_fill_the_frame_and_stay_inside_it(ink):
    image = fit_to_square(ink)
    assert image.shape == (16, 16)
    assert image.dtype == np.uint8
    assert not image[[0, -1]].any()
    assert not image[:, [0, -1]].any()
    if ink.any():
        assert image.max() == 255
        # Empty borders do not matter.
        np.testing.assert_array_equal(fit_to_square(np.pad(ink, 3)), image)
    else:
        assert not image.any()


def test_averaging_of_whole_pixels_is_their_mean():
    ink = np.random.default_rng(0).integers(1, 256, (42, 42), np.uint8)
    means = ink.reshape(14, 3, 14, 3).mean((1, 3))
    image = fit_to_square(ink)[1:15, 1:15]
    assert np.abs(image - means * 255 / means.max()).max() <= 0.51


def test_aspect_ratio_is_kept():
    tall = fit_to_square(np.full((28, 8), 255, np.uint8))
    assert tall.any(1).sum() == 14
    assert tall.any(0).sum() == 4
    np.testing.assert_array_equal(fit_to_square(np.full((8, 28), 255, np.uint8)), tall.T)


# Fonts


def test_no_fonts_names_packages(tmp_path):
    pytest.importorskip("freetype")
    with pytest.raises(MissingDataError, match="apt-get install fonts-dejavu-core"):
        find_fonts([tmp_path, tmp_path / "missing"])
    with pytest.raises(MissingDataError, match="apt-get install"):
        build_glyphs(tmp_path / "out", folders=[tmp_path])
    assert not (tmp_path / "out").exists()


def test_no_freetype_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "freetype", None)
    with pytest.raises(MissingDataError, match=r"metaplastic\[glyphs\]"):
        find_fonts([tmp_path])


def test_broken_fonts_are_passed_over(tmp_path):
    pytest.importorskip("freetype")
    (tmp_path / "broken.ttf").write_bytes(b"\0\1\0\0 no font")
    with pytest.raises(MissingDataError, match="no fonts found"):
        find_fonts([tmp_path])
    assert render_font(Font(str(tmp_path / "broken.ttf"), 0, "Broken")) == {}


def test_not_built_yet_says_how(tmp_path):
    with pytest.raises(MissingDataError, match="metaplastic data build glyphs"):
        load_glyphs("train", tmp_path)


def test_folders_of_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("METAPLASTIC_DATA", str(tmp_path))
    assert glyph_path("train") == tmp_path / "glyphs_train.safetensors"
    monkeypatch.delenv("METAPLASTIC_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert glyph_path("train").parent == tmp_path / "metaplastic"


def test_bad_numbers():
    with pytest.raises(InputError, match="per_class must be at least 1, got 0"):
        build_glyphs(per_class=0)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Glyphs of the faces of DejaVu, two renderings are enough for a class."""
    pytest.importorskip("freetype")
    if not list(DEJAVU.glob("*.ttf")):
        pytest.skip("the Debian package fonts-dejavu-core is not installed")
    out = tmp_path_factory.mktemp("glyphs")
    return out, build_glyphs(out, folders=[DEJAVU], min_per_class=2, workers=1)


def test_splits_of_dejavu(built):
    _, sets = built
    names = {font.family for font in find_fonts([DEJAVU])}
    assert "DejaVu Sans" in names
    for split, glyphs in sets.items():
        assert not set(glyphs.characters) & set(DIGITS)
        assert set(glyphs.characters) <= set(characters_of(split))
        assert np.all(np.diff(glyphs.labels) >= 0)
        counts = np.bincount(glyphs.labels, minlength=len(glyphs.characters))
        assert np.all(counts >= (3 if split == "heldout_scripts" else 2))
        if split != "heldout_scripts":
            held_out = {split_of(family, False) for family in glyphs.family_names}
            assert held_out <= {split}
        for label in range(0, len(glyphs.characters), 10):
            images = [i.tobytes() for i in glyphs.images[glyphs.labels == label]]
            assert len(set(images)) == len(images)
    assert sum(len(sets[split].images) for split in SPLITS[:3]) > 100
    assert {"armenian", "georgian"} >= set(sets["heldout_scripts"].scripts)


def test_no_image_of_dejavu_is_a_digit_or_of_a_held_out_script(built):
    _, sets = built
    reserved = set()
    for font in find_fonts([DEJAVU]):
        for character, image in render_font(font).items():
            if character in DIGITS or is_heldout_script(character):
                reserved.add(image.tobytes())
    assert len(reserved) > 30
    assert not reserved & {image.tobytes() for image in sets["train"].images}


def test_a_rendering_looks_like_its_letter(built):
    font = next(f for f in find_fonts([DEJAVU]) if Path(f.path).name == "DejaVuSans.ttf")
    glyphs = render_font(font)
    assert set(DIGITS) < set(glyphs)
    # T: a bar above, a stem in the middle; the box of missing characters is nowhere.
    letter = glyphs["T"] > 127
    assert letter[1:3, 3:13].all()
    assert letter[4:14, 7:9].all()
    assert not letter[5:14, :6].any()
    assert not np.array_equal(glyphs["A"], glyphs["B"])


@pytest.mark.slow
def test_building_again_gives_the_same_files(built, tmp_path):
    out, _ = built
    build_glyphs(tmp_path, folders=[DEJAVU], min_per_class=2, workers=1)
    for split in SPLITS:
        assert glyph_path(split, tmp_path).read_bytes() == glyph_path(split, out).read_bytes()
    assert sorted(os.listdir(tmp_path)) == sorted(glyph_path(s, out).name for s in SPLITS)


def test_files_hold_what_was_built(built):
    out, sets = built
    for split in SPLITS:
        loaded = load_glyphs(split, out)
        np.testing.assert_array_equal(loaded.images, sets[split].images)
        np.testing.assert_array_equal(loaded.labels, sets[split].labels)
        np.testing.assert_array_equal(loaded.families, sets[split].families)
        assert loaded.characters == sets[split].characters
        assert loaded.scripts == sets[split].scripts
        assert loaded.family_names == sets[split].family_names


def test_damaged_and_exchanged_files_are_refused(built, tmp_path):
    out, _ = built
    content = glyph_path("heldout_scripts", out).read_bytes()
    changed = bytearray(content)
    changed[-5] ^= 1
    for bad in (b"", content[:100], content[:-1], bytes(changed)):
        glyph_path("heldout_scripts", tmp_path).write_bytes(bad)
        with pytest.raises(FileFormatError, match="metaplastic data build glyphs"):
            load_glyphs("heldout_scripts", tmp_path)
    glyph_path("train", tmp_path).write_bytes(content)
    with pytest.raises(FileFormatError, match="split 'heldout_scripts'"):
        load_glyphs("train", tmp_path)


def test_caps(built, tmp_path):
    sets = build_glyphs(
        tmp_path, folders=[DEJAVU], min_per_class=1, per_class=2, max_classes=7, workers=1
    )
    for glyphs in sets.values():
        assert len(glyphs.characters) <= 7
        assert np.all(np.bincount(glyphs.labels, minlength=1) <= 2)
