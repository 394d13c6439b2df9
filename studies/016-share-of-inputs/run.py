"""What share of the features should be inputs, on validation pools."""

from collections.abc import Mapping
from typing import Any

from laboratory import Table
from laboratory.pool_study import pool_table

SEEDS = (0, 1)
NAMES = {
    "raw": "raw",
    "k-means-400": "k-means-400",
    "base, 50.0% inputs": "half",
    "base, 25.0% inputs": "a quarter",
    "base, 12.5% inputs": "an eighth",
}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Every share on every kind of pool."""
    chosen = "base, 25.0% inputs"
    return {"shares": pool_table(result["rows"], names=NAMES, bold=chosen, n_pools=len(SEEDS))}
