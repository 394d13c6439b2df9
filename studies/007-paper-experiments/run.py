"""The experiments of the paper with the shipped rule, and the leaderboard."""

import json
import tempfile
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import ROOT, STUDIES, Call, Table
from laboratory.leaderboard import document
from metaplastic.studies.paper.catalog import EXPERIMENTS
from metaplastic.studies.paper.experiment import AbstractExperiment, Options
from metaplastic.studies.paper.page import MARKS
from metaplastic.studies.paper.run import reproduce

FOLDER = Path(__file__).parent
PAGE = FOLDER / "page"
SEEDS = (0, 1, 2)
READINGS = "102-readings-on-public-sets"
"""The study whose rows the leaderboard has too."""
SHOWN = ("permutation", "architecture", "text", "mismatch", "meta-curves", "terms")
"""Experiments whose tables README.md has; those of `few-shot` are the leaderboard."""


def arguments(parser: ArgumentParser) -> None:
    """Which experiments."""
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, help="these experiments (all)")


def measure(call: Call) -> dict[str, Any]:
    """Run the experiments into the folder `page`; with `--quick` the shortest, kept nowhere."""
    if call.quick:
        with tempfile.TemporaryDirectory() as folder:
            out, options = Path(folder) / "page", Options(quick=True)
            return {"quick": reproduce(["features"], out, options=options, show=False)}
    done = reproduce(call.options.only or ["all"], PAGE, show=False)
    earlier = (call.earlier or {}).get("verdicts", {})
    return {"verdicts": earlier | done}


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """The claims with their verdicts, and the tables of every experiment."""
    if "quick" in result:
        quick = tuple((name, v["verdict"], v["number"]) for name, v in result["quick"].items())
        return {"claims": Table(("experiment", "verdict", "in one number"), quick)}
    kept = _kept()
    rows = []
    found: dict[str, Table] = {}
    for name, (experiment, content) in kept.items():
        verdict = experiment.verdict(content["result"])
        outcome = f"{MARKS[verdict.outcome]} {verdict.outcome}"
        rows.append((experiment.title, outcome, verdict.number))
        for number, (title, table) in enumerate(experiment.tables(content["result"]).items(), 1):
            if name in SHOWN:
                found[f"{name}-{number}"] = _titled(title, table)
    claims = Table(("claim", "verdict", "in one number"), tuple(rows), prose=True)
    return {"claims": claims, **found}


def _titled(title: str, table: Table) -> Table:
    note = f"{title}. {table.note}".strip()
    return Table(table.header, table.rows, note, table.emphasised, table.prose)


def _kept() -> dict[str, tuple[AbstractExperiment, dict[str, Any]]]:
    """Every experiment whose result stands in `page`, whatever rule it was measured with."""
    kept = {}
    for name, kind in EXPERIMENTS.items():
        path = PAGE / f"{name}.json"
        if path.is_file():
            kept[name] = kind.of(Options()), json.loads(path.read_text("utf-8"))
    return kept


def documents(result: Mapping[str, Any]) -> dict[Path, str]:
    """`docs/leaderboard.md`."""
    _, content = _kept()["few-shot"]
    read = json.loads((STUDIES / READINGS / "result.json").read_text("utf-8"))
    return {ROOT / "docs" / "leaderboard.md": document(content, read)}
