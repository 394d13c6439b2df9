import base64
import io
import re

import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.report import (
    Line,
    Section,
    Table,
    animation,
    frames_figure,
    html_page,
    line_figure,
)
from metaplastic.report.style import BLUE


def lines():
    return [
        Line("raw", [1, 10, 50], [40, 60, 80], [1, 1, np.nan]),
        Line("base", [1, 10, 50], [50, np.nan, 90]),
    ]


@pytest.mark.parametrize("scale", ["linear", "log", "symlog", "names"])
def test_lines_have_one_legend_and_labelled_axes(scale):
    panels = {"one": lines(), "two": lines()[:1], "three": lines()}
    figure = line_figure(
        panels, x_label="labels", y_label="accuracy", x_scale=scale, emphasise=("base",), marks=(5,)
    )
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == list(panels)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["raw", "base"]
    assert all(axes.get_xlabel() == "labels" for axes in shown[1:])
    assert shown[0].get_ylabel() == "accuracy"
    blue = [line for line in shown[0].lines if line.get_color() == BLUE and len(line.get_xdata())]
    assert blue and (scale == "names") == (blue[0].get_linestyle() == "None")


def test_a_line_looks_the_same_in_every_panel():
    figure = line_figure({"a": lines(), "b": lines()[::-1]}, x_label="", y_label="")
    colours = [{line.get_color() for line in axes.lines} for axes in figure.axes]
    assert colours[0] == colours[1]


def test_figures_of_nothing_are_refused():
    for panels in ({}, {"empty": []}):
        with pytest.raises(InputError, match="needs lines"):
            line_figure(panels, x_label="", y_label="")
    with pytest.raises(InputError, match="frames must be"):
        frames_figure({"a": np.zeros((3, 2))}, np.zeros(4))
    with pytest.raises(InputError, match="frames must be"):
        animation([], np.zeros(4), [], "")


def test_an_animation_holds_every_frame_for_light_and_for_dark_pages():
    from PIL import Image

    frames = [np.random.default_rng(i).normal(size=(6, 2)) for i in range(3)]
    labels = np.array([0, 0, 0, 1, 1, 1])
    element = animation(frames, labels, ["a", "b", "c"], "moves & turns")
    assert 'alt="moves &amp; turns"' in element and "prefers-color-scheme: dark" in element
    images = [
        Image.open(io.BytesIO(base64.b64decode(data)))
        for data in re.findall(r'base64,([^"]+)"', element)
    ]
    assert len(images) == 2 and all(image.n_frames == 3 for image in images)
    dark, light = (image.convert("RGB").getpixel((1, 1)) for image in images)
    assert sum(dark) < 128 < sum(light)
    assert len(frames_figure({"a": frames[0], "b": frames[1]}, labels).axes) >= 2


def test_sections_have_parts_and_the_page_a_summary():
    part = Section("A part", ("Small print.",), Table(("a",), (("1",),)))
    section = Section("Main", lead="\u2713 Holds.", parts=(part, Section("", ("Source.",))))
    page = html_page("T", "L", [section], {}, summary=Section("First", ("Answer.",)))
    assert page.index("Answer.") < page.index("<nav") < page.index("Holds.")
    assert "<h3>A part</h3>" in page and "<h3></h3>" not in page
    assert "A part" not in page[page.index("<nav") : page.index("</nav>")]


def test_tables_of_sentences_are_aligned_left():
    table = Table(("claim", "verdict"), (("One", "it holds"), ("Two", "no")), prose=True)
    assert '<table class="prose">' in table.html()
    assert table.markdown().splitlines()[1] == "|:---|:---|"
    assert "no      " not in table.text() and "Two    no" in table.text()
