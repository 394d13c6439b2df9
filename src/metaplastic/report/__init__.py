"""Reports: records to tables, figures and one self-contained page. Nothing is trained here."""

from metaplastic.report.figures import embedding_figure, field_figure, learner_figure, step_figure
from metaplastic.report.frames import animation, frames_figure
from metaplastic.report.lines import Line, line_figure
from metaplastic.report.page import Section, html_page
from metaplastic.report.style import inline_svg, require_matplotlib, save_png
from metaplastic.report.tables import Table, comparison_table, protocol_note

__all__ = [
    "Line",
    "Section",
    "Table",
    "animation",
    "comparison_table",
    "embedding_figure",
    "field_figure",
    "frames_figure",
    "html_page",
    "inline_svg",
    "learner_figure",
    "line_figure",
    "protocol_note",
    "require_matplotlib",
    "save_png",
    "step_figure",
]
