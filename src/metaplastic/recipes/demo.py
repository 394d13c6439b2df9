"""The main job on real data: features of handwritten digits, learnt without labels, compared.

`run_demo` trains every learner on the same 5,000 permuted images, judges all by the protocol of
`meta.evaluation`, and writes a table, a result file, four pictures and one page.
"""

import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from metaplastic.data.sets import load_set
from metaplastic.errors import InputError
from metaplastic.files import write_atomically
from metaplastic.learners import (
    PCA,
    AbstractLearner,
    KMeansTriangle,
    RandomNetwork,
    Raw,
    RuleLearner,
)
from metaplastic.learners.pool import subsample
from metaplastic.learners.rule_learner import FREEZE_ROWS
from metaplastic.meta.evaluation import LabelledSet, evaluate
from metaplastic.meta.records import Record, compare, provenance, to_json
from metaplastic.models import FrozenMLP, freeze
from metaplastic.recipes.base import RECIPES, build_rule
from metaplastic.report import (
    Section,
    comparison_table,
    embedding_figure,
    field_figure,
    html_page,
    inline_svg,
    learner_figure,
    require_matplotlib,
    save_png,
    step_figure,
)
from metaplastic.rules import AbstractUpdateRule
from metaplastic.rules.catalog import load_rule

HAND_DESIGNED = ("hebb", "oja", "sanger", "krotov_hopfield", "softhebb")
UNTRAINED = "untrained rule"
BASELINES = ("raw", "PCA-32", "k-means-32", "k-means-400")
RESULTS = "results.json"


@dataclasses.dataclass(frozen=True)
class DemoConfig:
    """Sizes of the demo; the network and its training are the defaults of `RuleLearner`.

    `curve_steps` are the inner steps at which accuracy is measured for the curve (with
    `curve_draws` draws a seed), besides the last one; `n_points` and `n_fields` are the images
    embedded and the receptive fields drawn.
    """

    dataset: str = "mnist14"
    shots: int = 10
    n_seeds: int = 3
    n_draws: int = 30
    curve_steps: tuple[int, ...] = (0, 10, 25, 50, 100, 200, 400)
    curve_draws: int = 10
    n_points: int = 1000
    n_fields: int = 32
    hidden_sizes: tuple[int, ...] = RuleLearner.hidden_sizes
    n_components: int = RuleLearner.n_components
    n_steps: int = RuleLearner.n_steps
    batch_size: int = RuleLearner.batch_size


QUICK = DemoConfig(n_seeds=1, n_draws=10, curve_steps=(0, 50), curve_draws=5, n_points=500)
"""A look in passing: one seed, few draws."""


def run_demo(
    out: Path = Path("demo"),
    *,
    rule: str | Path | AbstractUpdateRule = "base",
    seed: int = 0,
    quick: bool = False,
    config: DemoConfig | None = None,
    dataset: LabelledSet | None = None,
    show: bool = True,
) -> dict[str, Any]:
    """Learn, compare, and write `index.html`, PNG figures, `table.md` and `results.json` to `out`.

    The table goes to standard output (unless `show` is false), progress to standard error.

    Args:
        out: folder; made if it is not there. Files of an earlier demo in it are replaced.
        rule: a name or path that `load_rule` takes, or a rule.
        seed: the first of the seeds; the others follow it.
        quick: use `QUICK` where no `config` is given.
        config: sizes.
        dataset: images and labels instead of those that `config` names; only square images have
            their receptive fields drawn.

    Returns:
        What `results.json` holds: `provenance`, `records`, `curve` and `seconds`.

    Raises:
        MissingDataError: if matplotlib or the images are not installed; it names the extra.
        InputError: for an unknown rule or a folder that holds something else.
    """
    started = time.perf_counter()
    config = config or (QUICK if quick else DemoConfig())
    require_matplotlib()
    trained = load_rule(rule)
    dataset = load_set(config.dataset) if dataset is None else dataset
    out = _prepare(Path(out))
    seeds = tuple(range(seed, seed + config.n_seeds))

    def progress(text: str) -> None:
        print(f"[{time.perf_counter() - started:4.0f} s] {text}", file=sys.stderr, flush=True)

    name = _rule_name(rule)
    learners = demo_learners(config, trained, name)
    progress(f"{dataset.name}: {len(learners)} learners, seeds {', '.join(map(str, seeds))}")
    records = _judge(learners, dataset, config, seeds, progress)
    table = comparison_table(records, emphasise=(name,))
    if show:
        print(table.text(), end="", flush=True)
    learner = demo_learner(config, trained)
    curve = _curve(learner, name, dataset, config, seeds, progress)
    figures = _figures(learner, name, records, curve, dataset, config, seed, progress)
    facts = provenance(seeds=seeds)
    facts["settings"] = {"rule": name, **dataclasses.asdict(config)}
    page = _page(name, records, figures, facts, dataset)
    results = json.loads(to_json(records, facts))
    results["curve"] = [
        {"step": step} | dataclasses.asdict(r) for step, some in curve.items() for r in some
    ]
    results["seconds"] = round(time.perf_counter() - started, 1)
    write_atomically(out / "index.html", page.encode())
    write_atomically(out / "table.md", table.markdown().encode())
    for title, figure in figures.items():
        save_png(figure, out / f"{title}.png")
    write_atomically(out / RESULTS, (json.dumps(results, indent=1) + "\n").encode())
    progress(f"wrote {out / 'index.html'} and its pictures")
    return results


def demo_learner(config: DemoConfig, rule: AbstractUpdateRule) -> RuleLearner:
    """The network of the demo, trained by `rule`."""
    return RuleLearner(
        rule,
        hidden_sizes=config.hidden_sizes,
        n_components=config.n_components,
        n_steps=config.n_steps,
        batch_size=config.batch_size,
    )


def demo_learners(
    config: DemoConfig, rule: AbstractUpdateRule, name: str
) -> dict[str, AbstractLearner]:
    """All learners by name, in the order of the table; `rule` comes last."""
    untrained = build_rule(RECIPES["base"])
    return {
        "raw": Raw(),
        "PCA-32": PCA(32),
        "k-means-32": KMeansTriangle(32),
        "k-means-400": KMeansTriangle(400),
        "random network": RandomNetwork((*config.hidden_sizes, config.n_components)),
        **{hand: demo_learner(config, load_rule(hand)) for hand in HAND_DESIGNED if hand != name},
        **({} if name == "local" else {UNTRAINED: demo_learner(config, untrained)}),
        name: demo_learner(config, rule),
    }


def _judge(
    learners: Mapping[str, AbstractLearner],
    dataset: LabelledSet,
    config: DemoConfig,
    seeds: Sequence[int],
    progress: Callable[[str], None],
) -> list[Record]:
    """Records of all learners, judged one by one for the sake of progress.

    Draws depend on the seeds alone, so this equals judging them together.
    """
    records: list[Record] = []
    for name, learner in learners.items():
        found = evaluate(
            {name: learner},
            dataset,
            shots=(config.shots,),
            n_draws=config.n_draws,
            seeds=seeds,
        )
        progress(f"{name}: " + ", ".join(f"{r.readout} {100 * r.mean:.1f} %" for r in found))
        records += found
    return records


class _Trajectory:
    """The encoders along one training, which is done once per seed and pool."""

    def __init__(self, learner: RuleLearner, steps: Sequence[int]) -> None:
        self._learner = learner
        self.steps = sorted({s for s in steps if s <= learner.n_steps} | {learner.n_steps})
        self._found: dict[int, tuple[NDArray, dict[int, FrozenMLP]]] = {}

    def at(self, x: NDArray, step: int, *, seed: int) -> FrozenMLP:
        """The encoder after `step` inner steps on the pool `x`."""
        if seed not in self._found or not np.array_equal(self._found[seed][0], x):
            encoders: dict[int, FrozenMLP] = {}
            rows = subsample(x, FREEZE_ROWS, seed=seed)
            self._learner.fit_with_snapshots(
                x,
                seed=seed,
                snapshot_steps=self.steps,
                on_snapshot=lambda done, model, _: encoders.update({done: freeze(model, rows)}),
            )
            self._found[seed] = (x, encoders)
        return self._found[seed][1][step]


@dataclasses.dataclass(frozen=True)
class _AtStep(AbstractLearner):
    """One point of a trajectory, as a learner."""

    name: ClassVar[str] = "at step"

    trajectory: _Trajectory
    step: int

    def fit(self, x: NDArray, *, seed: int) -> FrozenMLP:
        return self.trajectory.at(x, self.step, seed=seed)


def _curve(
    learner: RuleLearner,
    name: str,
    dataset: LabelledSet,
    config: DemoConfig,
    seeds: Sequence[int],
    progress: Callable[[str], None],
) -> dict[int, list[Record]]:
    """Records by inner steps done."""
    trajectory = _Trajectory(learner, config.curve_steps)
    curve = {
        step: evaluate(
            {name: _AtStep(trajectory, step)},
            dataset,
            shots=(config.shots,),
            n_draws=config.curve_draws,
            seeds=seeds,
        )
        for step in trajectory.steps
    }
    progress(f"accuracy after {', '.join(map(str, curve))} inner steps")
    return curve


def _figures(
    learner: RuleLearner,
    name: str,
    records: list[Record],
    curve: dict[int, list[Record]],
    dataset: LabelledSet,
    config: DemoConfig,
    seed: int,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """All figures by the stem of their file."""
    x = np.asarray(dataset.x).reshape(len(dataset.y), -1)
    columns = np.random.default_rng(seed).permutation(x.shape[1])
    trajectory = _Trajectory(learner, (0,))
    before, after = (trajectory.at(x[:, columns], step, seed=seed) for step in (0, learner.n_steps))
    chosen = np.random.default_rng(seed).permutation(len(x))[: config.n_points]
    rows = x[chosen][:, columns]
    steps = f"after {learner.n_steps} inner steps of {name}"
    planes = {
        "before: features of the network as initialised": _plane(before(rows), seed),
        f"{steps}": _plane(after(rows), seed),
    }
    figures = {
        "learners": learner_figure(records, emphasise=(name,)),
        "steps": step_figure(curve, [r for r in records if r.learner in BASELINES]),
        "embedding": embedding_figure(planes, dataset.y[chosen]),
    }
    if math.isqrt(x.shape[1]) ** 2 == x.shape[1]:
        fields = {
            "before: as initialised": _fields(before, x, columns, config.n_fields),
            f"{steps}": _fields(after, x, columns, config.n_fields),
        }
        figures["fields"] = field_figure(fields)
    progress("figures")
    return figures


def _plane(features: NDArray, seed: int) -> NDArray:
    """t-SNE of features `(n, d)` to `(n, 2)`: for drawing only, nothing is judged by it."""
    scaled = features / max(float(features.std()), 1e-12)
    perplexity = min(30.0, (len(features) - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init="pca", max_iter=500, random_state=seed)
    # A thousand points: more threads mostly wait for each other, on a busy machine for minutes.
    with threadpool_limits(1):
        return tsne.fit_transform(scaled)


def _fields(encoder: FrozenMLP, x: NDArray, columns: NDArray, count: int) -> NDArray:
    """First-layer weights as images `(count, side, side)`, pixels back in their places.

    A weight is multiplied by the standard deviation of its (scaled) input, so that pixels which
    never vary, and whose weights are therefore arbitrary, show nothing.
    """
    deviation = encoder.layer_outputs(x[:, columns], 0).std(axis=0)
    contribution = (encoder.weights[0] * deviation[:, None]).T[:count]
    images = np.zeros_like(contribution)
    images[:, columns] = contribution
    side = math.isqrt(images.shape[1])
    return images.reshape(-1, side, side)


def _page(
    name: str,
    records: list[Record],
    figures: Mapping[str, Any],
    facts: Mapping[str, Any],
    dataset: LabelledSet,
) -> str:
    def svg(stem: str, description: str) -> str:
        return inline_svg(figures[stem], stem, description)

    sections = [
        Section(
            "Comparison",
            (verdict(records, name),),
            comparison_table(records, emphasise=(name,)),
            svg("learners", "Accuracy of every learner, with standard errors, for both readouts"),
            "The numbers of the table. Dots are means, bars standard errors.",
        ),
        Section(
            "Accuracy over inner steps",
            (
                f"An inner step shows {name} one batch of unlabelled images. The labels only "
                "judge the features afterwards; no step ever sees one.",
            ),
            figure=svg("steps", "Accuracy after numbers of inner steps, beside baselines"),
            caption="Bands are standard errors; level lines are other learners of the table.",
        ),
    ]
    if "fields" in figures:
        section = Section(
            "What the first layer looks for",
            (
                "Receptive fields of the first units of the first layer. The pixels were shuffled "
                "while the rule worked and are put back in place for this picture only.",
            ),
            figure=svg("fields", "Receptive fields before and after learning, as images"),
            caption="Weights times the spread of their pixel; each unit has a scale of its own.",
        )
        sections.append(section)
    sections.append(
        Section(
            "The embedding before and after",
            (
                "The features of some images, brought to the plane by t-SNE. This is used for "
                "drawing only: distances and shapes in it are not results. Colours and numerals "
                "are the classes, which the learner never saw.",
            ),
            figure=svg("embedding", "Features in the plane before and after learning"),
        )
    )
    lead = (
        f"{len(dataset.y):,} images of {dataset.name}, their pixels in random order. A small "
        f"network learns features from them without labels, by the update rule {name}; then a "
        "linear readout learns from a few labelled images a class and is tested on the others."
    )
    return html_page("Features learnt without labels", lead, sections, facts)


def verdict(records: Sequence[Record], name: str) -> str:
    """What the table says of learner `name` against the best other one, readout by readout."""
    sentences = []
    for readout in dict.fromkeys(record.readout for record in records):
        some = [record for record in records if record.readout == readout]
        own = next(record for record in some if record.learner == name)
        best = max((r for r in some if r is not own), key=lambda record: record.mean)
        gain, error = (100 * value for value in compare(own, best))
        clear = "more" if abs(gain) > 2 * error else "not more"
        sentences.append(
            f"With the {readout} readout {name} reaches {100 * own.mean:.1f} %, "
            f"{abs(gain):.1f} \u00b1 {error:.1f} points {'more' if gain > 0 else 'less'} than "
            f"{best.learner}, the best of the others: {clear} than two standard errors."
        )
    return " ".join(sentences)


def _rule_name(rule: str | Path | AbstractUpdateRule) -> str:
    if isinstance(rule, AbstractUpdateRule):
        return type(rule).__name__
    return Path(rule).stem


def _prepare(out: Path) -> Path:
    """The folder to write to, made if need be; what is not a demo's is left alone."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder for the demo's results")
    if out.is_dir() and any(out.iterdir()) and not (out / RESULTS).exists():
        raise InputError(
            f"{out} holds other files and no {RESULTS} of a demo; name an empty or new folder"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {out}: {error.strerror}") from error
    return out
