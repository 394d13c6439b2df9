"""Floors of a part: counted work over measured rates."""

import jax.numpy as jnp
import pytest


@pytest.fixture
def performance(benchmark):
    return benchmark("performance")


def test_a_product_is_counted_and_its_floors_follow_from_the_rates(performance):
    n = 64
    a = jnp.ones((n, n))
    limits = {"gflop_per_second": 2.0, "gbyte_per_second": 0.5}
    found = performance.row("product", (jnp.matmul, (a, a)), limits, 0.0)
    assert found["mflop"] == pytest.approx(2 * n**3 / 1e6)
    assert found["mbyte"] == pytest.approx(3 * a.nbytes / 1e6)
    assert found["floor_ms_operations"] == pytest.approx(found["mflop"] / 2.0)
    assert found["floor_ms_bytes"] == pytest.approx(found["mbyte"] / 0.5)
    larger = max(found["floor_ms_operations"], found["floor_ms_bytes"])
    assert found["share_of_floor"] == pytest.approx(larger / found["ms"])
    table = performance.table("toy", [found], limits)
    assert table.rows[0][:2] == ("product", "0.5") and "at 2 GFLOP/s" in table.note
