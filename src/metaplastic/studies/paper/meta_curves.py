"""Meta-training curves of the run that made the shipped rule (fig. 3)."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from metaplastic.errors import MissingDataError
from metaplastic.meta.problem import split_rule
from metaplastic.meta.validation import Validator
from metaplastic.recipes.named import RECIPES
from metaplastic.recipes.recipe import build_buckets
from metaplastic.report import Line, Table, line_figure
from metaplastic.rules.catalog import shipped_path
from metaplastic.studies.paper.common import (
    UNTRAINED,
    Gain,
    file_digest,
    mean_gain,
    outcome,
    select,
    untrained,
    values,
)
from metaplastic.studies.paper.experiment import (
    AbstractExperiment,
    Drawing,
    Options,
    Progress,
    Result,
    Subject,
    Verdict,
)
from metaplastic.studies.paper.metrics import read_json, read_metrics, stages

SPLITS: Mapping[str, tuple[str, ...]] = {"validation": (), "heldout_scripts": ("glyphs",)}
"""Splits of the data, and which sources have them (all, if none is named)."""

ALL_KINDS = tuple(shape.name for shape in RECIPES["base"].shapes)
DRAWN = ("strokes", "silhouettes")
QUICK_KINDS = ("glyphs14-3", "glyphs8-2", "table24-3")
"""Kinds of tasks that are measured: shapes of the recipe of `base`."""

BAGS = ("writings", "topics")
"""Sources of inputs that are mostly zeros."""

KEYS = {"accuracy in %": "validation_accuracies", "loss": "validation_losses"}
"""Panels of the curves, and where their numbers are in an evaluation."""

CURVES = shipped_path("base").with_suffix(".curves.json")
"""Evaluations of the shipped rule's meta-training."""


@dataclasses.dataclass(frozen=True)
class MetaCurves(AbstractExperiment):
    """Scores on fresh tasks of every kind: over updates, and measured before and after them."""

    source: Path | None = None
    digest: str = ""
    kinds: tuple[str, ...] = ALL_KINDS
    inner_steps: int = 200
    n_tasks: int = 8
    seeds: tuple[int, ...] = (1,)

    name: ClassVar[str] = "meta-curves"
    title: ClassVar[str] = "Meta-training makes the rule better"
    claim: ClassVar[str] = (
        "In the course of meta-training the rule's features become better on tasks of the kinds "
        "that it is trained on, and on held-out kinds (fig. 3)."
    )
    method: ClassVar[str] = (
        "The curves are the evaluations that were written during the meta-training of the shipped "
        "rule, on fresh tasks of validation data that meta-training does not draw. It went in "
        "stages, which have different tasks and settings; the first evaluation of a stage comes "
        "some hundred updates after its start. So the rule that meta-training started from and the "
        "one that is examined are also measured here, on the same fresh tasks of every kind in the "
        "recipe of base as it is now, and on letters of scripts that are kept out of "
        "meta-training. There was one run: standard errors are over kinds of tasks."
    )

    @classmethod
    def of(cls, options: Options) -> "MetaCurves":
        source = CURVES if options.run is None else options.run / "metrics.jsonl"
        if options.run is not None and not source.is_file():
            raise MissingDataError(f"{source} is not there; name a meta-training's run directory")
        kinds = QUICK_KINDS if options.quick else cls.kinds
        inner_steps, n_tasks = (100, 2) if options.quick else (cls.inner_steps, cls.n_tasks)
        return cls(
            None if options.run is None else source,
            file_digest(source),
            kinds,
            inner_steps,
            n_tasks,
            seeds=(1 + options.seed,),
        )

    def run(self, subject: Subject, progress: Progress) -> Result:
        return {**self._curves(), "own": subject.name, "rows": self._measured(subject, progress)}

    def _curves(self) -> Result:
        if self.source is not None:
            return read_metrics(self.source)
        content = read_json(CURVES.read_text("utf-8"), CURVES)
        return {"stages": content["stages"], "evaluations": content["evaluations"]}

    def _measured(self, subject: Subject, progress: Progress) -> list[dict[str, Any]]:
        """Accuracy before and after meta-training, by split and kind of task."""
        presets = {UNTRAINED: untrained(), subject.name: subject.preset}
        rows = []
        for split, sources in SPLITS.items():
            shapes = (s for s in RECIPES["base"].shapes if s.name in self.kinds)
            for shape in (s for s in shapes if not sources or s.source in sources):
                recipe = dataclasses.replace(RECIPES["base"], shapes=(shape,))
                row: dict[str, Any] = {"split": split, "kind": shape.name, "accuracy": {}}
                try:
                    for name, preset in presets.items():
                        sparse = shape.source in BAGS
                        rule = preset.rules.rule_for(shape.activation, sparse=sparse)
                        whitening = preset.presentation.whitening
                        presented = dataclasses.replace(recipe, whitening=whitening)
                        buckets = build_buckets(presented, split_rule(rule)[1], split=split)
                        score = Validator(
                            buckets,
                            inner_steps=self.inner_steps,
                            n_tasks=self.n_tasks,
                            seed=self.seeds[0],
                        )
                        row["accuracy"][name] = score(rule, 0)["validation_accuracy"]
                except MissingDataError as error:
                    progress(f"{split}: {shape.name} left out: {error}")
                    continue
                rows.append(row)
                shown = ", ".join(f"{k} {100 * v:.1f} %" for k, v in row["accuracy"].items())
                progress(f"{split}: {shape.name}: {shown}")
        return rows

    def tables(self, result: Result) -> Mapping[str, Table]:
        tables = {"Before and after meta-training": self._measured_table(result)}
        if result["evaluations"]:
            tables["Evaluations during meta-training"] = self._curve_table(result)
        return tables

    def _measured_table(self, result: Result) -> Table:
        names = (UNTRAINED, result["own"])
        cells = tuple(
            (
                f"{row['split'].replace('_', ' ')}: {row['kind']}",
                *(f"{100 * row['accuracy'][name]:.1f}" for name in names),
                str(_change(row, result["own"])),
            )
            for row in result["rows"]
        )
        note = (
            f"Accuracy in percent after {self.inner_steps} inner steps, means of {self.n_tasks} "
            "tasks of each kind."
        )
        return Table(("tasks", *names, "difference"), cells, note)

    def _curve_table(self, result: Result) -> Table:
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
        return Table(header, tuple(rows), note)

    def figures(self, result: Result) -> Mapping[str, Drawing]:
        drawings = {}
        if result["rows"]:
            drawings["meta-curves-before-after"] = self._measured_figure(result)
        if result["evaluations"]:
            drawings["meta-curves"] = self._curve_figure(result)
        return drawings

    def _curve_figure(self, result: Result) -> Drawing:
        kinds = dict.fromkeys(k for e in result["evaluations"] for k in e["validation_losses"])
        groups = {
            "glyphs": [k for k in kinds if k.startswith("glyphs")],
            "drawn things": [k for k in kinds if k.startswith(DRAWN)],
            "other tasks": [k for k in kinds if not k.startswith(("glyphs", *DRAWN))],
        }
        panels = {
            f"{title}: {what}": [self._line(result, kind, key) for kind in some]
            for what, some in groups.items()
            if some
            for title, key in KEYS.items()
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
        return Drawing(figure, "Accuracy and loss over meta-updates", caption)

    def _measured_figure(self, result: Result) -> Drawing:
        panels = {}
        for split in values(result["rows"], "split"):
            some = select(result["rows"], split=split)
            panels[split.replace("_", " ")] = [
                Line(name, [r["kind"] for r in some], [100 * r["accuracy"][name] for r in some])
                for name in (UNTRAINED, result["own"])
            ]
        figure = line_figure(
            panels,
            x_label="kind of task",
            y_label="accuracy in %",
            x_scale="names",
            emphasise=(result["own"],),
            columns=1,
        )
        caption = f"Means of {self.n_tasks} fresh tasks of each kind."
        return Drawing(figure, "Accuracy before and after meta-training", caption)

    def verdict(self, result: Result) -> Verdict:
        gains = []
        for split in values(result["rows"], "split"):
            some = [_change(row, result["own"]) for row in select(result["rows"], split=split)]
            gains.append(
                dataclasses.replace(mean_gain(some), where=f"{split.replace('_', ' ')} tasks")
            )
        if not gains:
            raise MissingDataError("no tasks to compare on: metaplastic data build glyphs")
        rises = []
        for stage in (s for s in stages(result) if len(s) > 1):
            first, last = stage[0]["validation_accuracies"], stage[-1]["validation_accuracies"]
            rises.append(mean_gain([Gain(100 * (last[k] - first[k]), math.nan) for k in first]))
        described = ", ".join(f"{g} points ({g.where})" for g in gains)
        sentence = (
            f"From the beginning to the end of meta-training the accuracy on fresh tasks changes "
            f"by {described}. Between the first and the last evaluation within a stage it rises "
            f"by more than two standard errors in {sum(r.clear for r in rises)} of {len(rises)} "
            "stages."
        )
        held = outcome(sum(g.clear for g in gains), len(gains))
        return Verdict(held, f"{gains[0]} points on {gains[0].where}", sentence)

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


def _change(row: Mapping[str, Any], own: str) -> Gain:
    """What meta-training did to the accuracy on a kind of tasks."""
    accuracy = row["accuracy"]
    return Gain(100 * (accuracy[own] - accuracy[UNTRAINED]), math.nan, row["kind"])
