"""Reports: records to tables, figures and one self-contained page. Nothing is trained here."""

from metaplastic.report.figures import embedding_figure, field_figure, learner_figure, step_figure
from metaplastic.report.page import Section, html_page
from metaplastic.report.style import inline_svg, require_matplotlib, save_png
from metaplastic.report.tables import Table, comparison_table, protocol_note

__all__ = [
    "Section",
    "Table",
    "comparison_table",
    "embedding_figure",
    "field_figure",
    "html_page",
    "inline_svg",
    "learner_figure",
    "protocol_note",
    "require_matplotlib",
    "save_png",
    "step_figure",
]
