"""One self-contained HTML page: no network, no script, light and dark, fit for a phone."""

import dataclasses
import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from metaplastic.report.tables import Table

PAPER = "https://arxiv.org/abs/1804.00222"
"""Metz et al. 2018, the only address a page may link to."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff;
  --line: #d0d7de; --band: #f3f5f7; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa4ae; --paper: #14181c;
  --line: #39424b; --band: #1d2329; --link: #7cc0ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem 1rem 3rem; max-width: 46rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .6rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; }
a { color: var(--link); }
nav ol { margin: .2rem 0; padding-left: 1.4rem; }
nav { border-left: 3px solid var(--line); padding: .2rem 0 .2rem .9rem; margin: 1.2rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums;
  min-width: 100%; }
th, td { padding: .25rem .55rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th:first-child { text-align: left; }
tbody th { font-weight: normal; }
.emphasised { background: var(--band); }
.emphasised th, .emphasised td { font-weight: 650; }
.note, figcaption, footer { color: var(--soft); font-size: .9rem; }
figure { margin: 1rem 0; }
figure svg { display: block; width: 100%; max-width: 40rem; height: auto; margin: 0 auto; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .4rem; }
table.prose td { text-align: left; white-space: normal; vertical-align: top; }
table.prose th { white-space: normal; vertical-align: top; }
table.prose td:nth-child(2) { white-space: nowrap; }
table.prose thead th { text-align: left; }
.verdict { font-weight: 500; border-left: 4px solid var(--line); padding-left: .7rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; min-width: 0; }
""".strip()


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading with paragraphs of plain text, then a table, then a figure.

    Parameters
    ----------
    title : str
        The heading; none is drawn if it is empty.
    paragraphs : tuple of str, default=()
        Plain text.
    table : Table, optional
        A table under the paragraphs.
    figure : str, default=""
        An element of `inline_svg`.
    caption : str, default=""
        Plain text under the figure.
    lead : str, default=""
        A sentence that stands out above the paragraphs.
    parts : tuple of Section, default=()
        Sections with smaller headings, which the table of contents leaves out.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    table: Table | None = None
    figure: str = ""
    caption: str = ""
    lead: str = ""
    parts: tuple["Section", ...] = ()


def html_page(
    title: str,
    lead: str,
    sections: Sequence[Section],
    provenance: Mapping[str, Any],
    *,
    summary: Section | None = None,
) -> str:
    """A complete page.

    Parameters
    ----------
    title : str
        Heading of the page.
    lead : str
        Plain text, the paragraph under it.
    sections : sequence of Section
        Listed in the table of contents, in order.
    provenance : mapping of str to object
        What `evaluation.provenance` returns. It is shown at the end, nested mappings flattened.
    summary : Section, optional
        What a reader sees first, above the table of contents.

    Returns
    -------
    str
        Text of the page.
    """
    anchors = [f"s{index}-{_slug(s.title)}" for index, s in enumerate(sections, 1)]
    first = [] if summary is None else [_section(summary, "summary")]
    parts = [
        _head(title),
        "<body>",
        f"<header>\n<h1>{html.escape(title)}</h1>\n<p>{html.escape(lead)}</p>\n</header>",
        *first,
        _contents([(a, s.title) for a, s in zip(anchors, sections, strict=True)]),
        "<main>",
        *(_section(s, a) for s, a in zip(sections, anchors, strict=True)),
        _provenance(provenance),
        "</main>",
        _FOOTER,
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


_FOOTER = f"""<footer>
<p>The idea of a meta-learned unsupervised update rule is that of
<a href="{PAPER}">Metz, Maheswaranathan, Cheung and Sohl-Dickstein 2018</a>.</p>
</footer>"""


def _head(title: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>
{_STYLE}
</style>
</head>"""


def _contents(entries: Sequence[tuple[str, str]]) -> str:
    """The table of contents, from anchors and titles; the provenance comes last."""
    lines = "\n".join(
        f'<li><a href="#{anchor}">{html.escape(title)}</a></li>'
        for anchor, title in [*entries, ("provenance", "Provenance")]
    )
    return f'<nav aria-label="Contents">\n<ol>\n{lines}\n</ol>\n</nav>'


def _provenance(facts: Mapping[str, Any]) -> str:
    lines = "\n".join(
        f"<dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd>"
        for key, value in _flatten(facts)
    )
    return f'<section id="provenance">\n<h2>Provenance</h2>\n<dl>\n{lines}\n</dl>\n</section>'


def _section(section: Section, anchor: str) -> str:
    return "\n".join([f'<section id="{anchor}">', *_blocks(section, 2), "</section>"])


def _blocks(section: Section, level: int) -> list[str]:
    """Heading, texts, table and figure of a section, then those of its parts."""
    blocks = [f"<h{level}>{html.escape(section.title)}</h{level}>"] if section.title else []
    if section.lead:
        blocks.append(f'<p class="verdict">{html.escape(section.lead)}</p>')
    blocks += [f"<p>{html.escape(text)}</p>" for text in section.paragraphs]
    if section.table is not None:
        blocks.append(section.table.html())
    if section.figure:
        caption = f"<figcaption>{html.escape(section.caption)}</figcaption>"
        blocks.append(f"<figure>\n{section.figure}\n{caption if section.caption else ''}</figure>")
    for part in section.parts:
        blocks += _blocks(part, level + 1)
    return blocks


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _flatten(facts: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in facts.items():
        if isinstance(value, Mapping):
            pairs += _flatten(value, f"{prefix}{key} ")
        elif isinstance(value, (list, tuple)):
            pairs.append((f"{prefix}{key}", ", ".join(map(str, value))))
        else:
            pairs.append((f"{prefix}{key}", str(value)))
    return pairs
