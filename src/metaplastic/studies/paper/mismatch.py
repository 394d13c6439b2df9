"""What an objective wants and what features are good for (fig. 2, left)."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from metaplastic.data.sets import load_set
from metaplastic.evaluation import mean_and_error
from metaplastic.learners import AbstractLearner, RuleLearner, VariationalAutoencoder
from metaplastic.learners.pool import subsample
from metaplastic.learners.rule_learner import FREEZE_ROWS
from metaplastic.models import FrozenMLP, dense
from metaplastic.report import Line, Table, line_figure
from metaplastic.studies._trajectory import AtStep, Trajectory
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
from metaplastic.types import Rows

VAE = "VAE"
LOSS_ROWS = 2000


@dataclasses.dataclass(frozen=True)
class Mismatch(AbstractExperiment):
    """A variational autoencoder by length of training, a rule by inner steps."""

    dataset: str = "mnist14"
    vae_steps: tuple[int, ...] = (0, 30, 100, 300, 1000, 3000, 10_000)
    rule_steps: tuple[int, ...] = (0, 10, 30, 100, 300, 1000)
    hidden_sizes: tuple[int, ...] = (128, 128)
    n_components: int = 64
    beta: float = 1.0
    shots: int = 10
    n_draws: int = 30
    seeds: tuple[int, ...] = (0, 1, 2)

    name: ClassVar[str] = "mismatch"
    title: ClassVar[str] = "A mismatch of objectives"
    claim: ClassVar[str] = (
        "The longer a variational autoencoder is trained, the better its objective, but from some "
        "point on its features become worse for few-shot classification; the features of the "
        "meta-learned rule keep getting better over inner steps (fig. 2, left)."
    )
    method: ClassVar[str] = (
        "One encoder of the same shape for both. Every length of training of the variational "
        "autoencoder (Bernoulli likelihood, the whole divergence, AdamW) is a training of its own, "
        "the learning rate following that length; its objective is the negative evidence lower "
        "bound, in nats per pixel, of rows of the pool that it was trained on. Whether an accuracy "
        "falls is measured from the best length, which is picked after the fact, to the longest."
    )

    @classmethod
    def of(cls, options: Options) -> "Mismatch":
        return cls(
            vae_steps=(0, 30, 100, 300, 1000) if options.quick else cls.vae_steps,
            rule_steps=(0, 10, 30, 100, 300) if options.quick else cls.rule_steps,
            n_draws=options.n_draws,
            seeds=options.seeds,
        )

    def settings(self) -> dict[str, Any]:
        """The fields, and the settings of the autoencoder, which are its own to change."""
        return {**super().settings(), "vae": repr(VariationalAutoencoder())}

    def run(self, subject: Subject, progress: Progress) -> Result:
        dataset = load_set(self.dataset)
        shape: dict[str, Any] = {
            "hidden_sizes": self.hidden_sizes,
            "n_components": self.n_components,
        }
        how: dict[str, Any] = {
            "shots": (self.shots,),
            "n_draws": self.n_draws,
            "seeds": self.seeds,
            "progress": progress,
        }
        rows: list[dict[str, Any]] = []
        losses: dict[str, list[float]] = {}
        for step in self.vae_steps:
            watched = Watched(VariationalAutoencoder(**shape, beta=self.beta, n_steps=step))
            rows += measure(
                {VAE: watched}, dataset, **how, note=f", {step} steps", keep=False, step=step
            )
            losses[str(step)] = [round(loss, 6) for loss in watched.losses]
        learner = RuleLearner(
            subject.preset.without_direct().with_networks(
                **shape,
                activation="relu",
                n_steps=max(self.rule_steps),
                n_networks=1,
            )
        )
        trajectory = Trajectory(learner, self.rule_steps)
        for step in self.rule_steps:
            point = {subject.name: AtStep(trajectory, step)}
            rows += measure(point, dataset, **how, note=f", {step} steps", step=step)
        return {"rows": rows, "losses": losses, "own": subject.name}

    def tables(self, result: Result) -> Mapping[str, Table]:
        rows = result["rows"]
        readouts = values(rows, "readout")
        cells = []
        for name in values(rows, "learner"):
            for step in values(select(rows, learner=name), "step"):
                some = {r["readout"]: r for r in select(rows, learner=name, step=step)}
                loss = f"{np.mean(result['losses'][str(step)]):.4f}" if name == VAE else "-"
                cells.append((name, f"{step:,}", *(percent(some.get(r)) for r in readouts), loss))
        header = ("learner", "steps", *(f"{r} %" for r in readouts), "objective")
        note = (
            f"{self.dataset}, {self.shots} labels a class: accuracy in percent \u00b1 standard "
            f"error over {len(self.seeds)} seeds x {self.n_draws} draws; the objective in nats per "
            "pixel, less is better."
        )
        return {"Accuracy and objective": Table(header, tuple(cells), note)}

    def figures(self, result: Result) -> Mapping[str, Drawing]:
        rows, own = result["rows"], result["own"]
        accuracy = {
            f"{name}: accuracy in %": [
                Line(
                    f"{readout} readout",
                    [row["step"] for row in some],
                    [100 * row["mean"] for row in some],
                    [100 * row["standard_error"] for row in some],
                )
                for readout in values(rows, "readout")
                if (some := select(rows, learner=name, readout=readout))
            ]
            for name in (VAE, own)
        }
        means = [mean_and_error(result["losses"][str(step)]) for step in self.vae_steps]
        objective = Line("objective", self.vae_steps, [m for m, _ in means], [e for _, e in means])
        panels = {**accuracy, f"{VAE}: objective, nats per pixel": [objective]}
        figure = line_figure(
            panels,
            x_label="steps",
            y_label="",
            x_scale="symlog",
            emphasise=("objective",),
            columns=1,
            height=2.0,
        )
        caption = f"{self.dataset}, {self.shots} labels a class; bars are standard errors."
        description = "Accuracy over training steps, and the autoencoder's objective"
        return {"mismatch": Drawing(figure, description, caption)}

    def verdict(self, result: Result) -> Verdict:
        rows, own = result["rows"], result["own"]
        checks, falls = [], {}
        for readout in values(rows, "readout"):
            for name in (VAE, own):
                some = select(rows, learner=name, readout=readout)
                best = max(some, key=lambda row: row["mean"])
                falls[name, readout] = gain(
                    some[-1], best, f"{best['step']:,} to {some[-1]['step']:,} steps"
                )
            checks += [falls[VAE, readout].lost, not falls[own, readout].lost]
        losses = [float(np.mean(result["losses"][str(step)])) for step in self.vae_steps]
        improved = losses[-1] < min(losses[:-1])
        described = "; ".join(
            f"{name} {fall} points ({readout}, {fall.where})"
            for (name, readout), fall in falls.items()
        )
        sentence = (
            f"From the best length to the longest, accuracy changes: {described}. The objective of "
            f"the VAE goes from {losses[0]:.3f} to {losses[-1]:.3f} nats per pixel, and is "
            f"{'best' if improved else 'not best'} at the longest."
        )
        first = values(rows, "readout")[0]
        number = f"VAE {falls[VAE, first]}, {own} {falls[own, first]} points past their best"
        checks.append(improved)
        return Verdict(outcome(sum(checks), len(checks)), number, sentence)


@dataclasses.dataclass(frozen=True)
class Watched(AbstractLearner):
    """A variational autoencoder that notes its objective on rows of the pool after each fit."""

    name: ClassVar[str] = "watched"

    vae: VariationalAutoencoder
    losses: list[float] = dataclasses.field(default_factory=list)

    def fit(self, x: Rows, *, seed: int) -> FrozenMLP:
        """As the autoencoder's."""
        model, parameters = self.vae.fit_parameters(x, seed=seed)
        batch = jnp.asarray(dense(subsample(x, LOSS_ROWS, seed=seed)))
        loss = self.vae.loss(x, model.presentation)(parameters, batch, key=jax.random.key(seed))
        self.losses.append(float(loss))
        return self.vae.freeze(model, parameters.head, subsample(x, FREEZE_ROWS, seed=seed))
