"""Whether a pool fits into memory: said before any work, with what would fit."""

import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.readings import READINGS, memory
from metaplastic.readings.base import WHOLE, overall_factor
from metaplastic.readings.graph import build_graph, distinct_rows

GIB = 2**30


def test_what_fits_fits_and_the_message_says_what_would():
    memory.check_memory(100_000, 512, 10, "auto", free=2 * GIB)
    with pytest.raises(InputError) as caught:
        memory.check_memory(1_000_000, 512, 10, "auto", free=4 * GIB)
    said = str(caught.value)
    assert "1,000,000 rows of 512 features" in said and "and 4.0 are free" in said
    assert 'head="ridge", which needs 2.4 GiB' in said and "\n" not in said
    most = int(said.split("at most ")[1].split(" rows")[0].replace(",", ""))
    memory.check_memory(most, 512, 10, "auto", free=4 * GIB)
    with pytest.raises(InputError):
        memory.check_memory(int(1.01 * most), 512, 10, "auto", free=4 * GIB)
    with pytest.raises(InputError) as caught:
        memory.check_memory(10**9, 512, 2, "ridge", free=GIB)
    assert "head=" not in str(caught.value).split(";")[1]


def test_every_head_and_every_system_is_known(monkeypatch, tmp_path):
    assert memory.COPIES.keys() >= READINGS.keys() - {"ridge_paper"}
    free = memory.free_memory()
    assert free is None or 2**20 < free < 2**50
    for name in ("memory.max", "memory.current"):
        (tmp_path / name).write_text("3000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 700\n")
    group = (tmp_path, "memory.max", "memory.current", "inactive_file")
    monkeypatch.setattr(memory, "_GROUPS", (group,))
    assert memory.free_memory() == 700
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_memory() != 700
    monkeypatch.setattr(memory, "_SYSTEM", tmp_path / "none")
    assert memory.free_memory() is None or memory.free_memory() > 700


def test_rows_that_differ_are_found_even_where_keys_agree(monkeypatch):
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(60, 5)).astype(np.float32)
    rows[[7, 40]], rows[3, 0], rows[50] = rows[2], -0.0, rows[3]
    rows[50, 0] = 0.0
    nodes, node_of = distinct_rows(rows)
    assert len(nodes) == 57 and node_of[7] == node_of[40] == 2 and node_of[50] == 3
    np.testing.assert_array_equal(nodes[node_of], rows)
    monkeypatch.setattr(
        "metaplastic.readings.graph.row_keys", lambda rows: np.arange(len(rows)) // 2
    )
    again, places = distinct_rows(rows)
    np.testing.assert_array_equal(again, nodes)
    np.testing.assert_array_equal(places, node_of)


def test_blocks_change_nothing(monkeypatch):
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    whole, graph = overall_factor(x), build_graph(x, 3)
    assert x.size < WHOLE
    monkeypatch.setattr("metaplastic.readings.base.WHOLE", 7)
    monkeypatch.setattr("metaplastic.readings.graph.BLOCK_ROWS", 8)
    assert overall_factor(x) == pytest.approx(whole, rel=1e-12)
    np.testing.assert_array_equal(build_graph(x, 3).nodes, graph.nodes)
