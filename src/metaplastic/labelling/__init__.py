"""A page on which a person labels rows, one after the other, and sees what that achieves."""

from metaplastic.labelling.answers import Answers
from metaplastic.labelling.looks import AbstractLooks, Cells, Pictures, Texts
from metaplastic.labelling.session import Session

__all__ = ["AbstractLooks", "Answers", "Cells", "Pictures", "Session", "Texts"]
