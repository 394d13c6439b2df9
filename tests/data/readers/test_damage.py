"""Damaged files of every form: read as a table or refused in one line, never anything else."""

import time

import numpy as np
import pytest

from field_forms import FORMS
from fuzz import mutate
from metaplastic.data import read_table
from metaplastic.errors import MetaplasticError

FEW, MANY = 100, 2000
WORDS = [b"0", b"-1", b"nan", b'"', b"\n", b"1e999", b"999999999999", b"{", b",", b"\t", b"\xff"]
WORDS += [b"\0\0\0\0", b"\xff\xff\xff\xff", b"@data", b"?", b":", b"|"]
READERS = [
    "qmnist",
    "kmnist",
    "cifar10",
    "cifar100",
    "stl10",
    "small norb",
    "svhn",
    "amat",
    "ucr tsv",
    "ts",
    "keel",
    "keel without header",
    "arff",
    "arff, sparse",
    "libsvm",
    "csv",
    "hdf5",
    "fcs",
    "fcs, logarithmic",
]
"""A form of every reader."""

LONGEST = 30.0  # Seconds; a file takes a millisecond, unless the machine is busy with others.


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore")  # Of libraries, about what they find.
def test_damaged_files_are_read_or_refused(name, count, tmp_path):
    form = FORMS[name]
    if form.package:
        pytest.importorskip(form.package)
    path = form.write(tmp_path)
    others = sorted(p for p in tmp_path.iterdir() if p != path)
    whole = {p: p.read_bytes() for p in [path, *others]}
    generator = np.random.default_rng(count)
    refused = 0
    for number in range(count):
        # A file of labels beside the images is damaged every fourth time.
        damaged = others[0] if others and number % 4 == 0 else path
        damaged.write_bytes(mutate(whole[damaged], generator, 128, WORDS))
        started = time.perf_counter()
        try:
            table = read_table(path, **form.options)
        except MetaplasticError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 1000
            refused += 1
        else:
            check(table)
        assert time.perf_counter() - started < LONGEST
        damaged.write_bytes(whole[damaged])
    assert refused > count // 50


def check(table):
    """What the rest of the package relies on."""
    x, y, names = table
    assert x.ndim == 2
    assert min(x.shape) >= 1
    assert x.dtype.kind in "biuf"
    assert np.all(np.isfinite(x.data if hasattr(x, "tocsr") else x))
    assert names is None or len(names) == x.shape[1]
    if y is not None:
        assert y.shape == (x.shape[0],)
        assert y.dtype.kind in "iU" or {type(v) for v in y} <= {int, str}
