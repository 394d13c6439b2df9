"""The learned rule taken apart: shares of its terms, its curves, an ablation of each part."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from metaplastic.data.sets import load_set
from metaplastic.learners import RuleLearner, plain_learner
from metaplastic.learners.pool import Shuffled, draw_batches
from metaplastic.models import MLP, Trace
from metaplastic.report import Line, Table, learner_figure, line_figure
from metaplastic.rules import LocalRule
from metaplastic.rules.local.dissect import (
    PARTS,
    ablations,
    as_local,
    dissect,
    pair_factors,
    shares,
)
from metaplastic.studies.paper.common import (
    extremes,
    gain,
    measure,
    outcome,
    percent,
    select,
    to_record,
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
from metaplastic.studies.paper.pairs import CLASSICAL, Pairs

WHOLE = "the whole rule"


@dataclasses.dataclass(frozen=True)
class Terms(AbstractExperiment):
    """Shares by layer and step, curves at `curve_step`, and accuracy without each part."""

    dataset: str = "mnist14"
    steps: tuple[int, ...] = (0, 3, 10, 30, 100)
    curve_step: int = 30
    hidden_sizes: tuple[int, ...] = (128, 128)
    n_components: int = 128
    batch_size: int = 128
    n_steps: int = 100
    shots: int = 10
    n_draws: int = 30
    seeds: tuple[int, ...] = (0, 1, 2)

    name: ClassVar[str] = "terms"
    title: ClassVar[str] = "What the rule has learned, taken apart"
    claim: ClassVar[str] = (
        "Beyond the paper: every part of the learned rule is needed. Asked by taking one part away "
        "at a time, without any training anew."
    )
    method: ClassVar[str] = (
        "One network without direct connections. Shares: the change of weights is a sum of terms, "
        "and the first, Hebbian one a sum over what its post-synaptic factor reads; a share is the "
        "part's projection on the whole change, so shares add up to one, and one below zero works "
        "against the others. Curves: what one sample adds to the change of a weight through the "
        "Hebbian term, averaged over samples and pairs of units by post-synaptic drive, for quiet, "
        "middling and strong pre-synaptic activity, each in units of its own root mean square "
        "(the post-synaptic factor less its mean over the batch, which has no effect in sum); "
        "Hebb, Oja and BCM on the same activities beside it. Ablation: accuracy when the part is "
        "set to zero."
    )

    @classmethod
    def of(cls, options: Options) -> "Terms":
        dataset = "digits" if options.quick else "mnist14"
        return cls(dataset=dataset, n_draws=options.n_draws, seeds=options.seeds)

    def run(self, subject: Subject, progress: Progress) -> Result:
        rule = as_local(subject.preset.rules.main)
        dataset = load_set(self.dataset)
        x = np.asarray(dataset.x, np.float32)
        result = {"own": subject.name, "shares": self._shares(rule, x)}
        progress("shares of the terms")
        result["curves"] = self._curves(rule, x, subject.name)
        progress("curves")
        variants = {WHOLE: rule, **{f"without {k}": v for k, v in ablations(rule).items()}}
        result["rows"] = measure(
            {name: self._learner(each) for name, each in variants.items()},
            dataset,
            shots=(self.shots,),
            n_draws=self.n_draws,
            seeds=self.seeds,
            progress=progress,
        )
        return result

    def _learner(self, rule: Any, n_steps: int | None = None) -> RuleLearner:
        return plain_learner(
            rule,
            hidden_sizes=self.hidden_sizes,
            n_components=self.n_components,
            n_steps=self.n_steps if n_steps is None else n_steps,
            batch_size=self.batch_size,
            n_networks=1,
            activation="relu",
        )

    def _models(self, rule: LocalRule, x: NDArray, seed: int) -> dict[int, tuple[MLP, Trace, Any]]:
        """By inner steps done: the model, its trace on a batch, the state of the rule."""
        stops = sorted({*self.steps, self.curve_step})
        batch = draw_batches(x, Shuffled(len(x), seed=seed + 1000), 1, self.batch_size)[0]
        models_of: dict[int, tuple[MLP, Trace, Any]] = {}

        def keep(step: int, models: tuple[MLP, ...], states: tuple[Any, ...]) -> None:
            model, state = jax.tree.map(jnp.asarray, (models[0], states[0]))
            models_of[step] = (model, model.trace(jnp.asarray(batch)), state)

        self._learner(rule, max(stops)).fit_with_snapshots(
            x, seed=seed, snapshot_steps=stops, on_snapshot=keep
        )
        return models_of

    def _shares(self, rule: LocalRule, x: NDArray) -> list[dict[str, Any]]:
        """Rows of layer, step, part and its share for every seed."""
        compute = eqx.filter_jit(lambda r, *a: [shares(layer) for layer in dissect(r, *a)])
        rows: dict[tuple[int, int, str], list[float]] = {}
        for seed in self.seeds:
            models = self._models(rule, x, seed)
            for step in self.steps:
                for layer, found in enumerate(compute(rule, *models[step]), 1):
                    for part in (p for p in PARTS if p in found):
                        share = round(float(found[part]), 4)
                        rows.setdefault((layer, step, part), []).append(share)
        keys = ("layer", "step", "part")
        return [{**dict(zip(keys, key, strict=True)), "shares": s} for key, s in rows.items()]

    def _curves(self, rule: LocalRule, x: NDArray, name: str) -> dict[str, Any]:
        """By panel and level of pre-synaptic activity: drives and mean changes."""
        seed = self.seeds[0]
        model, trace, state = self._models(rule, x, seed)[self.curve_step]
        start = as_local(untrained().rules.main)
        top = len(trace) - 1
        panels = {
            f"{name}, first layer": (rule, 0),
            f"{name}, top layer": (rule, top),
            "before meta-training, top": (start, top),
        }
        chosen = np.random.default_rng([seed, 13])
        curves = {}
        for title, (which, layer) in panels.items():
            pre, post = pair_factors(which, model, trace, state, layer)
            pairs = Pairs.draw(model, trace, layer, chosen)
            # Pre-synaptic factors are centred over the batch: a constant post-synaptic one adds
            # nothing in sum, and is left out.
            post = np.asarray(post) - np.mean(post, axis=1, keepdims=True)
            there = np.asarray(pre)[:, pairs.sample, pairs.pre]
            change = np.sum(there * post[:, pairs.sample, pairs.post], axis=0)
            curves[title] = pairs.binned(change)
        pairs = Pairs.draw(model, trace, top, chosen)
        for title, function in CLASSICAL.items():
            curves[title] = pairs.binned(function(pairs))
        return curves

    def tables(self, result: Result) -> Mapping[str, Table]:
        rows = result["rows"]
        readouts = values(rows, "readout")
        whole = {r["readout"]: r for r in select(rows, learner=WHOLE)}
        cells = []
        for name in values(rows, "learner"):
            some = {r["readout"]: r for r in select(rows, learner=name)}
            losses = ["" if name == WHOLE else str(gain(some[r], whole[r])) for r in readouts]
            cells.append((name, *(percent(some.get(r)) for r in readouts), *losses))
        header = ("rule", *(f"{r} %" for r in readouts), *(f"{r} change" for r in readouts))
        note = (
            f"{self.dataset}, {self.shots} labels a class: accuracy in percent \u00b1 standard "
            f"error over {len(self.seeds)} seeds x {self.n_draws} draws; changes are paired."
        )
        ablation = Table(header, tuple(cells), note, frozenset([0]))
        return {"Ablation": ablation, "Shares of the change of weights": self._share_table(result)}

    def _share_table(self, result: Result) -> Table:
        rows = result["shares"]
        layers, steps = values(rows, "layer"), (self.steps[0], self.steps[-1])
        cells = []
        for part in values(rows, "part"):
            shares = {(r["layer"], r["step"]): r["shares"] for r in select(rows, part=part)}
            shown = (f"{np.mean(shares[layer, step]):+.2f}" for layer in layers for step in steps)
            cells.append((part, *shown))
        header = ("part", *(f"layer {k}, step {s}" for k in layers for s in steps))
        return Table(header, tuple(cells), "Means over seeds; the parts of a column add up to one.")

    def figures(self, result: Result) -> Mapping[str, Drawing]:
        rows = result["shares"]
        panels = {
            f"layer {layer}": [
                Line(
                    part,
                    [r["step"] for r in some],
                    [float(np.mean(r["shares"])) for r in some],
                )
                for part in values(rows, "part")
                if (some := select(rows, layer=layer, part=part))
            ]
            for layer in values(rows, "layer")
        }
        shared = line_figure(
            panels,
            x_label="inner steps",
            y_label="share of the change",
            x_scale="symlog",
            zero=True,
            share_y=True,
        )
        curves = line_figure(
            {
                title: [Line(level, *points) for level, points in levels.items()]
                for title, levels in result["curves"].items()
            },
            x_label="post-synaptic drive",
            y_label="change of weight",
            zero=True,
        )
        records = [to_record(row) for row in result["rows"]]
        return {
            "terms-ablation": Drawing(
                learner_figure(records, emphasise=(WHOLE,)),
                "Accuracy of the rule without each of its parts",
                "One part set to zero at a time; bars are standard errors.",
            ),
            "terms-curves": Drawing(
                curves,
                "Change of a weight over post-synaptic drive, for three levels of input",
                f"Mean change by post-synaptic drive after {self.curve_step} inner steps; in units "
                "of its root mean square over all pairs.",
            ),
            "terms-shares": Drawing(
                shared,
                "Share of each part of the update over inner steps, by layer",
                "Means over seeds; the shares of a layer add up to one at every step.",
            ),
        }

    def verdict(self, result: Result) -> Verdict:
        rows = result["rows"]
        whole = {r["readout"]: r for r in select(rows, learner=WHOLE)}
        losses = {}
        for name in values(rows, "learner"):
            if name != WHOLE:
                some = select(rows, learner=name)
                losses[name] = [gain(whole[r["readout"]], r, name) for r in some]
        needed = [name for name, of_term in losses.items() if all(g.clear for g in of_term)]
        every = [g for of_term in losses.values() for g in of_term]
        sentence = (
            f"Without {len(needed)} of {len(losses)} parts accuracy is more than two standard "
            f"errors lower with every readout; what a part is worth goes {extremes(every)}."
        )
        return Verdict(
            outcome(len(needed), len(losses)),
            f"{len(needed)} of {len(losses)} parts are needed",
            sentence,
        )
