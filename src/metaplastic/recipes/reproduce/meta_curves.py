"""Meta-training curves of the run that made the shipped rule (fig. 3)."""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import metaplastic
from metaplastic.errors import FileFormatError, MissingDataError
from metaplastic.recipes.reproduce.common import Gain, extremes, mean_gain, outcome
from metaplastic.recipes.reproduce.experiment import (
    AbstractExperiment,
    Drawing,
    Options,
    Progress,
    Result,
    Subject,
    Verdict,
)
from metaplastic.report import Line, Table, line_figure

PLACES = (
    Path(__file__).with_name("meta_curves.json"),
    Path(str(metaplastic.__file__)).parents[2] / "docs" / "results" / "meta_curves.json",
)
"""Where the evaluations of that run are: in an installed package, in a checkout."""


@dataclasses.dataclass(frozen=True)
class MetaCurves(AbstractExperiment):
    """Scores on fresh tasks of every kind, over updates of the meta-training."""

    source: Path | None = None
    seeds: tuple[int, ...] = ()

    name: ClassVar[str] = "meta-curves"
    title: ClassVar[str] = "Meta-training makes the rule better"
    claim: ClassVar[str] = (
        "In the course of meta-training the rule's features become better on tasks of the kinds "
        "that it is trained on, and on held-out kinds (fig. 3)."
    )
    method: ClassVar[str] = (
        "Not measured anew: the evaluations that were written during the meta-training of the "
        "shipped rule, on fresh tasks of validation data (letters, photographs and synthetic "
        "families that meta-training itself does not draw). Meta-training went in stages, which "
        "have different tasks and are compared with themselves alone; there was one run, so "
        "standard errors are over kinds of tasks. The first evaluation of a stage comes some "
        "hundred updates after its start, so what was learned before that is not seen."
    )

    @classmethod
    def of(cls, options: Options) -> "MetaCurves":
        source = None if options.run is None else options.run / "metrics.jsonl"
        return cls(source=source)

    def run(self, subject: Subject, progress: Progress) -> Result:
        if self.source is not None:
            return _read_metrics(self.source)
        found = next((place for place in PLACES if place.is_file()), None)
        if found is None:
            raise MissingDataError(
                "the evaluations of the shipped rule's meta-training are not installed here; run "
                "this from a checkout, or name a run directory with --run"
            )
        content = _json(found.read_text("utf-8"), found)
        return {"stages": content["stages"], "evaluations": content["evaluations"]}

    def tables(self, result: Result) -> Mapping[str, Table]:
        rows = []
        for number, stage in enumerate(stages(result), 1):
            if len(stage) < 2:
                continue
            first, last = stage[0], stage[-1]
            for kind in first["validation_accuracies"]:
                rows.append(
                    (
                        f"{number}: {kind}",
                        f"{first['step']:,} - {last['step']:,}",
                        *(f"{100 * e['validation_accuracies'][kind]:.1f}" for e in (first, last)),
                        *(f"{e['validation_losses'][kind]:.3f}" for e in (first, last)),
                    )
                )
        header = ("stage: tasks", "updates", "first %", "last %", "first loss", "last loss")
        note = "First and last evaluation of every stage of meta-training; accuracy in percent."
        return {"First and last evaluations": Table(header, tuple(rows), note)}

    def figures(self, result: Result) -> Mapping[str, Drawing]:
        kinds = dict.fromkeys(k for e in result["evaluations"] for k in e["validation_losses"])
        groups = {
            "glyphs": [k for k in kinds if k.startswith("glyphs")],
            "other tasks": [k for k in kinds if not k.startswith("glyphs")],
        }
        panels = {
            f"{what}: {title}": [self._line(result, kind, key) for kind in some]
            for title, key in (("accuracy", "validation_accuracies"), ("loss", "validation_losses"))
            for what, some in groups.items()
            if some
        }
        figure = line_figure(
            panels,
            x_label="meta-updates",
            y_label="on fresh tasks",
            marks=self._ends(result)[:-1],
            height=2.6,
        )
        caption = (
            "Fresh validation tasks of every kind. Dotted: the next stage of meta-training, with "
            "other tasks and settings; lines stop there."
        )
        return {"meta-curves": Drawing(figure, "Accuracy and loss over meta-updates", caption)}

    def verdict(self, result: Result) -> Verdict:
        gains = []
        for number, stage in enumerate(stages(result), 1):
            if len(stage) < 2:
                continue
            first, last = stage[0]["validation_accuracies"], stage[-1]["validation_accuracies"]
            some = [Gain(100 * (last[k] - first[k]), math.nan) for k in first]
            gains.append(dataclasses.replace(mean_gain(some), where=f"stage {number}"))
        if not gains:
            raise FileFormatError("no stage of the meta-training has two evaluations to compare")
        clear = sum(g.clear for g in gains)
        sentence = (
            f"Between the first and the last evaluation of a stage the accuracy on fresh tasks "
            f"rises by more than two standard errors (over kinds of tasks) in {clear} of "
            f"{len(gains)} stages: {extremes(gains)}."
        )
        last = gains[-1]
        return Verdict(outcome(clear, len(gains)), f"{last} points in the last stage", sentence)

    def _line(self, result: Result, kind: str, key: str) -> Line:
        scale = 100.0 if key == "validation_accuracies" else 1.0
        x: list[float] = []
        y: list[float] = []
        for stage in stages(result):
            for e in stage:
                x.append(e["step"])
                y.append(scale * e[key].get(kind, math.nan))
            x.append(x[-1] if x else 0)
            y.append(math.nan)
        return Line(kind, x, y)

    def _ends(self, result: Result) -> list[float]:
        ends, end = [], 0
        for stage in result["stages"]:
            end += stage["updates"]
            ends.append(end)
        return ends


def stages(result: Result) -> Iterator[Sequence[Mapping[str, Any]]]:
    """The evaluations of every stage."""
    begin = 0
    for stage in result["stages"]:
        end = begin + stage["updates"]
        yield [e for e in result["evaluations"] if begin < e["step"] <= end]
        begin = end


def _read_metrics(path: Path) -> Result:
    """Evaluations of one run directory, as of a single stage."""
    if not path.is_file():
        raise MissingDataError(f"{path} is not there; name the directory of a meta-training run")
    lines = path.read_text("utf-8").splitlines()
    records = [_json(line, path) for line in lines if line.strip()]
    evaluations = [r for r in records if r.get("kind") == "evaluation"]
    updates = max((r["step"] for r in records if "step" in r), default=0)
    return {"stages": [{"updates": updates}], "evaluations": evaluations}


def _json(text: str, source: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise FileFormatError(f"{source} is damaged ({error})") from error
    if not isinstance(found, dict):
        raise FileFormatError(f"{source} is damaged (no table)")
    return found
