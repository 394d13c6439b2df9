"""The page of all experiments: does it work, then each claim with its evidence."""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from metaplastic.report import Section, Table, html_page, inline_svg
from metaplastic.studies.paper.experiment import AbstractExperiment, Drawing, Verdict

MARKS = {"holds": "\u2713", "holds partly": "\u25d1", "does not hold here": "\u2717"}
"""A sign beside each outcome, so that nothing depends on colour."""

RULE_OF_VERDICTS = (
    "A claim holds if what it states is found in every comparison that was made for it, a "
    "difference counting if it is more than two standard errors; if in some, it holds partly; if "
    "in none, it does not hold here. Standard errors are over seeds and draws, where nothing else "
    "is said."
)


@dataclasses.dataclass(frozen=True, eq=False)
class Finding:
    """An experiment with what stands in its result file, and what follows from it.

    `left_out` says why there is none.
    """

    experiment: AbstractExperiment
    content: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    verdict: Verdict | None = None
    tables: Mapping[str, Table] = dataclasses.field(default_factory=dict)
    drawings: Mapping[str, Drawing] = dataclasses.field(default_factory=dict)
    left_out: str = ""

    def summary(self) -> dict[str, Any]:
        """The essence as plain JSON."""
        if self.verdict is None:
            return {"left_out": self.left_out}
        return {
            "verdict": self.verdict.outcome,
            "number": self.verdict.number,
            "sentence": self.verdict.sentence,
            "seconds": self.content["seconds"],
        }


def claims_table(findings: Sequence[Finding]) -> Table:
    """One row per experiment: what it asks, what came out, the number that tells."""
    rows = []
    for finding in findings:
        verdict = finding.verdict
        cells = (
            ("left out", finding.left_out)
            if verdict is None
            else (f"{MARKS[verdict.outcome]} {verdict.outcome}", verdict.number)
        )
        rows.append((finding.experiment.title, *cells))
    return Table(("claim", "verdict", "in one number"), tuple(rows), prose=True)


def experiments_page(findings: Sequence[Finding], rule: str, facts: Mapping[str, Any]) -> str:
    """The page; `facts` are its provenance."""
    done = [finding for finding in findings if finding.verdict is not None]
    held = sum(f.verdict is not None and f.verdict.outcome == "holds" for f in done)
    partly = sum(f.verdict is not None and f.verdict.outcome == "holds partly" for f in done)
    lead = (
        f"The experiments of Metz et al. 2018 and some beyond them, with the update rule {rule}. "
        f"Of {len(done)} claims {held} hold, {partly} hold partly, "
        f"{len(done) - held - partly} do not hold here."
    )
    seconds = sum(finding.content["seconds"] for finding in done)
    facts = {
        **facts,
        "made": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds of all experiments": round(seconds),
    }
    return html_page(
        "Does a learned learning rule work?",
        lead,
        [_section(finding) for finding in findings],
        facts,
        summary=_summary(findings),
    )


def _summary(findings: Sequence[Finding]) -> Section:
    """The first screen: one table and one picture, of the first experiment that has one."""
    drawn = [(f, stem) for f in findings for stem in f.drawings]
    figure = caption = ""
    if drawn:
        finding, stem = drawn[0]
        drawing = finding.drawings[stem]
        figure = inline_svg(drawing.figure, f"first-{stem}", drawing.description)
        caption = f"{finding.experiment.title}. {drawing.caption}"
    return Section(
        "In one table and one picture",
        (),
        claims_table(findings),
        figure,
        caption,
        parts=(Section("", (RULE_OF_VERDICTS,)),),
    )


def _section(finding: Finding) -> Section:
    experiment, verdict = finding.experiment, finding.verdict
    about = (f"Claim. {experiment.claim}", f"Here. {experiment.method}")
    if verdict is None:
        return Section(experiment.title, (*about, f"Left out: {finding.left_out}"))
    figures = tuple(_figure(stem, drawing) for stem, drawing in finding.drawings.items())
    tables = tuple(Section(title, (), table) for title, table in finding.tables.items())
    origin = finding.content["provenance"]
    machine = origin["machine"]
    commits = ", ".join(origin.get("measurements_kept_from", ()))
    kept = f" Measurements kept from before are of commit {commits}." if commits else ""
    source = Section(
        "",
        (
            f"Measured in {finding.content['seconds']:.0f} s with seeds "
            f"{', '.join(map(str, origin['seeds']))}, commit {origin['commit']}, on "
            f"{machine['processor']} with {machine['cores']} cores.{kept}",
        ),
    )
    return Section(
        experiment.title,
        about,
        lead=f"{MARKS[verdict.outcome]} {verdict.outcome.capitalize()}. {verdict.sentence}",
        parts=(*figures, *tables, source),
    )


def _figure(stem: str, drawing: Drawing) -> Section:
    shown = drawing.element or inline_svg(drawing.figure, stem, drawing.description)
    return Section("", figure=shown, caption=drawing.caption)
