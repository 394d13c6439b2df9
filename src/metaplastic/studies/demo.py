"""The main job on real data: features of handwritten digits, learnt without labels, compared.

`run_demo` trains every learner on the same 5,000 permuted images, judges all by the protocol of
`evaluation.protocol`, and writes a table, a result file, five pictures and one page.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metaplastic.data.sets import load_set
from metaplastic.evaluation import LabelledSet, Record, evaluate, provenance, to_json
from metaplastic.files import write_atomically
from metaplastic.learners import (
    PCA,
    AbstractLearner,
    KMeansTriangle,
    RandomNetwork,
    Raw,
    RuleLearner,
)
from metaplastic.presets import NetworkSettings, Preset, plain_preset
from metaplastic.presets.io import is_preset, resolve, stored_preset
from metaplastic.recipes.named import RECIPES
from metaplastic.recipes.recipe import build_rule
from metaplastic.report import (
    comparison_table,
    require_matplotlib,
    save_png,
)
from metaplastic.rules import AbstractUpdateRule
from metaplastic.rules.catalog import load_rule
from metaplastic.studies._demo_page import BeforeAfter, demo_figures, demo_page
from metaplastic.studies._folder import prepare_folder
from metaplastic.studies._trajectory import AtStep, Trajectory

HAND_DESIGNED = {
    "oja": "Oja",
    "krotov_hopfield": "Krotov-Hopfield",
    "softhebb": "SoftHebb",
}
"""Hand-designed rules to compare with (docs/results.md has all), and how tables call them."""

UNTRAINED = "untrained rule"
RESULTS = "results.json"


@dataclasses.dataclass(frozen=True)
class DemoConfig:
    """Sizes of the demo; the network and its training are the defaults of `NetworkSettings`.

    `curve_steps` are the inner steps at which accuracy is measured for the curve (with
    `curve_draws` draws a seed), besides the last one; `n_points` and `n_fields` are the images
    embedded and the receptive fields drawn.
    """

    dataset: str = "mnist14"
    shots: int = 10
    n_seeds: int = 3
    n_draws: int = 30
    curve_steps: tuple[int, ...] = (0, 10, 30, 100)
    curve_draws: int = 10
    n_points: int = 1000
    n_fields: int = 32
    hidden_sizes: tuple[int, ...] = NetworkSettings.hidden_sizes
    n_components: int = NetworkSettings.n_components
    n_steps: int = NetworkSettings.n_steps
    batch_size: int = NetworkSettings.batch_size
    n_networks: int = NetworkSettings.n_networks


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

    Parameters
    ----------
    out : Path, optional
        Folder; made if it is not there. Files of an earlier demo in it are replaced.
    rule : str, Path or AbstractUpdateRule, default="base"
        A name or path that `load_rule` takes, or a rule.
    seed : int, default=0
        The first of the seeds; the others follow it.
    quick : bool, default=False
        Use `QUICK` where no `config` is given.
    config : DemoConfig, optional
        Sizes.
    dataset : LabelledSet, optional
        Images and labels instead of those that `config` names; only square images have their
        receptive fields drawn.

    Returns
    -------
    dict of str to object
        What `results.json` holds: `provenance`, `records`, `curve` and `seconds`.

    Raises
    ------
    MissingDataError
        If matplotlib or the images are not installed; it names the extra.
    InputError
        For an unknown rule or a folder that holds something else.
    """
    require_matplotlib()
    config = config or (QUICK if quick else DemoConfig())
    name, trained = (
        _rule_name(rule),
        stored_preset(rule) if isinstance(rule, str | Path) and is_preset(rule) else resolve(rule),
    )
    dataset = load_set(config.dataset) if dataset is None else dataset
    out = prepare_folder(Path(out), (RESULTS,), "a demo")
    demo = _Demo(name, trained, dataset, config, tuple(range(seed, seed + config.n_seeds)))
    records = demo.judge(demo_learners(config, trained, name))
    if show:
        print(comparison_table(records, emphasise=(name,)).text(), end="", flush=True)
    curve = demo.curve()
    return demo.write(out, records, curve, demo.figures(records, curve))


@dataclasses.dataclass(frozen=True, eq=False)
class _Demo:
    """What one demo measures, and on what."""

    name: str
    preset: Preset
    dataset: LabelledSet
    config: DemoConfig
    seeds: tuple[int, ...]
    started: float = dataclasses.field(default_factory=time.perf_counter)

    @property
    def learner(self) -> RuleLearner:
        return demo_learner(self.config, self.preset)

    def progress(self, text: str) -> None:
        seconds = time.perf_counter() - self.started
        print(f"[{seconds:4.0f} s] {text}", file=sys.stderr, flush=True)

    def judge(self, learners: Mapping[str, AbstractLearner]) -> list[Record]:
        """Records of all learners, judged one by one for the sake of progress.

        Draws depend on the seeds alone, so this equals judging them together.
        """
        seeds = ", ".join(map(str, self.seeds))
        self.progress(f"{self.dataset.name}: {len(learners)} learners, seeds {seeds}")
        records: list[Record] = []
        for name, learner in learners.items():
            some = self._evaluate(name, learner, self.config.n_draws)
            accuracies = ", ".join(f"{r.readout} {100 * r.mean:.1f} %" for r in some)
            self.progress(f"{name}: {accuracies}")
            records += some
        return records

    def curve(self) -> dict[int, list[Record]]:
        """Records by inner steps done."""
        trajectory = Trajectory(self.learner, self.config.curve_steps)
        curve = {
            step: self._evaluate(self.name, AtStep(trajectory, step), self.config.curve_draws)
            for step in trajectory.steps
        }
        self.progress(f"accuracy after {', '.join(map(str, curve))} inner steps")
        return curve

    def figures(
        self, records: Sequence[Record], curve: Mapping[int, Sequence[Record]]
    ) -> dict[str, Any]:
        """All figures by the stem of their file."""
        return demo_figures(
            self.name,
            records,
            curve,
            self.before_after(),
            n_points=self.config.n_points,
            n_fields=self.config.n_fields,
            seed=self.seeds[0],
        )

    def before_after(self) -> BeforeAfter:
        """A training of its own for the pictures, under a permutation that they can undo."""
        seed = self.seeds[0]
        x = np.asarray(self.dataset.x).reshape(len(self.dataset.y), -1)
        columns = np.random.default_rng(seed).permutation(x.shape[1])
        x = x[:, columns]
        trajectory = Trajectory(self.learner, (0,))
        last = trajectory.steps[-1]
        before, after = (trajectory.at(x, step, seed=seed) for step in (0, last))
        return BeforeAfter(before, after, last, x, np.asarray(self.dataset.y), columns)

    def write(
        self,
        out: Path,
        records: Sequence[Record],
        curve: Mapping[int, Sequence[Record]],
        figures: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Write page, table, pictures and, last, the results, which are returned."""
        facts = provenance(seeds=self.seeds)
        facts["settings"] = {"rule": self.name, **dataclasses.asdict(self.config)}
        page = demo_page(self.name, records, figures, facts, n_rows=len(self.dataset.y))
        table = comparison_table(records, emphasise=(self.name,))
        results = json.loads(to_json(records, facts))
        results["curve"] = [
            {"step": step} | dataclasses.asdict(r) for step, some in curve.items() for r in some
        ]
        results["seconds"] = round(time.perf_counter() - self.started, 1)
        write_atomically(out / "index.html", page.encode())
        write_atomically(out / "table.md", table.markdown().encode())
        for title, figure in figures.items():
            save_png(figure, out / f"{title}.png")
        write_atomically(out / RESULTS, (json.dumps(results, indent=1) + "\n").encode())
        self.progress(f"wrote {out / 'index.html'} and its pictures")
        return results

    def _evaluate(self, name: str, learner: AbstractLearner, n_draws: int) -> list[Record]:
        return evaluate(
            {name: learner},
            self.dataset,
            shots=(self.config.shots,),
            n_draws=n_draws,
            seeds=self.seeds,
        )


def demo_learner(config: DemoConfig, preset: Preset) -> RuleLearner:
    """The networks of the demo, trained as the preset says."""
    networks = preset.with_networks(
        hidden_sizes=config.hidden_sizes,
        n_components=config.n_components,
        n_steps=config.n_steps,
        batch_size=config.batch_size,
        n_networks=config.n_networks,
    )
    return RuleLearner(networks)


def demo_learners(config: DemoConfig, preset: Preset, name: str) -> dict[str, AbstractLearner]:
    """All learners by name, in the order of the table; that of `preset` comes last.

    Hand-designed rules have a plain preset: their features are learned alone.
    """
    by_hand = {
        title: demo_learner(config, plain_preset(load_rule(hand)))
        for hand, title in HAND_DESIGNED.items()
        if hand != name
    }
    untrained = resolve(build_rule(RECIPES["base"]))
    return {
        "raw": Raw(),
        "PCA-32": PCA(32),
        "k-means-32": KMeansTriangle(32),
        "k-means-400": KMeansTriangle(400),
        "random network": RandomNetwork((*config.hidden_sizes, config.n_components)),
        **by_hand,
        **({} if name == "local" else {UNTRAINED: demo_learner(config, untrained)}),
        name: demo_learner(config, preset),
    }


def _rule_name(rule: str | Path | AbstractUpdateRule) -> str:
    if isinstance(rule, AbstractUpdateRule):
        return type(rule).__name__
    return Path(rule).stem
