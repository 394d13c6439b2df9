"""Other depths, widths, nonlinearities and inner steps than in meta-training (fig. 5)."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from metaplastic.data.sets import load_set
from metaplastic.evaluation import LabelledSet
from metaplastic.learners import AbstractLearner, RandomNetwork, RuleLearner
from metaplastic.models import ACTIVATIONS
from metaplastic.presets import Preset
from metaplastic.report import Line, Table, line_figure
from metaplastic.report.lines import Scale
from metaplastic.studies._trajectory import AtStep, Trajectory
from metaplastic.studies.paper.common import (
    UNTRAINED,
    extremes,
    gain_over_best,
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
)

RANDOM = "random network"
WIDEST = 10_000

SWEEPS: Mapping[str, tuple[str, Scale]] = {
    "depth": ("layers", "linear"),
    "width": ("units in the hidden layer", "log"),
    "nonlinearity": ("nonlinearity", "names"),
    "inner steps": ("inner steps", "symlog"),
}
"""What is varied, how its axis is called, and its scale."""


@dataclasses.dataclass(frozen=True)
class Architecture(AbstractExperiment):
    """One thing varied at a time, the others as in `width`, `depth`, `relu` and `n_steps`."""

    dataset: str = "digits"
    depths: tuple[int, ...] = (1, 2, 3, 5, 8, 11)
    widths: tuple[int, ...] = (16, 64, 256, 1024, 4096)
    activations: tuple[str, ...] = ACTIVATIONS
    steps: tuple[int, ...] = (0, 10, 100, 1000, 10_000)
    depth: int = 3
    width: int = 128
    n_components: int = 128
    n_steps: int = 100
    shots: int = 10
    n_draws: int = 30
    seeds: tuple[int, ...] = (0, 1, 2)

    name: ClassVar[str] = "architecture"
    title: ClassVar[str] = "Other widths, depths, nonlinearities, longer learning"
    claim: ClassVar[str] = (
        "The rule works in networks that are wider, deeper and of other nonlinearities than those "
        "of meta-training, and for more inner steps than it was trained for (fig. 5)."
    )
    method: ClassVar[str] = (
        "One network, without direct connections, beside the same network left as initialised and "
        "the same network trained by the rule that meta-training started from. One thing is varied "
        "at a time, width in a network of one hidden layer. Meta-training of the shipped rule saw "
        "two to five layers of 32 to 128 units, "
        "relu and leaky relu, and at most some hundred inner steps; networks of tanh, sigmoid, "
        "sine and step are trained by a rule of their own, which met these and no other. "
        "The images are 8x8 digits, smaller and easier than the paper's."
    )

    @classmethod
    def of(cls, options: Options) -> "Architecture":
        wide = (WIDEST,) if options.wide else ()
        if not options.quick:
            return cls(widths=(*cls.widths, *wide), seeds=options.seeds)
        return cls(
            depths=(1, 3, 5, 11),
            widths=(16, 64, 256, 1024, *wide),
            steps=(0, 10, 100, 1000),
            n_draws=options.n_draws,
            seeds=options.seeds,
        )

    def run(self, subject: Subject, progress: Progress) -> Result:
        dataset = load_set(self.dataset)
        presets = {
            subject.name: subject.preset.without_direct(),
            UNTRAINED: untrained().without_direct(),
        }
        rows: list[dict[str, Any]] = []
        for sweep, value, change in self._points():
            first = self._learner(presets[subject.name], **change).preset.networks
            sizes = (*first.hidden_sizes, first.n_components)
            learners: dict[str, AbstractLearner] = {
                name: self._learner(preset, **change) for name, preset in presets.items()
            }
            learners[RANDOM] = RandomNetwork(sizes, first.activation)
            rows += self._measure(learners, dataset, sweep, value, progress)
        trajectories = {
            name: Trajectory(self._learner(preset, n_steps=max(self.steps)), self.steps)
            for name, preset in presets.items()
        }
        for step in self.steps:
            learners = {name: AtStep(each, step) for name, each in trajectories.items()}
            learners[RANDOM] = RandomNetwork((*self._hidden(), self.n_components))
            rows += self._measure(learners, dataset, "inner steps", step, progress)
        return {"rows": rows, "own": subject.name}

    def _points(self) -> Iterator[tuple[str, Any, dict[str, Any]]]:
        """What is varied, to which value, and how the learner changes."""
        for depth in self.depths:
            yield "depth", depth, {"hidden_sizes": (self.width,) * (depth - 1)}
        for width in self.widths:
            yield "width", width, {"hidden_sizes": (width,)}
        for activation in self.activations:
            yield "nonlinearity", activation, {"activation": activation}

    def _hidden(self) -> tuple[int, ...]:
        return (self.width,) * (self.depth - 1)

    def _learner(self, preset: Preset, **change: Any) -> RuleLearner:
        one: dict[str, Any] = {
            "hidden_sizes": self._hidden(),
            "n_components": self.n_components,
            "n_steps": self.n_steps,
            "n_networks": 1,
            "activation": "relu",
        }
        return RuleLearner(preset.with_networks(**{**one, **change}))

    def _measure(
        self,
        learners: Mapping[str, AbstractLearner],
        dataset: LabelledSet,
        sweep: str,
        value: Any,
        progress: Progress,
    ) -> list[dict[str, Any]]:
        return measure(
            learners,
            dataset,
            shots=(self.shots,),
            n_draws=self.n_draws,
            seeds=self.seeds,
            progress=progress,
            note=f", {sweep} {value}",
            sweep=sweep,
            value=value,
        )

    def tables(self, result: Result) -> Mapping[str, Table]:
        tables = {}
        for sweep in values(result["rows"], "sweep"):
            rows = select(result["rows"], sweep=sweep)
            names, readouts = values(rows, "learner"), values(rows, "readout")
            cells = []
            for value in values(rows, "value"):
                some = {(r["learner"], r["readout"]): r for r in select(rows, value=value)}
                accuracies = (percent(some.get((n, r))) for r in readouts for n in names)
                cells.append((str(value), *accuracies))
            header = (sweep, *(f"{n}, {r}" for r in readouts for n in names))
            note = (
                f"{self.dataset}, {self.shots} labels a class: accuracy in percent \u00b1 standard "
                f"error over {len(self.seeds)} seeds x {self.n_draws} draws; a dash: diverged."
            )
            tables[sweep.capitalize()] = Table(header, tuple(cells), note)
        return tables

    def figures(self, result: Result) -> Mapping[str, Drawing]:
        drawings = {}
        for sweep, (label, scale) in SWEEPS.items():
            rows = select(result["rows"], sweep=sweep)
            panels = {}
            for readout in values(rows, "readout"):
                panels[f"{readout} readout"] = [
                    Line(
                        name,
                        [row["value"] for row in some],
                        [100 * row["mean"] for row in some],
                        [100 * row["standard_error"] for row in some],
                    )
                    for name in values(rows, "learner")
                    if (some := select(rows, readout=readout, learner=name))
                ]
            if not panels:
                continue
            figure = line_figure(
                panels,
                x_label=label,
                y_label="accuracy in %",
                x_scale=scale,
                emphasise=(result["own"],),
                share_y=True,
            )
            caption = f"{sweep.capitalize()}. Bars are standard errors."
            stem = f"architecture-{sweep.replace(' ', '-')}"
            drawings[stem] = Drawing(figure, f"Accuracy over {label}", caption)
        return drawings

    def verdict(self, result: Result) -> Verdict:
        gains = []
        for sweep in values(result["rows"], "sweep"):
            rows = select(result["rows"], sweep=sweep)
            for value in values(rows, "value"):
                if value == 0:  # no inner step done: nothing to compare
                    continue
                for readout in values(rows, "readout"):
                    some = select(rows, value=value, readout=readout)
                    mine = select(some, learner=result["own"])
                    others = [row for row in some if row["learner"] != result["own"]]
                    if mine and others:
                        where = f"{sweep} {value}, {readout}"
                        gains.append(gain_over_best(mine[0], others, where))
        clear = sum(g.clear for g in gains)
        sentence = (
            f"{result['own']} is more than two standard errors above both the random network and "
            f"the untrained rule in {clear} of {len(gains)} comparisons; the differences to the "
            f"better of the two go {extremes(gains)}."
        )
        return Verdict(
            outcome(clear, len(gains)), f"better in {clear} of {len(gains)} comparisons", sentence
        )
