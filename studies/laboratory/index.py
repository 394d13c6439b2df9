"""`docs/experiments.md`: one paragraph for every study."""

from collections.abc import Sequence
from pathlib import Path

from laboratory.site import relinked
from laboratory.study import Study

PATH = Path("docs") / "experiments.md"
"""From the root of the repository."""
GROUPS = {
    "0": "How the rule was made, and what it achieves",
    "1": "Reading classes from features",
    "3": "Presentation of inputs",
    "4": "Other questions",
    "5": "Rules taught by rules",
}
"""Headings of the index, by the first digit of a study's number."""

_HEAD = """\
# What was tried

Made by `python studies --render` from the studies; not edited by hand.

A study is a folder of `studies/` with its question, its settings, its result and what followed.
`python studies NNN` measures it again. Failures are kept beside what worked. Accuracies are in
percent, ridge / logistic readout, with 10 labels a class unless something else is said. Validation
pools are tasks of font families, pictures and languages kept out of meta-training, and fresh
synthetic tasks. Which public sets were looked at before a decision is said in
[study 000](../studies/000-how-base-was-made/README.md).
"""


def index(studies: Sequence[Study]) -> str:
    """The document: title, question, answer and link of every study."""
    parts, heading = [_HEAD], ""
    for study in studies:
        group = GROUPS.get(study.number[0], GROUPS["4"])
        if group != heading:
            heading = group
            parts.append(f"## {heading}\n")
        text, folder = study.text, study.folder.name
        link = f"[{study.number} · {text.title}](../studies/{folder}/README.md)"
        words = relinked(f"*{text.question}* {text.answer}", f"studies/{folder}", "docs", str)
        parts.append(f"**{link}.** {words}\n")
    return "\n".join(parts)
