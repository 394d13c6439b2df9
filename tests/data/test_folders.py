"""Folders: which files are the data, and which folders the classes."""

import numpy as np
import pytest

import field_forms
from field_forms import png, put
from metaplastic.data import read_table
from metaplastic.errors import FileFormatError, InputError

pytest.importorskip("PIL")
PNG = [png(np.full((2, 2), i, np.uint8)) for i in range(9)]


def make(folder, *names):
    """A folder of images whose grey levels number them, and of texts."""
    for i, name in enumerate(names):
        put(folder / name, PNG[i] if name.endswith(".png") else f"words {name}")
    return folder


def read(folder, **options):
    table = read_table(folder, **options)
    return table.x[:, 0].tolist(), None if table.y is None else table.y.tolist(), table.remarks


def test_notes_beside_images_are_passed_over_and_named(tmp_path):
    names = ["a/1.png", "a/2.png", "a/a_boxes.txt", "b/3.png", "README.txt", "LICENSE.txt"]
    x, y, remarks = read(make(tmp_path, *names))
    assert (x, y) == ([0, 1, 3], ["a", "a", "b"])
    assert remarks[0].startswith("passed over: 3 files")
    assert "a/a_boxes.txt" in remarks[0]


def test_images_one_level_deeper(tmp_path):
    x, y, _ = read(make(tmp_path, "a/a_boxes.txt", "a/images/1.png", "b/images/2.png"))
    assert (x, y) == ([1, 2], ["a", "b"])


def test_images_of_which_some_lie_deeper(tmp_path):
    x, y, remarks = read(make(tmp_path, "a/1.png", "a/more/2.png", "b/3.png"))
    assert (x, y) == ([0, 1, 2], ["a", "a", "b"])
    assert remarks == ("1 files lie deeper; their class is the outermost folder",)


def test_texts_with_a_few_images_are_texts(tmp_path):
    folder = make(tmp_path, "neg/1.txt", "neg/2.txt", "pos/3.txt", "pos/4.txt", "pos/5.png")
    table = read_table(folder)
    assert table.y.tolist() == ["neg", "neg", "pos", "pos"]
    assert "5.png" in table.remarks[0]


def test_a_text_for_each_image_is_unclear(tmp_path):
    make(tmp_path, "a/1.png", "a/1.txt", "b/2.png", "b/2.txt")
    with pytest.raises(FileFormatError, match=r"both images and \.txt files found \(.*1\.png and"):
        read_table(tmp_path)


def test_files_that_no_user_made(tmp_path):
    names = ["a/1.png", "a/._1.png", "a/.hidden.png", "__MACOSX/a/1.png", ".git/x.png", "b/5.png"]
    names += ["b/.ipynb_checkpoints/6.png", "b/._notes.txt"]
    assert read(make(tmp_path, *names)) == ([0, 5], ["a", "b"], ())


def test_parts_of_a_data_set_are_no_classes(tmp_path):
    make(tmp_path / "two", "train/a/1.png", "train/b/2.png", "test/a/3.png")
    x, y, remarks = read(tmp_path / "two")
    assert (x, y) == ([0, 1], ["a", "b"])
    assert remarks == ("rows: those of two/train, of test, train",)
    make(tmp_path / "other", "val/a/1.png", "test/b/2.png")
    with pytest.raises(FileFormatError, match="parts of a data set, not classes; name one of them"):
        read_table(tmp_path / "other")


def test_unlabelled_reviews_of_imdb(tmp_path):
    names = ["neg/1.txt", "pos/2.txt", "unsup/3.txt", "urls_pos.txt", "README"]
    table = read_table(make(tmp_path, *names))
    assert table.y.tolist() == ["neg", "pos", -1]
    assert "files of unsup are unlabelled" in table.remarks


def test_two_levels_must_be_told_apart_unless_they_are_omniglots(tmp_path):
    folder = make(tmp_path / "skin", "benign/p1/1.png", "benign/p2/2.png", "malign/p3/3.png")
    with pytest.raises(FileFormatError, match=r"an outer folder \(--levels 1\) or one within"):
        read_table(folder)
    assert read(folder, levels=1)[1] == ["benign", "benign", "malign"]
    assert read(folder, levels=2)[1] == ["benign/p1", "benign/p2", "malign/p3"]
    with pytest.raises(InputError, match="levels= is 1 or 2, got 3"):
        read_table(folder, levels=3)
    (omniglot,) = read_table(field_forms.omniglot(tmp_path)).remarks
    assert "two levels" in omniglot
    assert read(tmp_path / "images_background", levels=1)[1] == ["Greek", "Greek", "Latin", "Latin"]


def test_a_folder_around_the_classes(tmp_path):
    assert read(make(tmp_path, "photos/a/1.png", "photos/b/2.png"))[1] == ["a", "b"]
    x, y, remarks = read(make(tmp_path / "one", "all/the/1.png", "all/the/2.png"))
    assert (x, y) == ([0, 1], None)
    assert remarks == ("no labels: all files lie in one folder, all/the",)


def test_validation_images_of_tiny_imagenet(tmp_path):
    root = field_forms.tiny_imagenet(tmp_path)
    table = read_table(root / "val")
    assert table.y.tolist() == ["n02"]
    put(root / "val" / "images" / "val_1.JPEG", PNG[0])
    with pytest.raises(FileFormatError, match=r"has no line for val_1\.JPEG"):
        read_table(root / "val")


def test_links_that_lead_in_a_circle(tmp_path):
    make(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "b" / "again").symlink_to(tmp_path)
    assert sorted(read(tmp_path)[1]) == ["a", "b"]
