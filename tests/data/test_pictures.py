"""Pictures on folders of our own: what is read, what is left out, what a damaged file says."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metaplastic.data import pictures
from metaplastic.data.pictures import build_pictures, load_pictures, picture_path
from metaplastic.errors import FileFormatError, InputError, MissingDataError
from metaplastic.files import write_tensors


def draw(path: Path, *, seed: int = 0, mode: str = "RGBA", size: int = 90) -> None:
    """A square of random grey blocks in the middle of nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.random.default_rng(seed).integers(0, 256, (6, 6)).astype(np.uint8)
    blocks = Image.fromarray(grey).resize((size // 3, size // 3), Image.Resampling.NEAREST)
    canvas = Image.new(mode, (size, size))
    canvas.paste(blocks.convert(mode), (size // 3, size // 2))
    canvas.save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "share"
    for i in range(30):
        draw(root / "openclipart/png/animals" / f"cat{i}.png", seed=i)
    draw(root / "tuxpaint/stamps/food" / "pear.png", seed=40)
    generator = np.random.default_rng(0)
    photograph = Image.fromarray(generator.integers(0, 256, (60, 80)).astype(np.uint8))
    (root / "backgrounds").mkdir()
    photograph.resize((400, 300)).save(root / "backgrounds" / "field.jpg")
    return root


def test_every_picture_is_in_one_split(root: Path, tmp_path: Path):
    made = build_pictures(tmp_path / "out", root=root, per_photograph=5)
    counts = {split: len(found.images) for split, found in made.items()}
    assert sum(counts.values()) == 30 + 1 + 5
    assert 1 <= counts["validation"] < counts["train"]
    kinds = made["train"].kinds + made["validation"].kinds
    assert kinds.count("photograph") == 5
    # All patches of one photograph are on the same side.
    assert sum("photograph" in found.kinds for found in made.values()) == 1
    for split, found in made.items():
        loaded = load_pictures(split, tmp_path / "out")
        np.testing.assert_array_equal(loaded.images, found.images)
        assert loaded.kinds == found.kinds


def test_the_same_files_give_the_same_pictures(root: Path, tmp_path: Path):
    for name in ("a", "b"):
        build_pictures(tmp_path / name, root=root, per_photograph=3)
    one, other = (picture_path("train", tmp_path / name).read_bytes() for name in ("a", "b"))
    assert one == other


def test_drawings_are_cropped_and_on_black_or_inked(root: Path, tmp_path: Path):
    made = build_pictures(tmp_path / "out", root=root, per_photograph=1)
    drawings = [
        image
        for found in made.values()
        for image, kind in zip(found.images, found.kinds, strict=True)
        if kind == "drawing"
    ]
    grey = np.random.default_rng(0).integers(0, 256, (6, 6))
    wanted = np.kron(grey, np.ones((10, 10))).reshape(20, 3, 20, 3).mean((1, 3))
    nearest = [min(np.abs(d - w).mean() for d in drawings) for w in (wanted, 255 - wanted)]
    assert min(nearest) < 15 < 40 < max(nearest)


@pytest.mark.parametrize(
    "name",
    [
        "openclipart/png/signs_and_symbols/seven.png",
        "openclipart/png/animals/number_7.png",
        "openclipart/png/animals/cat_in_boots.png",
        "tuxpaint/stamps/clothes/hat.png",
        "wallpapers/Sea/contents/screenshot.png",
        "backgrounds/notes.txt",
    ],
)
def test_what_is_reserved_or_double_is_left_out(root: Path, tmp_path: Path, name: str):
    before = build_pictures(tmp_path / "before", root=root, per_photograph=1)
    if name.endswith(".png"):
        draw(root / name, seed=50)
    else:
        (root / name).write_text("no picture")
    after = build_pictures(tmp_path / "after", root=root, per_photograph=1)
    assert {k: len(v.images) for k, v in before.items()} == {
        k: len(v.images) for k, v in after.items()
    }


def test_broken_and_flat_pictures_are_passed_over(root: Path, tmp_path: Path):
    folder = root / "openclipart/png/animals"
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    Image.new("RGBA", (40, 40)).save(folder / "transparent.png")
    Image.new("L", (40, 40), 130).save(folder / "flat.png")
    made = build_pictures(tmp_path / "out", root=root, per_photograph=1)
    assert sum(len(found.images) for found in made.values()) == 32


def test_nothing_installed_names_packages(tmp_path: Path):
    with pytest.raises(MissingDataError, match="apt-get install openclipart-png"):
        build_pictures(tmp_path / "out", root=tmp_path)
    assert not (tmp_path / "out").exists()


def test_bad_arguments_are_refused(root: Path, tmp_path: Path):
    with pytest.raises(InputError, match="per_photograph must be at least 1"):
        build_pictures(tmp_path, root=root, per_photograph=0)
    with pytest.raises(InputError, match="unknown split 'test'"):
        load_pictures("test", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the folder"):
        build_pictures(tmp_path / "file" / "out", root=root, per_photograph=1)


def test_unbuilt_and_damaged_files_say_what_to_do(tmp_path: Path):
    with pytest.raises(MissingDataError, match="metaplastic data build pictures"):
        load_pictures("train", tmp_path)
    images = np.zeros((3, 8, 8), np.uint8)
    fields = {"split": "train", "kinds": ["drawing"] * 3}
    write_tensors(
        picture_path("train", tmp_path),
        {"images": images},
        kind=pictures.KIND,
        fields=fields,
        metadata={},
    )
    with pytest.raises(FileFormatError, match="make it anew with: metaplastic data build pictures"):
        load_pictures("train", tmp_path)
