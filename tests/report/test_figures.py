import re
import sys

import numpy as np
import pytest

from metaplastic.errors import InputError, MissingDataError
from metaplastic.evaluation import Record
from metaplastic.report import (
    embedding_figure,
    field_figure,
    inline_svg,
    learner_figure,
    require_matplotlib,
    save_png,
    step_figure,
)

GENERATOR = np.random.default_rng(0)


def record(learner, readout, mean, *, dataset="digits"):
    return Record(learner, dataset, 10, readout, mean, 0.01, 3, 30, 1.0, 0.1, 32, ((mean,),))


RECORDS = [
    record(name, readout, 0.5 + 0.1 * index)
    for index, name in enumerate(("raw", "PCA-32", "base"))
    for readout in ("ridge", "logistic")
]
BY_STEP = {s: [record("base", r, 0.4 + s / 100) for r in ("ridge", "logistic")] for s in (0, 5, 20)}


def figures():
    labels = np.repeat(np.arange(12), 5)
    return {
        "learners": learner_figure(RECORDS, emphasise=("base",)),
        "steps": step_figure(BY_STEP, RECORDS[:4]),
        "fields": field_figure({"before": GENERATOR.normal(size=(5, 4, 3))}, columns=2),
        "embedding": embedding_figure({"after": GENERATOR.normal(size=(60, 2))}, labels),
    }


@pytest.fixture(scope="module")
def drawn():
    return figures()


def texts(figure):
    import matplotlib.text

    return {t.get_text() for t in figure.findobj(matplotlib.text.Text)}


def test_dots_stand_at_the_means_with_their_errors(drawn):
    axes = drawn["learners"].axes[0]
    ridge = axes.containers[0]
    assert ridge.lines[0].get_xdata() == pytest.approx([50, 60, 70])
    (bars,) = ridge.lines[2]
    assert bars.get_segments()[2][:, 0] == pytest.approx([69, 71])
    assert [t.get_text() for t in axes.get_yticklabels()] == ["raw", "PCA-32", "base"]


def test_the_curve_has_a_band_and_its_baselines(drawn):
    axes = drawn["steps"].axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["base"].get_ydata()) == pytest.approx([40, 45, 60])
    assert list(lines["PCA-32"].get_ydata()) == pytest.approx([60, 60])
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(39) and band[:, 1].max() == pytest.approx(61)


def test_axes_are_labelled(drawn):
    assert "accuracy in % (10 labels a class), ± standard error" in texts(drawn["learners"])
    assert "learner" in texts(drawn["learners"])
    assert {"accuracy in %, ridge", "accuracy in %, logistic"} <= texts(drawn["steps"])
    assert "inner steps of the rule (0: as initialised)" in texts(drawn["steps"])
    assert {"before", "weight, relative to the unit's largest"} <= texts(drawn["fields"])
    assert {"first coordinate (no unit)", "11"} <= texts(drawn["embedding"])


def test_fields_are_scaled_one_by_one_and_laid_out_in_rows():
    fields = np.stack([np.full((2, 2), 3.0), np.full((2, 2), -0.5), np.zeros((2, 2))])
    image = np.asarray(field_figure({"f": fields}, columns=2).axes[0].images[0].get_array())
    assert image.shape == (5, 5)
    assert np.all(image[:2, :2] == 1) and np.all(image[:2, 3:] == -1)
    assert np.all(image[3:, :2] == 0)


@pytest.mark.parametrize("name", ["learners", "steps", "fields", "embedding"])
def test_svg_stands_alone_and_takes_the_colour_of_the_page(drawn, name):
    svg = inline_svg(drawn[name], name, 'a "picture" & more')
    assert svg.startswith("<svg role") and svg.endswith("</svg>")
    assert "http" not in svg and "currentColor" in svg and "#101418" not in svg
    assert 'aria-label="a &quot;picture&quot; &amp; more"' in svg
    ids = set(re.findall(r'\bid="([^"]+)"', svg))
    used = set(re.findall(r'href="#([^"]+)"', svg)) | set(re.findall(r"url\(#([^)]+)\)", svg))
    assert used == ids and all(each.startswith(f"{name}-") for each in ids)
    # Coordinates are short, but letters keep their size.
    assert "scale(0.015625)" in svg and not re.search(r'[MLxy][ =]"?-?\d+\.\d{3}', svg)
    assert len(ids) == len(re.findall(r'\bid="', svg))


def test_png_is_written(drawn, tmp_path):
    save_png(drawn["learners"], tmp_path / "a.png", dpi=40)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_drawing_changes_no_global_setting():
    import matplotlib

    before = dict(matplotlib.rcParams)
    learner_figure(RECORDS)
    assert dict(matplotlib.rcParams) == before


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDataError, match=r"pip install 'metaplastic\[report\]'"):
        require_matplotlib()
    with pytest.raises(MissingDataError):
        learner_figure(RECORDS)


def test_bad_input():
    with pytest.raises(InputError, match="at least one record"):
        learner_figure([])
    with pytest.raises(InputError, match="one dataset at a time"):
        learner_figure([*RECORDS, record("raw", "ridge", 0.5, dataset="wine")])
    with pytest.raises(InputError, match="at least two steps"):
        step_figure({0: BY_STEP[0]})
    with pytest.raises(InputError, match=r"units, height, width"):
        field_figure({"a": np.zeros((3, 4))})
    with pytest.raises(InputError, match=r"must be \(3, 2\)"):
        embedding_figure({"a": np.zeros((4, 2))}, np.zeros(3))
