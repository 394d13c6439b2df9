"""From images to text: sentiment of bags of words over inner steps (fig. 4, right)."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from metaplastic.data import Dataset
from metaplastic.data.folders import read_folder
from metaplastic.data.sets import load_set
from metaplastic.errors import FileFormatError, InputError, MissingDataError
from metaplastic.learners import PCA, AbstractLearner, Raw, RuleLearner
from metaplastic.meta.evaluation import LabelledSet
from metaplastic.recipes._trajectory import AtStep, Trajectory
from metaplastic.recipes.base import build_rule
from metaplastic.recipes.experiment import recipe_to_resume
from metaplastic.recipes.reproduce.common import (
    UNTRAINED,
    file_digest,
    gain,
    learned_part,
    measure,
    outcome,
    percent,
    select,
    untrained_rule,
    values,
)
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
from metaplastic.rules import AbstractUpdateRule, load_rule

SNIPPETS = "movie_snippets"
IMDB_ROWS = 5000
POLES = ("neg", "pos")
RULE_FILE = "rule.safetensors"
LEVELS = ("raw", "PCA-32")


@dataclasses.dataclass(frozen=True)
class Text(AbstractExperiment):
    """Accuracy over inner steps on bags of words; `imdb` is a folder of reviews by class."""

    imdb: Path | None = None
    meta_run: Path | None = None
    digest: str = ""
    steps: tuple[int, ...] = (0, 3, 10, 30, 100, 300)
    hidden_sizes: tuple[int, ...] = RuleLearner.hidden_sizes
    n_components: int = RuleLearner.n_components
    n_networks: int = 4
    shots: int = 10
    n_draws: int = 30
    seeds: tuple[int, ...] = (0, 1, 2)

    name: ClassVar[str] = "text"
    title: ClassVar[str] = "From images to text"
    claim: ClassVar[str] = (
        "A rule that was meta-trained on images improves features of text: on bags of words of "
        "IMDB reviews accuracy rises over inner steps. It does so with early checkpoints of "
        "meta-training, while late ones have specialised on images (fig. 4, right)."
    )

    method: ClassVar[str] = (
        "Two-class sentiment from counts of the 1,000 commonest words. A rule whose features hold "
        "the inputs is shown without them too (learned part). The beginning of "
        "meta-training is the untrained rule, its end the rule that is examined, unless a run "
        "directory is given. Unless the folder of IMDB reviews is given, a document is a bag of "
        "10 movie-review snippets of one class: shorter, fewer and easier to confuse than reviews. "
        "The shipped rule's meta-training held bags of words, made up and of real sayings in other "
        "texts and languages, so for it this is no pure transfer from images."
    )

    @classmethod
    def of(cls, options: Options) -> "Text":
        end = None if options.run is None else options.run / RULE_FILE
        if end is not None and not end.is_file():
            raise MissingDataError(f"{end} is not there; name a finished meta-training's directory")
        if options.imdb is not None and not options.imdb.is_dir():
            raise MissingDataError(f"there is no folder {options.imdb} of reviews")
        return cls(
            imdb=options.imdb,
            meta_run=options.run,
            digest="" if end is None else file_digest(end),
            steps=(0, 10, 100) if options.quick else cls.steps,
            n_networks=2 if options.quick else cls.n_networks,
            n_draws=options.n_draws,
            seeds=options.seeds,
        )

    def run(self, subject: Subject, progress: Progress) -> Result:
        dataset = load_set(SNIPPETS) if self.imdb is None else read_reviews(self.imdb)
        rows: list[dict[str, Any]] = []
        how: dict[str, Any] = {
            "shots": (self.shots,),
            "n_draws": self.n_draws,
            "seeds": self.seeds,
            "progress": progress,
        }
        rules, own = self._rules(subject)
        for name, rule in rules.items():
            learner = RuleLearner(
                rule,
                hidden_sizes=self.hidden_sizes,
                n_components=self.n_components,
                n_steps=max(self.steps),
                n_networks=self.n_networks,
            )
            trajectory = Trajectory(learner, self.steps)
            for step in self.steps:
                point = {name: AtStep(trajectory, step)}
                rows += measure(point, dataset, **how, note=f", step {step}", step=step)
        level: dict[str, AbstractLearner] = {LEVELS[0]: Raw(), LEVELS[1]: PCA(32)}
        rows += measure(level, dataset, **how, step=None)
        return {"rows": rows, "own": own, "dataset": dataset.name}

    def _rules(self, subject: Subject) -> tuple[dict[str, AbstractUpdateRule], str]:
        """Rules by name, from early to late in meta-training, and which one is late."""
        if self.meta_run is None:
            found = {UNTRAINED: untrained_rule(), subject.name: subject.rule}
            if subject.rule.direct:
                found[f"{subject.name}, learned part"] = learned_part(subject.rule)
            return found, subject.name
        start = build_rule(recipe_to_resume(self.meta_run))
        end = load_rule(self.meta_run / RULE_FILE)
        return {"start of the run": start, "end of the run": end}, "end of the run"

    def tables(self, result: Result) -> Mapping[str, Table]:
        rows = result["rows"]
        readouts = values(rows, "readout")
        cells = []
        for name in values(rows, "learner"):
            for step in values(select(rows, learner=name), "step"):
                some = {r["readout"]: r for r in select(rows, learner=name, step=step)}
                shown = "-" if step is None else f"{step:,}"
                cells.append((name, shown, *(percent(some.get(r)) for r in readouts)))
        note = (
            f"{result['dataset']}, {self.shots} labels a class: accuracy in percent \u00b1 "
            f"standard error over {len(self.seeds)} seeds x {self.n_draws} draws."
        )
        header = ("learner", "inner steps", *readouts)
        return {"Accuracy over inner steps": Table(header, tuple(cells), note)}

    def figures(self, result: Result) -> Mapping[str, Drawing]:
        rows = result["rows"]
        panels = {}
        for readout in values(rows, "readout"):
            lines = []
            for name in values(rows, "learner"):
                some = select(rows, learner=name, readout=readout)
                if name in LEVELS:
                    some = [{**some[0], "step": step} for step in self.steps]
                lines.append(
                    Line(
                        name,
                        [row["step"] for row in some],
                        [100 * row["mean"] for row in some],
                        [100 * row["standard_error"] for row in some],
                    )
                )
            panels[f"{readout} readout"] = lines
        figure = line_figure(
            panels,
            x_label="inner steps",
            y_label="accuracy in %",
            x_scale="symlog",
            emphasise=(result["own"],),
            share_y=True,
            height=2.8,
        )
        caption = f"{result['dataset']}; bars are standard errors, chance is 50 %."
        return {"text": Drawing(figure, "Accuracy on text over inner steps", caption)}

    def verdict(self, result: Result) -> Verdict:
        rows, own, last = result["rows"], result["own"], max(self.steps)
        risen, above, parts = [], [], []
        for readout in values(rows, "readout"):
            for name in (n for n in values(rows, "learner") if n not in LEVELS):
                some = select(rows, learner=name, readout=readout)
                change = gain(select(some, step=last)[0], select(some, step=0)[0], readout)
                parts.append(f"{name} {change} points ({readout})")
                if name == own:
                    risen.append(change)
                    counts = select(rows, learner="raw", readout=readout)[0]
                    above.append(gain(select(some, step=last)[0], counts, readout))
        mine = select(rows, learner=own, readout=risen[0].where)
        best = max(mine, key=lambda row: row["mean"])
        sentence = (
            f"Change of accuracy over {last:,} inner steps: {'; '.join(parts)}. {own} is best "
            f"after {best['step']:,} steps ({percent(best)} %, {best['readout']}, picked after the "
            f"fact). At the end it stands {', '.join(f'{g} ({g.where})' for g in above)} points "
            "from the word counts themselves. For the claim to hold it must rise, and end above "
            "those."
        )
        compared = [*risen, *above]
        found = outcome(sum(g.clear for g in compared), len(compared))
        return Verdict(found, f"{risen[0]} points over {last:,} inner steps", sentence)


def read_reviews(path: Path) -> LabelledSet:
    """The IMDB folder (or its `train` folder), or any folder of `.txt` files in two classes.

    At most `IMDB_ROWS` reviews, drawn by seed 0; unlabelled ones (`unsup`) are left out.

    Raises:
        MissingDataError: if there is no such folder.
        InputError: if it does not hold texts of two classes.
    """
    if not path.is_dir():
        raise MissingDataError(f"there is no folder {path}; name the one of IMDB reviews")
    inner = path / "train"
    counts, labels, words = read_folder(inner if inner.is_dir() else path, None)
    if words is None or labels is None:
        raise FileFormatError(f"{path}: expected texts in one subfolder per class (neg, pos)")
    if set(POLES) <= set(labels):
        keep = np.isin(labels, POLES)
        counts, labels = counts[keep], labels[keep]
    classes, y = np.unique(labels, return_inverse=True)
    if len(classes) != 2:
        raise InputError(f"{path}: expected texts of two classes, found {', '.join(classes)}")
    rows = np.random.default_rng(0).permutation(len(y))[:IMDB_ROWS]
    return Dataset("IMDB reviews", counts[rows], y[rows], None, "", f"{len(rows):,} of {len(y):,}")
