"""Small files of exactly the forms in which the field keeps its data, written byte by byte.

`FORMS` has for each a function that writes it into a folder and returns the path to read, and the
rows and labels that are in it.
"""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Form(NamedTuple):
    write: Callable[[Path], Path]
    x: Any
    y: Any
    options: dict[str, Any]
    package: str | None


FORMS: dict[str, Form] = {}
RNG = np.random.default_rng(0)


def form(name, x, y, package=None, **options):
    def add(write):
        FORMS[name] = Form(write, np.asarray(x), y, options, package)
        return write

    return add


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# IDX


def idx(values: np.ndarray, code: int) -> bytes:
    """A header of big-endian numbers, then the values, most significant byte first."""
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, code, values.ndim, *values.shape)
    return head + values.astype(values.dtype.newbyteorder(">")).tobytes()


IMAGES = RNG.integers(0, 256, (3, 4, 4), np.uint8)
FLAT = IMAGES.reshape(3, 16)
QMNIST = np.array(
    [[5, 4, 1000, 0, 35, 7, 0, 0], [0, 4, 1001, 1, 30, 8, 0, 0], [4, 4, 1002, 2, 34, 9, 0, 0]],
    np.int32,
)


@form("mnist", FLAT, [7, 0, 9])
def mnist(folder: Path) -> Path:
    put(folder / "train-labels-idx1-ubyte", idx(np.array([7, 0, 9], np.uint8), 8))
    return put(folder / "train-images-idx3-ubyte", idx(IMAGES, 8))


@form("mnist with dots", FLAT, [7, 0, 9])
def mnist_dots(folder: Path) -> Path:
    put(folder / "train-labels.idx1-ubyte", idx(np.array([7, 0, 9], np.uint8), 8))
    return put(folder / "train-images.idx3-ubyte", idx(IMAGES, 8))


@form("mnist, half compressed", FLAT, [7, 0, 9])
def mnist_half(folder: Path) -> Path:
    put(folder / "t10k-labels-idx1-ubyte", idx(np.array([7, 0, 9], np.uint8), 8))
    return put(folder / "t10k-images-idx3-ubyte.gz", gzip.compress(idx(IMAGES, 8)))


@form("qmnist", FLAT, [5, 0, 4])
def qmnist(folder: Path) -> Path:
    put(folder / "qmnist-train-labels-idx2-int", idx(QMNIST, 12))
    return put(folder / "qmnist-train-images-idx3-ubyte", idx(IMAGES, 8))


@form("qmnist with idx1 too", FLAT, [5, 0, 4])
def qmnist_both(folder: Path) -> Path:
    put(folder / "qmnist-test-labels-idx1-ubyte", idx(QMNIST[:, 0].astype(np.uint8), 8))
    put(folder / "qmnist-test-labels-idx2-int.gz", gzip.compress(idx(QMNIST, 12)))
    return put(folder / "qmnist-test-images-idx3-ubyte.gz", gzip.compress(idx(IMAGES, 8)))


@form("emnist", IMAGES.transpose(0, 2, 1).reshape(3, 16), [1, 26, 3], transpose=True)
def emnist(folder: Path) -> Path:
    labels = np.array([1, 26, 3], np.uint8)
    put(folder / "emnist-letters-train-labels-idx1-ubyte.gz", gzip.compress(idx(labels, 8)))
    images = gzip.compress(idx(IMAGES, 8))
    return put(folder / "emnist-letters-train-images-idx3-ubyte.gz", images)


# NumPy


def npy(values: np.ndarray) -> bytes:
    """Version 1.0: the magic string, the header's length, a literal, then the values."""
    order = f"'descr': '{values.dtype.str}', 'fortran_order': False, 'shape': {values.shape}, "
    head = "{" + order + "}"
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + values.tobytes()


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            archive.writestr(f"{name}.npy", npy(values))
    return buffer.getvalue()


@form("kmnist", FLAT, [1, 0, 9])
def kmnist(folder: Path) -> Path:
    put(folder / "kmnist-train-labels.npz", npz(arr_0=np.array([1, 0, 9], np.uint8)))
    return put(folder / "kmnist-train-imgs.npz", npz(arr_0=IMAGES))


# Batches


PIXELS = RNG.integers(0, 256, (2, 3072), np.uint8)
STL = RNG.integers(0, 256, (2, 3, 96, 96), np.uint8)


@form("cifar10", PIXELS, [9, 0])
def cifar10(folder: Path) -> Path:
    records = [bytes([label]) + row.tobytes() for label, row in zip([9, 0], PIXELS, strict=True)]
    return put(folder / "data_batch_1.bin", b"".join(records))


def _cifar100(folder: Path) -> Path:
    pairs = [(19, 99), (0, 7)]
    records = [bytes(pair) + row.tobytes() for pair, row in zip(pairs, PIXELS, strict=True)]
    return put(folder / "train.bin", b"".join(records))


form("cifar100", PIXELS, [99, 7])(_cifar100)
form("cifar100, coarse", PIXELS, [19, 0], label="coarse")(_cifar100)


@form("stl10", STL.reshape(2, -1), [10, 1])
def stl10(folder: Path) -> Path:
    put(folder / "train_y.bin", bytes([10, 1]))
    return put(folder / "train_X.bin", STL.transpose(0, 1, 3, 2).tobytes())


# Matrices called .mat


def norb_matrix(values: np.ndarray, magic: int) -> bytes:
    sizes = list(values.shape) + [1] * (3 - values.ndim)
    head = struct.pack(f"<II{len(sizes)}I", magic, values.ndim, *sizes)
    return head + values.tobytes()


PAIRS = RNG.integers(0, 256, (3, 2, 4, 4), np.uint8)


@form("small norb", PAIRS.reshape(3, 32), [0, 4, 2])
def small_norb(folder: Path) -> Path:
    name = "smallnorb-5x46789x9x18x6x2x96x96-training"
    put(folder / f"{name}-cat.mat", norb_matrix(np.array([0, 4, 2], np.int32), 0x1E3D4C54))
    return put(folder / f"{name}-dat.mat", norb_matrix(PAIRS, 0x1E3D4C55))


def mat5(**variables: np.ndarray) -> bytes:
    """MATLAB 5: a text of 124 bytes, the version, then an element a variable, columns first."""
    content = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H2s", 0x0100, b"IM")
    for name, values in variables.items():
        code, kind = {"uint8": (9, 2), "float64": (6, 9)}[str(values.dtype)]
        parts = element(6, struct.pack("<II", code, 0))
        parts += element(5, struct.pack(f"<{values.ndim}i", *values.shape))
        parts += element(1, name.encode())
        parts += element(kind, values.tobytes("F"))
        content += element(14, parts)
    return content


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


SVHN = RNG.integers(0, 256, (3, 3, 32, 32), np.uint8)


@form("svhn", SVHN.reshape(3, 3072), [1, 0, 9])
def svhn(folder: Path) -> Path:
    y = np.array([[1], [10], [9]], np.uint8)
    return put(folder / "train_32x32.mat", mat5(X=SVHN.transpose(2, 3, 1, 0), y=y))


@form("matlab", [[1.5, 2], [3, 4.5]], [1, 2])
def matlab(folder: Path) -> Path:
    x, y = np.array([[1.5, 2], [3, 4.5]]), np.array([[1.0], [2.0]])
    return put(folder / "a.mat", mat5(X=x, y=y))


# Text


@form("amat", [[0, 0.5], [1, 0.25]], [5, 3])
def amat(folder: Path) -> Path:
    rows = [(0.0, 0.5, 5.0), (1.0, 0.25, 3.0)]
    lines = [" ".join(f"{value:.18e}" for value in row) for row in rows]
    return put(folder / "mnist_train.amat", "\n".join(lines) + "\n")


@form("ucr tsv", [[0.5, -1.25, 2], [1.5, 0, 3]], [2, 1])
def ucr(folder: Path) -> Path:
    return put(folder / "Coffee_TRAIN.tsv", "2\t0.5\t-1.25\t2\n1\t1.5\t0\t3\n")


@form("ts", [[1.5, 2, -3], [4, 5, 6.5]], ["left", "right"])
def ts(folder: Path) -> Path:
    return put(
        folder / "a_TRAIN.ts",
        "# a comment\n@problemName a\n@timeStamps false\n@missing false\n@univariate true\n"
        "@equalLength true\n@seriesLength 3\n@classLabel true left right\n@data\n"
        "1.5,2,-3:left\n4,5,6.5:right\n",
    )


@form("ts of two dimensions", [[1, 2, 10, 20], [3, 4, 30, 40]], [1, 2])
def ts_wide(folder: Path) -> Path:
    return put(
        folder / "a_TEST.ts",
        "@problemName a\n@timeStamps false\n@univariate false\n@dimensions 2\n"
        "@classLabel true 1 2\n@data\n1,2:10,20:1\n3,4:30,40:2\n",
    )


KEEL_HEADER = """@relation beasts
@attribute legs integer [0, 8]
@attribute Size real [0.5, 9.0]
@attribute colour {red, blue}
@attribute Class {ant, bee}
@inputs legs, Size, colour
@outputs Class
@data
"""
KEEL_ROWS = "6, 0.5, red, ant\n6, 1.5, blue, bee\n8, 9.0, red, ant\n"
KEEL_X = [[6, 0.5, 0, 1], [6, 1.5, 1, 0], [8, 9, 0, 1]]


@form("keel", KEEL_X, ["ant", "bee", "ant"])
def keel(folder: Path) -> Path:
    return put(folder / "beasts.dat", KEEL_HEADER + KEEL_ROWS)


@form("keel without header", KEEL_X, ["ant", "bee", "ant"])
def keel_bare(folder: Path) -> Path:
    return put(folder / "beasts.dat", KEEL_ROWS)


@form("keel without header, codes", [[6, 0.5], [6, 1.5], [8, 9]], [1, 0, 1])
def keel_codes(folder: Path) -> Path:
    return put(folder / "beasts.dat", "6,0.5,1\n6,1.5,0\n8,9.0,1\n")


ARFF = """% a comment
@RELATION beasts
@ATTRIBUTE legs NUMERIC
@ATTRIBUTE 'body size' REAL
@ATTRIBUTE colour {red,blue}
@ATTRIBUTE kind {ant,bee}
@DATA
"""


@form("arff", KEEL_X, ["ant", "bee", "ant"], package="arff")
def arff(folder: Path) -> Path:
    return put(folder / "beasts.arff", ARFF + KEEL_ROWS.replace(", ", ","))


@form("arff, sparse", [[6, 0, 0, 1], [0, 1.5, 1, 0]], ["ant", "bee"], package="arff")
def arff_sparse(folder: Path) -> Path:
    return put(folder / "beasts.arff", ARFF + "{0 6}\n{1 1.5, 2 blue, 3 bee}\n")


def _libsvm(folder: Path) -> Path:
    return put(folder / "a9a", "+1 1:0.5 3:2\n-1 2:1.5 # second\n+1 3:-1\n")


LIBSVM_X = [[0.5, 0, 2], [0, 1.5, 0], [0, 0, -1]]
form("libsvm", LIBSVM_X, [1, -1, 1])(_libsvm)


@form("svmlight", LIBSVM_X, [2, 0, 1])
def svmlight(folder: Path) -> Path:
    return put(folder / "a.svm", "2 qid:1 1:0.5 3:2\n0 qid:1 2:1.5\n1 qid:2 3:-1\n")


@form("csv", [[1.5, 2], [3, 4]], ["ant", "bee"])
def csv(folder: Path) -> Path:
    return put(folder / "a.csv", 'size,legs,label\n1.5,2,ant\n3,4,"bee"\n')


# Libraries' containers


@form("hdf5", [[1.5, 2], [3, 4.5]], ["ant", "bee"], package="h5py")
def hdf5(folder: Path) -> Path:
    import h5py

    path = folder / "a.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", libver="earliest") as file:
        file["X"] = np.array([[1.5, 2], [3, 4.5]])
        file["y"] = ["ant", "bee"]
    return path


def fcs(
    values: np.ndarray,
    *,
    kind="F",
    order="1,2,3,4",
    amplification="0,0",
    ranges=(1024, 1024),
    **more,
) -> bytes:
    """FCS 3.1: 58 bytes of offsets, a text of pairs between bars, then the events."""
    bits = values.dtype.itemsize * 8
    pairs = {
        "$BEGINANALYSIS": 0,
        "$ENDANALYSIS": 0,
        "$BEGINSTEXT": 0,
        "$ENDSTEXT": 0,
        "$BYTEORD": order,
        "$DATATYPE": kind,
        "$MODE": "L",
        "$NEXTDATA": 0,
        "$PAR": values.shape[1],
        "$TOT": values.shape[0],
    } | more
    for i, name in enumerate(["FSC-A", "CD3"], 1):
        pairs |= {f"$P{i}N": name, f"$P{i}B": bits, f"$P{i}R": ranges[i - 1]}
        pairs[f"$P{i}E"] = amplification if i == 2 else "0,0"
    data = values.astype(values.dtype.newbyteorder(">" if order.startswith("4") else "<")).tobytes()
    start = 1024
    pairs |= {"$BEGINDATA": start, "$ENDDATA": start + len(data) - 1}
    text = "|" + "|".join(f"{key}|{value}" for key, value in pairs.items()) + "|"
    offsets = (256, 256 + len(text) - 1, start, start + len(data) - 1, 0, 0)
    head = b"FCS3.1    " + "".join(f"{n:>8}" for n in offsets).encode()
    return head.ljust(256) + text.encode().ljust(start - 256) + data


EVENTS = np.array([[0.5, 100.25], [1023.0, -7.5]], np.float32)


@form("fcs", EVENTS, None, package="flowio")
def fcs_float(folder: Path) -> Path:
    return put(folder / "a.fcs", fcs(EVENTS, order="4,3,2,1"))


@form(
    "fcs, logarithmic",
    [[5.0, 10 ** (4 * 512 / 1024)], [3.0, 1.0]],
    None,
    package="flowio",
)
def fcs_logarithmic(folder: Path) -> Path:
    # The highest bits are noise, which $PnR masks out.
    values = np.array([[5, 512 + 1024], [3 + 2048, 0]], np.uint16)
    return put(folder / "a.fcs", fcs(values, kind="I", amplification="4,1"))


# Folders


def png(levels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()


GREY = RNG.integers(0, 256, (4, 5, 5), np.uint8)
GREY_FLAT = GREY.reshape(4, 25)


@form("tiny imagenet", GREY_FLAT, ["n01", "n01", "n02", "n02"], package="PIL")
def tiny_imagenet(folder: Path) -> Path:
    root = folder / "tiny-imagenet-200"
    put(root / "wnids.txt", "n01\nn02\n")
    put(root / "words.txt", "n01\tgoldfish\nn02\tfrog\n")
    for i, image in enumerate(GREY):
        name = f"n0{i // 2 + 1}"
        put(root / "train" / name / f"{name}_boxes.txt", f"{name}_0.JPEG\t0\t0\t9\t9\n")
        put(root / "train" / name / "images" / f"{name}_{i % 2}.JPEG", png(image))
    put(root / "val" / "images" / "val_0.JPEG", png(GREY[0]))
    put(root / "val" / "val_annotations.txt", "val_0.JPEG\tn02\t0\t0\t9\t9\n")
    put(root / "test" / "images" / "test_0.JPEG", png(GREY[0]))
    return root


@form("flower photos", GREY_FLAT, ["daisy", "daisy", "roses", "roses"], package="PIL")
def flower_photos(folder: Path) -> Path:
    root = folder / "flower_photos"
    put(root / "LICENSE.txt", "All images in this archive are licensed under CC-BY\n")
    for i, image in enumerate(GREY):
        put(root / ("daisy", "roses")[i // 2] / f"{i}.png", png(image))
        put(root / ("daisy", "roses")[i // 2] / f"._{i}.png", b"\0\5\x16\7Mac OS X")
    return root


@form(
    "omniglot",
    GREY_FLAT,
    ["Greek/character01", "Greek/character02", "Latin/character01", "Latin/character01"],
    package="PIL",
)
def omniglot(folder: Path) -> Path:
    root = folder / "images_background"
    places = ["Greek/character01", "Greek/character02", "Latin/character01", "Latin/character01"]
    for i, (place, image) in enumerate(zip(places, GREY, strict=True)):
        put(root / place / f"{i:04}_01.png", png(image))
    return root
