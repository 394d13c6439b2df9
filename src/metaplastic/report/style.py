"""How figures look and how they are written: matplotlib loaded late, colours, PNG and inline SVG.

Source of the palette: Okabe and Ito 2008, "Color universal design".
"""

import contextlib
import html
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaplastic.extras import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ORANGE, SKY, GREEN, YELLOW = "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILLION, PURPLE = "#0072b2", "#d55e00", "#cc79a7"

INK = "#101418"
"""Colour of text and axes; inline SVG replaces it by the text colour of the page."""

WIDTH = 5.6
"""Inches: narrow enough for 10-point text to stay readable on a phone."""

_RC: Any = {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "legend.fontsize": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "path",
    "svg.hashsalt": "metaplastic",
}


def require_matplotlib() -> None:
    """Check that figures can be drawn.

    Raises
    ------
    MissingDataError
        If matplotlib is not installed; it names the extra that brings it.
    """
    require("matplotlib", "drawing figures", "report")


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """The style of all figures, for the time of drawing or writing one; nothing global changes."""
    require_matplotlib()
    import matplotlib

    with matplotlib.rc_context(_RC):
        yield


def new_figure(height: float, *, width: float = WIDTH) -> "Figure":
    """An empty figure of the given size in inches; no window, no global list of figures."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="none")


def save_png(figure: "Figure", path: Path, *, dpi: int = 160) -> None:
    """Write a figure as PNG on white.

    Parameters
    ----------
    figure : Figure
        A figure of this package.
    path : Path
        The file. An existing file is replaced.
    dpi : int, default=160
        Pixels per inch.
    """
    with drawing():
        figure.savefig(path, format="png", dpi=dpi, facecolor="white")


def _compact(svg: str) -> str:
    """Without what is not seen: names that nothing refers to, comments, far decimals, indents."""
    named = set(re.findall(r"#([^\s\")]+)", svg))
    svg = re.sub(r'\sid="([^"]+)"', lambda m: m[0] if m[1] in named else "", svg)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    # Scales are factors of what is drawn with them, so their decimals count.
    number = r"(?:scale|matrix)\([^)]*\)|(\d\.\d\d)\d+"
    svg = re.sub(number, lambda m: m[1] or m[0], svg)
    return re.sub(r"\s*\n\s*", "\n", svg)


def inline_svg(figure: "Figure", name: str, description: str) -> str:
    """A figure as an `<svg>` element to put into a page.

    It refers to nothing outside, its ids start with `name`, and its text and axes take the text
    colour of the page, so that it suits a light and a dark one.

    Parameters
    ----------
    figure : Figure
        A figure of this package.
    name : str
        Beginning of the element's ids, different for each figure of a page.
    description : str
        What the figure shows, for readers who cannot see it.

    Returns
    -------
    str
        The element.
    """
    buffer = io.StringIO()
    with drawing():
        figure.savefig(buffer, format="svg", dpi=160, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(?:xmlns(?::\w+)?)="[^"]*"', "", svg)
    svg = svg.replace("xlink:href", "href").replace(INK, "currentColor")
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = _compact(svg)
    label = html.escape(description, quote=True)
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1).strip()
