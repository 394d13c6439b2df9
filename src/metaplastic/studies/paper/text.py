"""From images to text: sentiment of bags of words over inner steps (fig. 4, right)."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from metaplastic.data import Dataset
from metaplastic.data.folders import read_folder
from metaplastic.data.sets import load_set
from metaplastic.errors import FileFormatError, InputError, MissingDataError
from metaplastic.evaluation import LabelledSet
from metaplastic.learners import PCA, AbstractLearner, Raw, RuleLearner
from metaplastic.meta.executor import LocalExecutor
from metaplastic.meta.problem import split_rule
from metaplastic.meta.run_directory import KEPT_RULES, RULE_FILE
from metaplastic.meta.train import averaged_rule, meta_train
from metaplastic.models import NO_DIRECT
from metaplastic.presets import NetworkSettings, plain_preset
from metaplastic.recipes.named import RECIPES
from metaplastic.recipes.recipe import Recipe, build_buckets, build_estimator, build_rule
from metaplastic.recipes.training import recipe_to_resume
from metaplastic.report import Line, Table, line_figure
from metaplastic.report.lines import spaced
from metaplastic.rules import AbstractUpdateRule, load_rule
from metaplastic.rules.io import load_rule_file
from metaplastic.studies._trajectory import AtStep, Trajectory
from metaplastic.studies.paper.common import (
    UNTRAINED,
    Gain,
    file_digest,
    gain,
    measure,
    outcome,
    percent,
    select,
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

SNIPPETS = "movie_snippets"
IMDB_ROWS = 5000
POLES = ("neg", "pos")
LEVELS = ("raw", "PCA-32")


@dataclasses.dataclass(frozen=True)
class Text(AbstractExperiment):
    """Accuracy over inner steps on bags of words; `imdb` is a folder of reviews by class."""

    imdb: Path | None = None
    meta_run: Path | None = None
    digest: str = ""
    updates: tuple[int, ...] = (10, 30, 100, 300, 600)
    steps: tuple[int, ...] = (0, 3, 10, 30, 100, 300)
    hidden_sizes: tuple[int, ...] = NetworkSettings.hidden_sizes
    n_components: int = 256
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
        "Two-class sentiment from counts of the 1,000 commonest words. A rule is meta-trained here "
        "on rendered letters alone (recipe images) and kept after some updates: early and late "
        "checkpoints. With a run directory they are those of that run; the quick form has none. "
        "Beside them stands the rule that is examined; if its features hold the inputs, without "
        "them too (learned part). The shipped rule's meta-training held bags of words, made up and "
        "of real sayings in other texts and languages, so for it this is no transfer from images. "
        "Unless the folder of IMDB reviews is given, a document is a bag of 10 movie-review "
        "snippets of one class: shorter, fewer and easier to confuse than reviews. Networks are of "
        "ReLU, as those of meta-training; left to itself, RuleLearner pairs ReLU with tanh on such "
        "inputs."
    )
    revision: ClassVar[int] = 3

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
            updates=() if options.quick else cls.updates,
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
        early_to_late = self._checkpoints(progress)
        presets = {name: plain_preset(rule) for name, rule in early_to_late.items()}
        presets[subject.name] = subject.preset
        if subject.preset.direct != NO_DIRECT:
            presets[f"{subject.name}, learned part"] = subject.preset.without_direct()
        for name, preset in presets.items():
            one = preset.with_networks(
                hidden_sizes=self.hidden_sizes,
                n_components=self.n_components,
                n_steps=max(self.steps),
                n_networks=self.n_networks,
                activation="relu",
            )
            trajectory = Trajectory(RuleLearner(one), self.steps)
            for step in self.steps:
                point = {name: AtStep(trajectory, step)}
                rows += measure(point, dataset, **how, note=f", step {step}", step=step)
        level: dict[str, AbstractLearner] = {LEVELS[0]: Raw(), LEVELS[1]: PCA(32)}
        rows += measure(level, dataset, **how, step=None)
        names = {"own": subject.name, "checkpoints": list(early_to_late)}
        return {**names, "rows": rows, "dataset": dataset.name}

    def _checkpoints(self, progress: Progress) -> dict[str, AbstractUpdateRule]:
        """Rules by name, from the untrained one to the last of one meta-training."""
        if self.meta_run is None:
            recipe = RECIPES["images"]
            by_update = {0: build_rule(recipe)}
            if self.updates:
                by_update |= kept_rules(recipe, self.updates)
                progress(f"meta-trained on letters alone, {max(self.updates):,} updates")
        else:
            by_update = {0: build_rule(recipe_to_resume(self.meta_run))}
            by_update |= {
                int(path.stem.split("-")[1]): load_rule(path)
                for path in sorted((self.meta_run / KEPT_RULES).glob("updates-*.safetensors"))
            }
            if len(by_update) == 1:
                file = self.meta_run / RULE_FILE
                by_update[int(load_rule_file(file)[1].get("updates", 1))] = load_rule(file)
            by_update = {n: by_update[n] for n in spaced(sorted(by_update), 1 + len(Text.updates))}
        rules = {f"{count:,} updates": rule for count, rule in by_update.items()}
        return {UNTRAINED if name.startswith("0 ") else name: r for name, r in rules.items()}

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
        rows, early = result["rows"], result["checkpoints"]
        names = values(rows, "learner")
        shown = {
            "from letters alone" if len(early) > 1 else UNTRAINED: [*early, "raw"],
            result["own"]: [name for name in names if name not in early],
        }
        panels = {}
        for title, some in shown.items():
            for readout in values(rows, "readout"):
                lines = [
                    self._line(name, select(rows, learner=name, readout=readout)) for name in some
                ]
                panels[f"{title}, {readout}"] = lines
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

    def _line(self, name: str, rows: Sequence[Mapping[str, Any]]) -> Line:
        if name in LEVELS:  # the same at every step
            rows = [{**rows[0], "step": step} for step in self.steps]
        return Line(
            name,
            [row["step"] for row in rows],
            [100 * row["mean"] for row in rows],
            [100 * row["standard_error"] for row in rows],
        )

    def verdict(self, result: Result) -> Verdict:
        rows, own, last = result["rows"], result["own"], max(self.steps)
        checks, parts = [], []
        for readout in values(rows, "readout"):
            found = {(r["learner"], r["step"]): r for r in select(rows, readout=readout)}

            def change(name: str, of: Any = found, readout: str = readout) -> Gain:
                return gain(of[name, last], of[name, 0], f"{name}, {readout}")

            own_change = change(own)
            above = gain(found[own, last], found["raw", None], f"{own} from raw, {readout}")
            checks += [own_change, above]
            parts += [f"{own} {own_change}, then {above} from the counts themselves ({readout})"]
            _, *trained = result["checkpoints"]
            if trained:
                best = max(trained, key=lambda name, of=found: of[name, last]["mean"])
                late = gain(found[best, last], found[trained[-1], last], readout)
                checks += [change(best), *([late] if best != trained[-1] else [])]
                parts += [
                    f"of the rules meta-trained on letters, the best at the end ({best}) "
                    f"{change(best)}, the last ({trained[-1]}) {change(trained[-1])} ({readout})"
                ]
        sentence = (
            f"Change of accuracy over {last:,} inner steps, in points: {'; '.join(parts)}. For the "
            "claim to hold the examined rule must rise and end above the counts, the best "
            "checkpoint must rise, and an earlier one be better than the last."
        )
        mine = checks[0]
        found = outcome(sum(g.clear for g in checks), len(checks))
        return Verdict(found, f"{mine} points over {last:,} inner steps", sentence)


def kept_rules(recipe: Recipe, updates: Sequence[int]) -> dict[int, AbstractUpdateRule]:
    """The averaged rule after each of the given numbers of updates of one meta-training."""
    rule = build_rule(recipe)
    buckets = build_buckets(recipe, split_rule(rule)[1])
    executor = LocalExecutor(buckets, build_estimator(recipe), clip=recipe.clip)
    config = dataclasses.replace(recipe.outer, n_updates=max(updates))
    weights = [float(bucket.n_tasks) for bucket in buckets]
    return {
        int(state.step): averaged_rule(rule, state)
        for state, _ in meta_train(rule, executor, config, weights=weights)
        if int(state.step) in updates
    }


def read_reviews(path: Path) -> LabelledSet:
    """The IMDB folder (or its `train` folder), or any folder of `.txt` files in two classes.

    At most `IMDB_ROWS` reviews, drawn by seed 0; unlabelled ones (`unsup`) are left out.

    Raises
    ------
    MissingDataError
        If there is no such folder.
    InputError
        If it does not hold texts of two classes.
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
