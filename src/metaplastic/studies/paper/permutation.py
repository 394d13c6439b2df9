"""A meta-trained network against a meta-trained rule when pixels change places (fig. 2, right)."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax

from metaplastic.data import ImageSource, load_glyphs
from metaplastic.data.sets import load_set
from metaplastic.errors import InputError
from metaplastic.learners import AbstractLearner, PrototypicalNetwork, RuleLearner
from metaplastic.report import Line, Table, line_figure
from metaplastic.studies.paper.common import (
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
from metaplastic.tasks import Augmentation, SourceTasks

INTACT, PERMUTED = "pixels in place", "pixels permuted"
NETWORK, ON_PERMUTED = "prototypical network", "the same, permuted tasks"


@dataclasses.dataclass(frozen=True)
class Permutation(AbstractExperiment):
    """Accuracy on intact and permuted images, of the rule and of meta-trained networks."""

    dataset: str = "mnist14"
    split: str = "train"
    n_classes: int = 20
    meta_steps: int = 5000
    hidden_sizes: tuple[int, ...] = (128, 128)
    n_components: int = 128
    n_steps: int = 100
    shots: tuple[int, ...] = (1, 3, 10, 50)
    n_draws: int = 30
    seeds: tuple[int, ...] = (0, 1, 2)

    name: ClassVar[str] = "permutation"
    title: ClassVar[str] = "Permuted pixels"
    claim: ClassVar[str] = (
        "A prototypical network, meta-trained to make features, does well on images like those of "
        "meta-training and fails when their pixels are permuted; a meta-trained rule, which learns "
        "its features anew from the data, does not care (fig. 2, right)."
    )
    method: ClassVar[str] = (
        "Both are meta-trained on rendered letters and judged on handwritten digits of the same "
        "size; the network has the shape of the one that the rule trains, and sees the pool's "
        "statistics, no more. The rule's own meta-training had permuted pixels, as in the paper; a "
        "network that was meta-trained with pixels permuted anew in every task is shown too. There "
        "is one meta-training of each network; standard errors are over seeds and draws after it."
    )

    @classmethod
    def of(cls, options: Options) -> "Permutation":
        return cls(
            meta_steps=300 if options.quick else cls.meta_steps,
            shots=(1, 10) if options.quick else cls.shots,
            n_draws=options.n_draws,
            seeds=options.seeds,
        )

    def run(self, subject: Subject, progress: Progress) -> Result:
        dataset = load_set(self.dataset)
        if dataset.image_shape is None or len(set(dataset.image_shape)) != 1:
            raise InputError(f"{self.dataset} does not hold square images to be permuted")
        learners: dict[str, AbstractLearner] = {}
        for name, permute in ((NETWORK, False), (ON_PERMUTED, True)):
            learners[name] = self._meta_trained(dataset.image_shape[0], permute)
            progress(f"{name}: meta-trained in {self.meta_steps:,} steps")
        learners[subject.name] = RuleLearner(
            subject.preset.without_direct().with_networks(
                hidden_sizes=self.hidden_sizes,
                n_components=self.n_components,
                n_steps=self.n_steps,
                n_networks=1,
                activation="relu",
            )
        )
        rows: list[dict[str, Any]] = []
        for pixels in (INTACT, PERMUTED):
            rows += measure(
                learners,
                dataset,
                shots=self.shots,
                n_draws=self.n_draws,
                seeds=self.seeds,
                permute=pixels == PERMUTED,
                progress=progress,
                note=f", {pixels}",
                pixels=pixels,
            )
        return {"rows": rows, "own": subject.name}

    def _meta_trained(self, side: int, permute: bool) -> PrototypicalNetwork:
        glyphs = load_glyphs(self.split)
        source = ImageSource.create(glyphs.images, glyphs.labels, self.n_classes)
        return PrototypicalNetwork.meta_train(
            SourceTasks.create(source, augmentation=Augmentation(), side=side),
            key=jax.random.key(self.seeds[0]),
            hidden_sizes=self.hidden_sizes,
            n_components=self.n_components,
            n_steps=self.meta_steps,
            permute=permute,
        )

    def tables(self, result: Result) -> Mapping[str, Table]:
        rows = result["rows"]
        shots, readouts = values(rows, "shots"), values(rows, "readout")
        cells = []
        for name in values(rows, "learner"):
            for pixels in (INTACT, PERMUTED):
                some = select(rows, learner=name, pixels=pixels)
                by_case = {(r["readout"], r["shots"]): r for r in some}
                accuracies = (percent(by_case.get((r, k))) for r in readouts for k in shots)
                cells.append((f"{name}, {pixels}", *accuracies))
        header = ("learner", *(f"{r} {k}" for r in readouts for k in shots))
        note = (
            f"{self.dataset}: accuracy in percent \u00b1 standard error over {len(self.seeds)} "
            f"seeds x {self.n_draws} draws, by readout and labels a class."
        )
        return {"Intact and permuted": Table(header, tuple(cells), note)}

    def figures(self, result: Result) -> Mapping[str, Drawing]:
        rows = result["rows"]
        panels = {}
        for readout in values(rows, "readout"):
            for pixels in (INTACT, PERMUTED):
                panels[f"{pixels}, {readout}"] = [
                    Line(
                        name,
                        [row["shots"] for row in some],
                        [100 * row["mean"] for row in some],
                        [100 * row["standard_error"] for row in some],
                    )
                    for name in values(rows, "learner")
                    if (some := select(rows, learner=name, pixels=pixels, readout=readout))
                ]
        figure = line_figure(
            panels,
            x_label="labels a class",
            y_label="accuracy in %",
            x_scale="log",
            emphasise=(result["own"],),
            share_y=True,
        )
        caption = f"{self.dataset}; bars are standard errors."
        return {"permutation": Drawing(figure, "Accuracy on intact and permuted pixels", caption)}

    def verdict(self, result: Result) -> Verdict:
        rows, own = result["rows"], result["own"]
        checks, drops, kept, leads = [], [], [], []
        for readout in values(rows, "readout"):
            for shots in values(rows, "shots"):
                some = select(rows, readout=readout, shots=shots)
                by_case = {(r["learner"], r["pixels"]): r for r in some}
                where = f"{shots} labels, {readout}"
                drop = gain(by_case[NETWORK, INTACT], by_case[NETWORK, PERMUTED], where)
                change = gain(by_case[own, PERMUTED], by_case[own, INTACT], where)
                lead = gain(by_case[own, PERMUTED], by_case[NETWORK, PERMUTED], where)
                drops.append(drop)
                kept.append(change)
                leads.append(lead)
                checks += [drop.clear, not change.lost, lead.clear]
        lost = max(drops, key=lambda g: g.points)
        worst = min(kept, key=lambda g: g.points)
        lead = min(leads, key=lambda g: g.points)
        sentence = (
            f"With permuted pixels the prototypical network loses up to {lost.points:.1f} \u00b1 "
            f"{lost.error:.1f} points ({lost.where}); {own} changes by {worst} at worst "
            f"({worst.where}), and is then at least {lead} points from the network ({lead.where})."
        )
        number = f"{worst} points at worst, against -{lost.points:.1f} \u00b1 {lost.error:.1f}"
        return Verdict(outcome(sum(checks), len(checks)), number, sentence)
