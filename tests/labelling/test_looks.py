"""How rows look: upright pictures, whole texts, unusual cells."""

import io

import numpy as np
import pytest
import scipy.sparse as sp
from PIL import Image

from metaplastic.errors import FileFormatError, InputError
from metaplastic.labelling import Cells, Pictures, Texts, looks


def opened(content: bytes):
    return Image.open(io.BytesIO(content))


def test_numbers_become_pictures():
    x = np.arange(24.0).reshape(2, 12)
    shown = opened(Pictures(x, size=(3, 4)).picture(1))
    assert shown.size == (4, 3)
    assert np.asarray(shown)[-1, -1] == 255
    with pytest.raises(InputError, match="rows of 12 numbers are no images of 3x3"):
        Pictures(x)
    assert opened(Pictures(np.zeros((2, 9))).picture(0)).size == (3, 3)


def test_files_are_shown_upright_and_small(tmp_path):
    made = Image.new("RGB", (1000, 500), "red")
    made.paste("blue", (0, 0, 500, 500))
    orientation = made.getexif()
    orientation[0x0112] = 6  # turn by 90 degrees to see it upright
    made.save(tmp_path / "a.jpg", exif=orientation)
    pictures = Pictures([tmp_path / "a.jpg"], tmp_path)
    assert pictures.describe(0) == {"kind": "image", "title": "a.jpg"}
    shown = opened(pictures.picture(0)).convert("RGB")
    assert shown.size == (320, 640)
    top, bottom = shown.getpixel((160, 100)), shown.getpixel((160, 540))
    assert top[2] > 200 and bottom[0] > 200


def test_links_out_of_the_folder_and_damaged_files_are_not_shown(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "secret.png")
    (tmp_path / "in" / "a.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no image")
    pictures = Pictures([tmp_path / "in" / "a.png", tmp_path / "in" / "b.png"], tmp_path / "in")
    with pytest.raises(InputError, match="leads out of the folder"):
        pictures.picture(0)
    with pytest.raises(FileFormatError, match="not an image"):
        pictures.picture(1)


def test_texts_are_cut_only_when_very_long():
    texts = Texts(["<b>one</b>", "x" * (looks.MOST_CHARACTERS + 1)])
    assert texts.describe(0) == {"kind": "text", "title": "", "text": "<b>one</b>", "cut": False}
    assert texts.describe(1)["cut"] and len(texts.describe(1)["text"]) == looks.MOST_CHARACTERS
    with pytest.raises(InputError, match="no pictures"):
        texts.picture(0)


def test_unusual_cells_are_marked():
    x = np.random.default_rng(0).normal(size=(50, 3))
    x[:, 2] = 0  # constant but for one row
    x[7] = [0.0, 9.0, 1.0]
    cells = Cells(x, ("a", "b", "c")).describe(7)["cells"]
    assert [(c["name"], c["value"], c["unusual"]) for c in cells] == [
        ("a", "0", False),
        ("b", "9", True),
        ("c", "1", True),
    ]
    assert not any(c["unusual"] for c in Cells(np.ones((5, 2)), None).describe(0)["cells"])


def test_of_many_cells_the_unusual_ones_are_shown():
    x = np.random.default_rng(0).normal(size=(50, 100))
    x[0, [3, 98]] = 50
    found = Cells(x, None).describe(0)
    assert len(found["cells"]) == looks.MOST_CELLS and found["left_out"] == 60
    assert {"column 3", "column 98"} <= {c["name"] for c in found["cells"]}


@pytest.mark.parametrize("make", [np.asarray, sp.csr_matrix])
def test_words_that_are_there_are_shown(make):
    x = make(np.array([[0, 2, 1], [0, 0, 0]], np.float32))
    found = Cells(x, ("the", "a", "of"), counts=True).describe(0)
    assert [(c["name"], c["value"]) for c in found["cells"]] == [("a", "2"), ("of", "1")]
