"""A fit beside an earlier build: ratios pair by pair."""

import pytest


def run(first, peak):
    return {
        "first fit": {"cpu": first, "clock": 2 * first},
        "peak MiB": {"cpu": peak, "clock": peak},
    }


@pytest.fixture
def fit(benchmark):
    return benchmark("fit")


def test_ratios_are_taken_pair_by_pair(fit):
    # The machine was slow during the second pair; both builds were.
    pairs = [(run(10.0, 800), run(4.0, 400)), (run(40.0, 800), run(20.0, 500))]
    first, peak = fit.compared(pairs)
    assert (first["what"], first["cpu"]["ratios"]) == ("first fit", [0.4, 0.5])
    assert first["cpu"]["ratio"] == pytest.approx(0.45)
    assert (first["cpu"]["before"], first["clock"]["after"]) == (25.0, 24.0)
    assert peak["cpu"]["ratio"] == pytest.approx(0.5625)
    table = fit.table([first, peak], 1, "abc")
    assert table.header[1] == "abc"
    assert table.rows[0] == ("first fit", "25.0", "12.0", "0.45", "0.40 to 0.50", "0.45")


def test_what_is_measured_is_the_package_of_the_folder(fit, tmp_path):
    package = tmp_path / "metaplastic" / "sklearn"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").write_text(
        "class RuleTransformer:\n"
        "    def __init__(self, **_): pass\n"
        "    def fit(self, x): return self\n"
        "    def transform(self, x): assert len(x) == 200\n"
    )
    found = fit.process(tmp_path, "fits", 10, 1, None)
    assert set(found["phases"]) == {"import", "first fit", "later fit", "transform"}
    assert found["phases"]["first fit"]["cpu"] < 1 and found["peak_mib"] > 1
