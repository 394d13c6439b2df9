"""Checkpoints: what comes back, and what happens to damaged ones."""

import errno
import json
import os
import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metaplastic.errors import ConfigurationError, FileFormatError, InputError
from metaplastic.meta.checkpoint import load_checkpoint, save_checkpoint


def make_tree(value):
    return {
        "float": jnp.full((2, 3), value, jnp.float32),
        "bytes": jnp.arange(5, dtype=jnp.uint8),
        "scalar": jnp.asarray(value, jnp.int32),
        "flag": jnp.asarray([True, False]),
        "empty": jnp.zeros((0, 4)),
        "nested": (None, [np.array([1.5, np.nan], np.float32)], "text", 7),
    }


def same(a, b):
    """Equal bits, dtypes, shapes and other leaves."""
    a, b = (jax.tree.map(lambda x: np.asarray(x) if eqx.is_array(x) else x, t) for t in (a, b))
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        (x.tobytes(), x.dtype, x.shape) == (y.tobytes(), y.dtype, y.shape)
        if isinstance(x, np.ndarray)
        else x == y
        for x, y in leaves
    )


def save(directory, value, step, **kwargs):
    tree = make_tree(value)
    save_checkpoint(directory, tree, step=step, fingerprint="f", **kwargs)
    return tree


def load(directory, fingerprint="f") -> Any:
    like = make_tree(0)
    like["nested"][1][0] = jax.ShapeDtypeStruct((2,), np.float32)
    return load_checkpoint(directory, like, fingerprint=fingerprint)


def test_round_trip(tmp_path):
    tree = save(tmp_path / "c", 3, 42, extra={"seconds": 1.5})
    found = load(tmp_path / "c")
    assert found is not None
    assert same(found.tree, tree)
    assert (found.step, found.extra) == (42, {"seconds": 1.5})


def test_nothing_saved_is_none(tmp_path):
    assert load(tmp_path) is None
    assert load(tmp_path / "missing") is None


def test_keeps_the_last_two_and_loads_the_newest(tmp_path):
    for step in (5, 9, 10, 100):
        save(tmp_path, step, step)
    names = sorted(path.name for path in tmp_path.iterdir())
    stems = ("step-00000010", "step-00000100")
    assert names == sorted(f"{s}.{e}" for s in stems for e in ("json", "safetensors"))
    assert load(tmp_path).step == 100


def test_without_its_seal_a_checkpoint_does_not_exist(tmp_path):
    save(tmp_path, 1, 1)
    save(tmp_path, 2, 2)
    (tmp_path / "step-00000002.json").unlink()
    assert load(tmp_path).step == 1


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_truncated_newest_falls_back(tmp_path, length):
    old = save(tmp_path, 1, 1)
    save(tmp_path, 2, 2)
    path = tmp_path / "step-00000002.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.warns(RuntimeWarning, match="truncated"):
        found = load(tmp_path)
    assert found.step == 1 and same(found.tree, old)


def test_a_damaged_one_does_not_count_as_kept(tmp_path):
    save(tmp_path, 1, 1)
    save(tmp_path, 4, 4)
    (tmp_path / "step-00000004.safetensors").write_bytes(b"")
    with pytest.warns(RuntimeWarning, match="truncated"):
        assert load(tmp_path).step == 1
    save(tmp_path, 2, 2)
    (tmp_path / "step-00000002.safetensors").write_bytes(b"")
    with pytest.warns(RuntimeWarning, match="truncated"):
        assert load(tmp_path).step == 1


def test_missing_data_of_the_newest_falls_back(tmp_path):
    save(tmp_path, 1, 1)
    save(tmp_path, 2, 2)
    (tmp_path / "step-00000002.safetensors").unlink()
    with pytest.warns(RuntimeWarning, match="cannot be read"):
        assert load(tmp_path).step == 1


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), seal=st.booleans())
def test_no_flipped_bit_gives_other_numbers(tmp_path, place, bit, seal):
    directory = tmp_path / f"{place}-{bit}-{seal}"
    trees = {step: save(directory, step, step) for step in (1, 2)}
    path = directory / f"step-00000002.{'json' if seal else 'safetensors'}"
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = load(directory)
    assert same(found.tree, trees[found.step])
    assert found.step == 1 or seal


def test_all_damaged_is_an_error_that_says_what_to_do(tmp_path):
    save(tmp_path, 1, 1)
    (tmp_path / "step-00000001.json").write_text("[]")
    with (
        pytest.warns(RuntimeWarning),
        pytest.raises(FileFormatError, match=r"no good checkpoint.*start again"),
    ):
        load(tmp_path)


def test_another_configuration_is_refused(tmp_path):
    save(tmp_path, 1, 1)
    with pytest.raises(ConfigurationError, match="another configuration"):
        load(tmp_path, fingerprint="g")


def test_another_structure_is_refused(tmp_path):
    save_checkpoint(tmp_path, {"a": jnp.zeros(2)}, step=1, fingerprint="f")
    for like, message in (
        ({"b": jnp.zeros(2)}, "other arrays"),
        ({"a": jnp.zeros(3)}, r"expected float32\(3,\)"),
        ({"a": jnp.zeros(2, int)}, "expected int32"),
    ):
        with pytest.raises(FileFormatError, match=message):
            load_checkpoint(tmp_path, like, fingerprint="f")


def test_another_format_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("metaplastic.meta.checkpoint.FORMAT", "metaplastic-checkpoint-999")
    save(tmp_path, 1, 1)
    monkeypatch.undo()
    with pytest.warns(RuntimeWarning), pytest.raises(FileFormatError, match="999"):
        load(tmp_path)


def test_keys_are_never_stored(tmp_path):
    with pytest.raises(InputError, match=r"\['k'\] is a typed PRNG key"):
        save_checkpoint(tmp_path / "c", {"k": jax.random.key(0)}, step=1, fingerprint="f")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_last_good_one(tmp_path, monkeypatch, failing):
    old = save(tmp_path, 1, 1)
    before = sorted(tmp_path.iterdir())

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(InputError, match="No space left"):
        save(tmp_path, 2, 2)
    monkeypatch.undo()
    assert sorted(tmp_path.iterdir()) == before
    assert same(load(tmp_path).tree, old)


def test_the_seal_is_small_json(tmp_path):
    save(tmp_path, 1, 1)
    seal = json.loads((tmp_path / "step-00000001.json").read_text())
    assert set(seal) == {"file", "bytes", "sha256"}
