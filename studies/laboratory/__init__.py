"""What the studies share: how one is run and rendered, pools to choose on, tables and figures."""

from laboratory.study import ROOT, STUDIES, Call
from metaplastic.report import Table

__all__ = ["ROOT", "STUDIES", "Call", "Table"]
