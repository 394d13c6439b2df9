"""Every learner on every public set, ranked, from what the experiment `few-shot` measured."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from metaplastic.evaluation import OWN
from metaplastic.report import Table
from metaplastic.studies.paper.common import select, values

Rows = Sequence[Mapping[str, Any]]


def board(rows: Rows, shots: int, own: str) -> Table:
    """Learners by sets at one number of labels, the best mean first."""
    rows = select(rows, shots=shots)
    sets = values(rows, "dataset")
    lines = []
    for learner in values(rows, "learner"):
        some = select(rows, learner=learner)
        by_set = [select(some, dataset=name) for name in sets]
        cells = [" / ".join(f"{100 * row['mean']:.1f}" for row in found) for found in by_set]
        means = [sum(r["mean"] for r in found) / len(found) for found in by_set if found]
        mean = 100 * sum(means) / len(means) if len(means) == len(sets) else math.nan
        lines.append((mean, learner, cells))
    lines.sort(key=lambda line: (math.isnan(line[0]), -line[0]))
    shown = tuple(
        (learner, *cells, "-" if math.isnan(mean) else f"{mean:.1f}")
        for mean, learner, cells in lines
    )
    marked = frozenset(i for i, (_, learner, _) in enumerate(lines) if learner == own)
    note = (
        f"Accuracy in percent with {shots} label{'s' if shots > 1 else ''} a class, ridge / "
        "logistic readout (one number where a learner needs none). The mean is over all sets."
    )
    return Table(("learner", *sets, "mean"), shown, note, marked)


def read_board(rows: Rows, shots: int, own: str) -> Table:
    """Learners with each of their readings by sets (study 102), the best mean first."""
    rows = select(rows, shots=shots)
    sets, lines = values(rows, "set"), []
    for learner in values(rows, "learner"):
        for reading in values(rows, "reading"):
            some = select(rows, learner=learner, reading=reading)
            means = {row["set"]: sum(row["accuracies"]) / len(row["accuracies"]) for row in some}
            if len(means) == len(sets):
                cells = [f"{means[name]:.1f}" for name in sets]
                lines.append((sum(means.values()) / len(means), learner, reading, cells))
    lines.sort(key=lambda line: -line[0])
    shown = tuple((who, how, *cells, f"{mean:.1f}") for mean, who, how, cells in lines)
    marked = frozenset(i for i, line in enumerate(lines) if line[1:3] == (own, "auto"))
    draws = len(rows[0]["accuracies"])
    note = (
        f"Accuracy in percent with {shots} label{'s' if shots > 1 else ''} a class, mean of "
        f"{draws} draws over all seeds, columns permuted."
    )
    return Table(("learner", "reading", *sets, "mean"), shown, note, marked)


def seconds(rows: Rows, own: str) -> Table:
    """Mean seconds of a fit, compiling included."""
    sets, names = values(rows, "dataset"), values(rows, "learner")
    lines = []
    for learner in names:
        by_set = [select(rows, learner=learner, dataset=name) for name in sets]
        lines.append((learner, *(f"{f[0]['fit_seconds']:.1f}" if f else "-" for f in by_set)))
    marked = frozenset(i for i, learner in enumerate(names) if learner == own)
    note = (
        "Seconds of a fit to the whole set, compiling included, on a core shared with other work."
    )
    return Table(("learner", *sets), tuple(lines), note, marked)


def document(content: Mapping[str, Any], read: Mapping[str, Any]) -> str:
    """The page, as Markdown; `read` is the result of study 102."""
    rows, own = content["result"]["rows"], content["result"]["own"]
    settings, origin = content["settings"], content["provenance"]
    parts = [
        "# Leaderboard\n",
        "Made by `python studies 007` from `studies/007-paper-experiments/page/few-shot.json`; not "
        "edited by hand. The protocol is that of "
        'docs/design.md, "How a representation is judged": columns permuted, '
        f"{len(settings['seeds'])} seeds x {settings['n_draws']} draws. Standard errors and "
        "figures are in [the study](../studies/007-paper-experiments/README.md).\n",
        f"Seeds {settings['seeds']}, commit {origin['commit']}, machine {origin['machine']}.\n",
    ]
    for shots in values(rows, "shots"):
        title = f"## {shots} label{'s' if shots > 1 else ''} a class\n"
        parts += [title, board(rows, shots, own).markdown()]
    parts += [
        "## Read over the pool\n",
        "A reading over the graph of the pool makes more of few labels. Here all readings stand "
        'side by side; "auto" is the default of `FewShotClassifier`. These tables have fewer draws '
        "than those above and letters rendered anew ([the study]"
        "(../studies/102-readings-on-public-sets/README.md), commit "
        f"{read['provenance']['commit']}).\n",
    ]
    for shots in values(read["rows"], "shots"):
        parts.append(read_board(read["rows"], shots, own).markdown())
    parts += ["## Seconds\n", seconds([r for r in rows if r["readout"] != OWN], own).markdown()]
    return "\n".join(parts)
