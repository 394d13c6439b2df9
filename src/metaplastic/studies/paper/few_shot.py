"""Few-shot accuracy of every learner on every set of images (fig. 4, left)."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from metaplastic.data.sets import list_sets, load_set
from metaplastic.errors import MissingDataError
from metaplastic.evaluation import OWN, Judged
from metaplastic.evaluation.registry import LEARNERS, Network, learners
from metaplastic.learners import RuleLearner
from metaplastic.presets.io import resolve
from metaplastic.report import Line, Table, line_figure
from metaplastic.rules.catalog import load_rule
from metaplastic.studies.paper.common import (
    UNTRAINED,
    extremes,
    gain_over_best,
    mean_gain,
    measure,
    outcome,
    percent,
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
    digest,
)

SETS = (
    "mnist14",
    "fashion14",
    "mnist",
    "fashion",
    "digits",
    "glyphs_heldout_scripts",
    "movie_snippets",
    "breast_cancer",
    "wine",
)
QUICK_SETS = ("mnist14", "digits")
PUBLISHED = {"metz2018_taught": 32, "metz2018_equivariant_taught": 48}
"""The published rule and its variant as trained here, and units at the top of their networks."""

ONE_NETWORK: Mapping[str, Any] = {
    "hidden_sizes": (64, 64),
    "n_networks": 1,
    "n_steps": 200,
    "batch_size": 64,
    "activation": "relu",
}
"""The other settings of those networks; study 503 chose the number of steps."""

RULES = ("hebb", "oja", "sanger", "krotov_hopfield", "softhebb", *PUBLISHED)
"""Other rules: those designed by hand, and the published one."""

HEADLINE_SHOTS = 10
MOST_OTHERS = 3
"""Learners in a figure beside the rule, its start, the published ones and the inputs."""

PAPER = Line("the paper's rule", [10], [80.0])
PAPER_PANEL, PAPER_READOUT = "mnist14", "ridge"
"""About 80 percent, read off the paper's figure 4, and where it is drawn."""


@dataclasses.dataclass(frozen=True)
class FewShot(AbstractExperiment):
    """Accuracy by labels a class, for every learner, on sets that are on this machine."""

    datasets: tuple[str, ...] = SETS
    left_out: tuple[str, ...] = ()
    others: tuple[str, ...] = tuple(LEARNERS)
    rules: tuple[str, ...] = RULES
    network: Network = dataclasses.field(default_factory=Network)
    shots: tuple[int, ...] = (1, 10, 50)
    n_draws: int = 30
    seeds: tuple[int, ...] = (0, 1, 2)

    name: ClassVar[str] = "few-shot"
    revision: ClassVar[int] = 2
    title: ClassVar[str] = "Accuracy from a few labels"
    claim: ClassVar[str] = (
        "Features that the meta-learned rule makes without labels are worth as much as, and "
        "sometimes more than, those of other unsupervised learning and of supervised learning on "
        "the same labels, on images that meta-training never saw (fig. 4, left)."
    )
    method: ClassVar[str] = (
        "Every learner sees the whole set without labels, its pixels in random order; two readouts "
        "are fitted to a few labelled images a class and tested on others; what learns from labels "
        "itself (the supervised network, label propagation, which sees the test images too) has "
        "none. The published rule (metz2018_taught) and its variant that does not depend on the "
        "order of units (metz2018_equivariant_taught) were taught here by base and then "
        "meta-trained on letters and drawings. Each has one network of 64, 64 and 32 or 48 "
        "units where the others have several side by side, and no direct features. The rule "
        "here was meta-trained on rendered letters, pictures, words and synthetic tasks, not on "
        "the paper's mini-ImageNet and CIFAR-10, and MNIST is a subset of 5,000 images: numbers "
        "are comparable with each other, not with the paper's. Bags of words and two small tables "
        "stand beside the images."
    )

    @classmethod
    def of(cls, options: Options) -> "FewShot":
        there = {info.name for info in list_sets() if info.available}
        wanted = QUICK_SETS if options.quick else SETS
        return cls(
            datasets=tuple(name for name in wanted if name in there),
            left_out=tuple(name for name in wanted if name not in there),
            shots=(1, 10) if options.quick else cls.shots,
            n_draws=options.n_draws,
            seeds=options.seeds,
        )

    def settings(self) -> dict[str, Any]:
        """The fields, and the settings of the other learners, which are theirs to change."""
        others = learners((), self.others, self.network)
        learned = {name: repr(learner) for name, learner in others.items()}
        rules = {name: digest(load_rule(name)) for name in self.rules if name in PUBLISHED}
        network = {**ONE_NETWORK, "hidden_sizes": list(ONE_NETWORK["hidden_sizes"])}
        published = {**network, "n_components": PUBLISHED, "rules": rules}
        return {**super().settings(), "learners": learned, "published": published}

    def run(self, subject: Subject, progress: Progress) -> Result:
        if not self.datasets:
            raise MissingDataError("no set of images is here; see: metaplastic data list")
        rows = []
        for name in self.datasets:
            dataset = load_set(name)
            smallest = min(int((dataset.y == c).sum()) for c in set(dataset.y.tolist()))
            shots = tuple(k for k in self.shots if k < smallest)
            rows += measure(
                self.learners(subject),
                dataset,
                shots=shots,
                n_draws=self.n_draws,
                seeds=self.seeds,
                progress=progress,
            )
        return {"rows": rows, "own": subject.name}

    def learners(self, subject: Subject) -> dict[str, Judged]:
        """All by name, the rule that is examined last."""
        judged = learners((), self.others, self.network)
        for rule in self.rules:
            if rule in PUBLISHED:
                own = {**ONE_NETWORK, "n_components": PUBLISHED[rule]}
                preset = resolve(rule).without_direct().with_networks(**own)
                judged[rule] = RuleLearner(preset, alias=rule)
            else:
                judged |= learners([rule], (), self.network)
        judged.pop(subject.name, None)
        network = dataclasses.asdict(self.network)
        judged[UNTRAINED] = RuleLearner(untrained().with_networks(**network))
        judged[subject.name] = RuleLearner(subject.preset.with_networks(**network))
        return judged

    def tables(self, result: Result) -> Mapping[str, Table]:
        return {
            name: self._table(select(result["rows"], dataset=name), result["own"], name)
            for name in values(result["rows"], "dataset")
        }

    def _table(self, rows: Sequence, own: str, name: str) -> Table:
        shots, readouts = values(rows, "shots"), values(rows, "readout")
        header = ("learner", *(f"{r} {k}" for r in readouts for k in shots), "fit s")
        cells = []
        for learner in values(rows, "learner"):
            some = select(rows, learner=learner)
            by_case = {(row["readout"], row["shots"]): row for row in some}
            accuracies = (percent(by_case.get((r, k))) for r in readouts for k in shots)
            cells.append((learner, *accuracies, f"{some[0]['fit_seconds']:.1f}"))
        note = (
            f"{name}: accuracy in percent \u00b1 standard error over {len(self.seeds)} seeds x "
            f"{self.n_draws} draws, by readout and labels a class."
        )
        marked = frozenset(i for i, row in enumerate(cells) if row[0] == own)
        return Table(header, tuple(cells), note, marked)

    def figures(self, result: Result) -> Mapping[str, Drawing]:
        return {
            f"few-shot-{readout}": self._figure(result, readout)
            for readout in values(result["rows"], "readout")
            if readout != OWN
        }

    def _figure(self, result: Result, readout: str) -> Drawing:
        panels = {}
        rows = [row for row in result["rows"] if row["readout"] in (readout, OWN)]
        drawn = _drawn(rows, result["own"])
        for name in values(rows, "dataset"):
            panels[name] = []
            for learner in drawn:
                some = select(rows, dataset=name, learner=learner)
                if some:
                    line = Line(
                        learner,
                        [row["shots"] for row in some],
                        [100 * row["mean"] for row in some],
                        [100 * row["standard_error"] for row in some],
                    )
                    panels[name].append(line)
            if (name, readout) == (PAPER_PANEL, PAPER_READOUT):
                panels[name].append(PAPER)
        figure = line_figure(
            panels,
            x_label="labels a class",
            y_label="accuracy in %",
            x_scale="log",
            emphasise=(result["own"], PAPER.label),
            height=2.9,
        )
        description = f"Accuracy over labels a class, {readout} readout"
        caption = (
            f"{readout} readout; bars are standard errors. Beside {result['own']}, the rule before "
            f"meta-training, the published rule and the inputs, the {MOST_OTHERS} others that are "
            f"best on the mean; all are in the tables. In {PAPER_PANEL}, under {PAPER_READOUT}, "
            "stands what the paper's figure 4 shows for its own rule with ten labels a class: "
            "about 80, on all of MNIST."
        )
        return Drawing(figure, description, caption)

    def verdict(self, result: Result) -> Verdict:
        rows, own = result["rows"], result["own"]
        gains = []
        for name in values(rows, "dataset"):
            for shots in values(select(rows, dataset=name), "shots"):
                some = select(rows, dataset=name, shots=shots)
                for mine in select(some, learner=own):
                    readout = mine["readout"]
                    there = [row for row in some if row["readout"] in (readout, OWN)]
                    others = [row for row in there if row["learner"] not in (own, UNTRAINED)]
                    where = f"{name}, {shots} labels, {readout}"
                    gains.append((shots, gain_over_best(mine, others, where)))
        clear, lost = sum(g.clear for _, g in gains), sum(g.lost for _, g in gains)
        headline = [g for shots, g in gains if shots == HEADLINE_SHOTS] or [g for _, g in gains]
        number = f"{mean_gain(headline)} points from the best other, mean over sets and readouts"
        missing = f" Not on this machine: {', '.join(self.left_out)}." if self.left_out else ""
        sentence = (
            f"In {clear} of {len(gains)} comparisons (sets, labels a class, readouts) {own} is "
            f"more than two standard errors above the best other learner, in {lost} below; "
            "the best is picked after the fact for each. The differences go "
            f"{extremes([g for _, g in gains])}.{missing}"
        )
        held = outcome(clear if lost else clear and len(gains), len(gains))
        return Verdict(held, number, sentence)


def _drawn(rows: Sequence[Mapping[str, Any]], own: str) -> list[str]:
    """Learners that a figure shows, in their order: fewer lines can be told apart."""
    names = values(rows, "learner")
    means = {
        name: sum(row["mean"] for row in some) / len(some)
        for name in names
        if (some := select(rows, learner=name))
    }
    always = {"raw", UNTRAINED, own, *PUBLISHED}
    best = sorted((n for n in names if n not in always), key=lambda n: -means[n])[:MOST_OTHERS]
    return [name for name in names if name in always or name in best]
