"""The table of runtimes: what the document shows is what was measured."""

import json
from pathlib import Path

import numpy as np
import pytest

from metaplastic.export import export_onnx


@pytest.fixture
def runtimes(benchmark):
    return benchmark("runtimes")


def test_the_document_holds_the_table_of_the_results(runtimes):
    kept = json.loads((runtimes.DOCS / "results" / "runtimes.json").read_text())
    page = (runtimes.DOCS / "export.md").read_text()
    assert runtimes.with_table(page, kept) == page
    assert all(row["nan_stays_nan"] for row in kept["runtimes"])
    assert max(max(row["largest"].values()) for row in kept["runtimes"]) < 1e-3


@pytest.mark.slow
def test_differences_and_lost_nan_are_seen(runtimes, tmp_path: Path):
    encoder = runtimes.networks(quick=True)["relu"]
    path = tmp_path / "relu.onnx"
    export_onnx(path, encoder, {})
    models = {"relu": (path, encoder)}
    good = runtimes.measure(runtimes.onnxruntime, models)
    assert good["largest"]["relu"] < 1e-4 and good["nan_stays_nan"]
    off = runtimes.measure(lambda path, x: np.nan_to_num(encoder(x)) + 0.25, models)
    assert off["largest"]["relu"] == pytest.approx(0.25, rel=1e-3) and not off["nan_stays_nan"]
