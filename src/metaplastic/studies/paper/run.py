"""Run experiments one after another, keep what each measured, and make the page of all."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from metaplastic.errors import MetaplasticError
from metaplastic.evaluation import provenance
from metaplastic.files import write_atomically
from metaplastic.report import require_matplotlib, save_png
from metaplastic.rules import AbstractUpdateRule
from metaplastic.studies._folder import prepare_folder
from metaplastic.studies.paper.catalog import ALL, EXPERIMENTS, named
from metaplastic.studies.paper.experiment import (
    AbstractExperiment,
    Options,
    Progress,
    Subject,
    Verdict,
)
from metaplastic.studies.paper.kept import FOLDER, Kept
from metaplastic.studies.paper.page import Finding, claims_table, experiments_page
from metaplastic.studies.paper.results import read_result, result_path, write_result

PAGE = "index.html"

Say = Callable[[str], None]


def reproduce(
    names: Sequence[str],
    out: Path,
    *,
    rule: str | Path | AbstractUpdateRule = "base",
    options: Options | None = None,
    show: bool = True,
) -> dict[str, Any]:
    """Run the named experiments (or `all`) and write results, tables, figures and one page.

    An experiment whose result stands in `out` already, with the same settings, rule and version,
    is not run again, and a learner that was measured once (`out/measurements`) is not measured
    again; so an interrupted call can be repeated. With `all`, an experiment that cannot
    be done here is left out, and the page says why.

    Parameters
    ----------
    names : sequence of str
        Names of `catalog.EXPERIMENTS`, or `all`.
    out : Path
        Folder; made if it is not there.
    rule : str, Path or AbstractUpdateRule, default="base"
        A name or path that `load_rule` takes, or a rule.
    options : Options, optional
        Sizes and data.
    show : bool, default=True
        Whether to print the table of claims to standard output.

    Returns
    -------
    dict of str to object
        By experiment: `verdict`, `number`, `sentence` and `seconds`, or `left_out` and why.

    Raises
    ------
    InputError
        For an unknown name or rule, or a folder that does not do.
    MissingDataError
        Without matplotlib, or data of an experiment that was asked for by name.
    """
    options = options or Options()
    kinds = named(names)
    require_matplotlib()
    subject = Subject.load(rule)
    experiments = [kind.of(options) for kind in kinds]
    marks = (FOLDER, *(f"{name}.json" for name in EXPERIMENTS))
    out = prepare_folder(Path(out), marks, "experiments")
    findings = run_all(experiments, subject, out, tolerant=ALL in names)
    if show:
        print(claims_table(findings).text(), end="", flush=True)
    return {finding.experiment.name: finding.summary() for finding in findings}


def run_all(
    experiments: Sequence[AbstractExperiment], subject: Subject, out: Path, *, tolerant: bool
) -> list[Finding]:
    """What every experiment found, from the folder or measured now; the page is written last.

    With `tolerant`, experiments that raise a `MetaplasticError` are left out.
    """
    findings = []
    for index, experiment in enumerate(experiments, 1):
        kept = Kept(out / FOLDER, result_path(out, type(experiment)))
        say = Progress(_progress(f"{index}/{len(experiments)} {experiment.name}"), kept)
        try:
            content = _content(experiment, subject, out, say)
        except MetaplasticError as error:
            if not tolerant:
                raise
            say(f"left out: {error}")
            findings.append(Finding(experiment, left_out=str(error)))
            continue
        findings.append(_finding(experiment, content, out))
    facts = provenance(seeds=sorted({seed for e in experiments for seed in e.seeds}))
    facts["rule"] = {"name": subject.name, "sha256": subject.digest}
    page = experiments_page(findings, subject.name, facts)
    write_atomically(out / PAGE, page.encode())
    _progress("page")(f"wrote {out / PAGE}")
    return findings


def _content(
    experiment: AbstractExperiment, subject: Subject, out: Path, say: Progress
) -> Mapping[str, Any]:
    """What stands in the result file, which is written first if need be."""
    kept = read_result(out, experiment, subject)
    if kept is not None:
        say("kept from before")
        return kept
    started = time.perf_counter()
    origin = provenance(seeds=experiment.seeds)
    result = experiment.run(subject, say)
    before = say.kept.seconds if say.kept else 0.0
    spent = round(time.perf_counter() - started + before, 1)
    say(f"done in {spent:.0f} s")
    if say.kept and say.kept.commits:
        origin["measurements_kept_from"] = sorted(say.kept.commits)
    measured = {"provenance": origin, "seconds": spent, "result": result}
    return write_result(out, experiment, subject, measured)


def _finding(experiment: AbstractExperiment, content: Mapping[str, Any], out: Path) -> Finding:
    """Verdict, tables and figures of a result; the last two are written to the folder."""
    result = content["result"]
    verdict: Verdict = experiment.verdict(result)
    tables, drawings = experiment.tables(result), experiment.figures(result)
    parts = [f"# {experiment.title}\n", f"{verdict.outcome}: {verdict.sentence}\n"]
    for title, table in tables.items():
        parts += [f"## {title}\n", table.markdown()]
    write_atomically(out / f"{experiment.name}.md", "\n".join(parts).encode())
    for stem, drawing in drawings.items():
        if not drawing.element:
            save_png(drawing.figure, out / f"{stem}.png")
    return Finding(experiment, content, verdict, tables, drawings)


def _progress(what: str) -> Say:
    started = time.perf_counter()

    def say(text: str) -> None:
        spent = time.perf_counter() - started
        print(f"[{what}, {spent:4.0f} s] {text}", file=sys.stderr, flush=True)

    return say
