"""What the features look like while they are learned (fig. 6)."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_moons

from metaplastic.data import Dataset
from metaplastic.data.sets import load_set
from metaplastic.errors import InputError
from metaplastic.evaluation import mean_and_error
from metaplastic.learners import RuleLearner
from metaplastic.report import Line, Table, animation, field_figure, frames_figure, line_figure
from metaplastic.report.tables import with_error
from metaplastic.studies._fields import receptive_fields
from metaplastic.studies._trajectory import AtStep, Trajectory
from metaplastic.studies.paper.common import (
    Gain,
    gain,
    measure,
    outcome,
    percent,
    rounded,
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

PANELS = 6
SHOWN = 40
"""Eigenvalues drawn."""

MOON_STEPS = (0, 2, 4, 6, 8, 10, 13, 16, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200)


@dataclasses.dataclass(frozen=True)
class Features(AbstractExperiment):
    """Receptive fields and spectrum on images, two moons unfolding, over inner steps."""

    dataset: str = "mnist14"
    steps: tuple[int, ...] = (0, 10, 30, 100, 300)
    moon_steps: tuple[int, ...] = MOON_STEPS
    hidden_sizes: tuple[int, ...] = (128, 128)
    n_components: int = 128
    n_fields: int = 16
    n_moons: int = 600
    shots: int = 10
    n_draws: int = 30
    seeds: tuple[int, ...] = (0, 1, 2)

    name: ClassVar[str] = "features"
    title: ClassVar[str] = "What the features look like"
    claim: ClassVar[str] = (
        "The first layer's receptive fields, random at first, become structured; the embedding of "
        "two moons, entangled at first, comes apart over inner steps; the spectrum of the "
        "embedding changes with it (fig. 6)."
    )
    method: ClassVar[str] = (
        "One network without direct connections. Structure is measured as the correlation of "
        "weights of neighbouring pixels, which a rule that sees pixels in random order can only "
        "learn from the data. For the moons, in two columns as inputs, two measures: accuracy of "
        "the readouts from a few labels, and how the pictures look. The spectrum is that of the "
        "covariance of the features; its effective dimension is (sum of eigenvalues) squared over "
        "the sum of their squares."
    )

    @classmethod
    def of(cls, options: Options) -> "Features":
        steps = (0, 10, 100) if options.quick else cls.steps
        return cls(steps=steps, n_draws=options.n_draws, seeds=options.seeds)

    def run(self, subject: Subject, progress: Progress) -> Result:
        images = self._images(subject, progress)
        x, y = make_moons(self.n_moons, noise=0.08, random_state=self.seeds[0])
        x, y = np.asarray(x), np.asarray(y, np.int64)
        moons = Dataset("two moons", x.astype(np.float32), y, None, "", "synthetic")
        trajectory = Trajectory(self._learner(subject, max(self.moon_steps)), self.moon_steps)
        frames = [
            trajectory.at(moons.x, step, seed=self.seeds[0])(moons.x) for step in self.moon_steps
        ]
        rows: list[dict[str, Any]] = []
        middle = self.moon_steps[len(self.moon_steps) // 2]
        for step in (self.moon_steps[0], middle, max(self.moon_steps)):
            rows += measure(
                {subject.name: AtStep(trajectory, step)},
                moons,
                shots=(self.shots,),
                n_draws=self.n_draws,
                seeds=self.seeds,
                permute=False,
                progress=progress,
                note=f", step {step}",
                step=step,
            )
        planes = [rounded(p, 3) for p in aligned([to_plane(f) for f in frames])]
        return {
            "own": subject.name,
            **images,
            "moons": {"frames": planes, "labels": y.tolist(), "rows": rows},
        }

    def _learner(self, subject: Subject, n_steps: int) -> RuleLearner:
        return RuleLearner(
            subject.preset.without_direct().with_networks(
                hidden_sizes=self.hidden_sizes,
                n_components=self.n_components,
                n_steps=n_steps,
                n_networks=1,
                activation="relu",
            )
        )

    def _images(self, subject: Subject, progress: Progress) -> Result:
        """Fields of the first seed; structure and spectra of all."""
        dataset = load_set(self.dataset)
        if dataset.image_shape is None or len(set(dataset.image_shape)) != 1:
            raise InputError(f"{self.dataset} does not hold square images, so it has no fields")
        trajectory = Trajectory(self._learner(subject, max(self.steps)), self.steps)
        fields: dict[str, Any] = {}
        structure: dict[str, list[float]] = {str(step): [] for step in self.steps}
        spectra: dict[str, list[list[float]]] = {str(step): [] for step in self.steps}
        for seed in self.seeds:
            columns = np.random.default_rng([seed, 10]).permutation(dataset.x.shape[1])
            x = np.asarray(dataset.x)[:, columns]
            for step in self.steps:
                encoder = trajectory.at(x, step, seed=seed)
                every = receptive_fields(encoder, x, columns, encoder.weights[0].shape[1])
                structure[str(step)] += [round(v, 4) for v in neighbour_correlation(every)]
                spectra[str(step)].append(rounded(spectrum(encoder(x)), 6))
                if seed == self.seeds[0]:
                    fields[str(step)] = rounded(every[: self.n_fields])
            progress(f"{self.dataset}: fields and spectra of seed {seed}")
        return {"fields": fields, "structure": structure, "spectra": spectra}

    def tables(self, result: Result) -> Mapping[str, Table]:
        rows = []
        for step, tables in result["structure"].items():
            mean, error = mean_and_error(tables)
            size, spread = mean_and_error([dimension(s) for s in result["spectra"][step]])
            rows.append((step, f"{mean:.3f} \u00b1 {error:.3f}", with_error(size, spread)))
        note = (
            f"{self.dataset}: means \u00b1 standard errors over units of {len(self.seeds)} "
            f"networks, and over networks; {self.n_components} features."
        )
        header = ("inner steps", "correlation of neighbouring weights", "effective dimension")
        tables = {"Structure and spectrum": Table(header, tuple(rows), note)}
        moons = result["moons"]["rows"]
        readouts = values(moons, "readout")
        cells = []
        for step in values(moons, "step"):
            some = {r["readout"]: r for r in select(moons, step=step)}
            cells.append((str(step), *(percent(some.get(r)) for r in readouts)))
        note = f"Accuracy in percent from {self.shots} labels a class, \u00b1 standard error."
        tables["Two moons"] = Table(("inner steps", *readouts), tuple(cells), note)
        return tables

    def figures(self, result: Result) -> Mapping[str, Drawing]:
        fields = {f"after {s} inner steps": np.array(f) for s, f in result["fields"].items()}
        moons = result["moons"]
        points, labels = [np.array(f) for f in moons["frames"]], np.array(moons["labels"])
        titles = [f"step {step}" for step in self.moon_steps]
        shown = np.linspace(0, len(points) - 1, min(PANELS, len(points))).round().astype(int)
        still = frames_figure({titles[i]: points[i] for i in shown}, labels)
        words = "The features of two moons in the plane, over inner steps"
        moving = animation(points, labels, titles, words)
        means = {
            step: np.mean(some, axis=0)[:SHOWN].tolist() for step, some in result["spectra"].items()
        }
        spectra = [
            Line(f"step {step}", range(1, len(mean) + 1), mean) for step, mean in means.items()
        ]
        lines = line_figure(
            {self.dataset: spectra},
            x_label="rank of the eigenvalue",
            y_label="share of the variance",
            emphasise=(spectra[-1].label,),
            columns=1,
        )
        return {
            "features-moons": Drawing(
                still,
                words,
                "First two principal components of the features, each frame to its own scale and "
                "turned as the frame before; colours are the moons, which the rule never sees.",
            ),
            "features-moons-moving": Drawing(still, words, "The same, moving.", moving),
            "features-fields": Drawing(
                field_figure(fields),
                "Receptive fields of the first layer, over inner steps",
                "Weights times the spread of their pixel, pixels put back in their places.",
            ),
            "features-spectrum": Drawing(
                lines,
                "Eigenvalues of the covariance of features",
                "The largest; means over networks.",
            ),
        }

    def verdict(self, result: Result) -> Verdict:
        first, last = str(self.steps[0]), str(self.steps[-1])
        before, after = (np.array(result["structure"][step]) for step in (first, last))
        change, error = mean_and_error(after - before)
        structure = Gain(100 * change, 100 * error)
        moons = result["moons"]["rows"]
        end = max(self.moon_steps)
        gains = [
            gain(select(moons, step=end, readout=r)[0], select(moons, step=0, readout=r)[0], r)
            for r in values(moons, "readout")
        ]
        sizes = [np.mean([dimension(s) for s in result["spectra"][k]]) for k in (first, last)]
        sentence = (
            f"Neighbouring weights correlate at {_unsigned(before.mean())} before and "
            f"{_unsigned(after.mean())} after {last} inner steps, a change of {change:+.3f} "
            f"\u00b1 {error:.3f}. The accuracy on two moons changes by "
            + ", ".join(f"{g} points ({g.where})" for g in gains)
            + f" over {end} steps. The effective dimension of the embedding goes from "
            f"{sizes[0]:.1f} to {sizes[1]:.1f}."
        )
        clear = [structure.clear, *(g.clear for g in gains)]
        number = f"correlation of neighbouring weights {change:+.2f} \u00b1 {error:.2f}"
        return Verdict(outcome(sum(clear), len(clear)), number, sentence)


def neighbour_correlation(fields: NDArray) -> list[float]:
    """Per field `(unit, side, side)`: correlation of weights one pixel apart, both directions."""
    correlations = []
    for field in np.asarray(fields, np.float64):
        left = np.concatenate([field[:, :-1].ravel(), field[:-1].ravel()])
        right = np.concatenate([field[:, 1:].ravel(), field[1:].ravel()])
        flat = left.std() == 0 or right.std() == 0
        correlations.append(0.0 if flat else float(np.corrcoef(left, right)[0, 1]))
    return correlations


def spectrum(features: NDArray) -> NDArray[np.float64]:
    """Eigenvalues of the covariance of features `(n, d)`, falling, as shares of their sum."""
    centred = np.asarray(features, np.float64) - features.mean(0, dtype=np.float64)
    eigenvalues = np.maximum(np.linalg.eigvalsh(centred.T @ centred)[::-1], 0.0)
    return eigenvalues / max(eigenvalues.sum(), 1e-300)


def dimension(shares: Any) -> float:
    """Effective dimension of a spectrum: squared sum over sum of squares."""
    shares = np.asarray(shares, np.float64)
    return float(shares.sum() ** 2 / max(np.square(shares).sum(), 1e-300))


def to_plane(features: NDArray) -> NDArray[np.float64]:
    """The first two principal components `(n, 2)`, of unit root mean square together."""
    centred = np.asarray(features, np.float64) - features.mean(0, dtype=np.float64)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    points = u[:, :2] * s[:2]
    return points / max(np.sqrt(np.square(points).mean()), 1e-12)


def aligned(frames: list[NDArray]) -> list[NDArray]:
    """Each frame `(n, 2)` turned and mirrored to be as near as can be to the one before."""
    turned = frames[:1]
    for points in frames[1:]:
        u, _, v = np.linalg.svd(points.T @ turned[-1])
        turned.append(points @ (u @ v))
    return turned


def _unsigned(value: float) -> str:
    """Two decimals, and no minus before a zero."""
    return f"{round(value, 2) + 0.0:.2f}"
