"""Every learner on every public set, by the protocol; results kept beside new ones."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from laboratory.pools import glyph_pool
from laboratory.rules import learner_of
from metaplastic.data import Dataset
from metaplastic.data.sets import load_set
from metaplastic.errors import InputError, MissingDataError
from metaplastic.evaluation import Judged, Record, evaluate
from metaplastic.learners import (
    PCA,
    Autoencoder,
    KMeansTriangle,
    LabelPropagation,
    RandomNetwork,
    Raw,
    RuleLearner,
    SupervisedMLP,
    VariationalAutoencoder,
    VICReg,
    WithInputs,
    plain_learner,
)
from metaplastic.presets.io import BASE
from metaplastic.rules import load_rule
from metaplastic.studies.paper.common import untrained

SETS = (
    "mnist14",
    "digits",
    "glyphs_heldout_scripts",
    "heldout_scripts_deformed",
    "fashion14",
    "movie_snippets",
    "breast_cancer",
    "wine",
)
WITH_RULES = SETS[:4]
"""Sets on which the hand-designed rules are measured too."""

HAND_DESIGNED = ("hebb", "oja", "sanger", "krotov_hopfield", "softhebb")
BEST = ("oja", "softhebb")
SEEDS = (0, 1, 2)


def learners(hand_designed: bool) -> dict[str, Judged]:
    """All by label; hand-designed rules train the network that `base` trains."""
    judged: dict[str, Judged] = {
        "raw": Raw(),
        "PCA-32": PCA(32),
        "k-means-32": KMeansTriangle(32),
        "k-means-400": KMeansTriangle(400),
        "k-means-400 + inputs": WithInputs(KMeansTriangle(400)),
        "random network": RandomNetwork(),
        "autoencoder": Autoencoder(),
        "vae": VariationalAutoencoder(),
        "vae-gaussian": VariationalAutoencoder.gaussian(),
        "vicreg": VICReg(),
        "supervised": SupervisedMLP(),
        "label propagation": LabelPropagation(),
    }
    if hand_designed:
        judged |= {name: plain_learner(load_rule(name)) for name in HAND_DESIGNED}
        # The shape that suits them better than a deep one.
        judged |= {
            f"{name}, one layer": plain_learner(load_rule(name), hidden_sizes=()) for name in BEST
        }
    judged["base, learned part"] = learner_of(direct=False)
    judged["untrained rule"] = RuleLearner(untrained())
    judged["base, relu+tanh"] = learner_of(activation="relu+tanh")
    judged[BASE] = learner_of()
    return judged


def load(name: str) -> Dataset:
    """A public set, or 20 letters of held-out scripts deformed half as much as tasks ever are.

    The set `glyphs_heldout_scripts` is small (20 renderings of most letters) and plain.
    """
    if name != "heldout_scripts_deformed":
        return load_set(name)
    return glyph_pool(name, "heldout_scripts", seed=0, n_rows=5000, n_classes=20, strength=0.5)


def sets_here(names: Sequence[str]) -> Iterator[tuple[str, Dataset]]:
    """Names and sets that are on this machine; the others are told to standard error."""
    for name in names:
        try:
            yield name, load(name)
        except MissingDataError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)


def measure_set(name: str, quick: bool, only: Sequence[str] = ()) -> list[Record]:
    """Records of all learners (or of those named) on one set; none if it is not on this machine.

    Raises
    ------
    MissingDataError
        If it is not, and learners are named: their records go beside others'.
    """
    try:
        dataset = load(name)
    except MissingDataError as error:
        if only:
            raise
        print(f"left out: {error}", file=sys.stderr)
        return []
    records: list[Record] = []
    for label, learner in learners(hand_designed=name in WITH_RULES).items():
        if only and label not in only:
            continue
        measured = evaluate(
            {label: learner},
            dataset,
            n_draws=5 if quick else 30,
            seeds=(0,) if quick else SEEDS,
        )
        records += measured
        scores = " ".join(f"{100 * r.mean:.1f}" for r in measured)
        print(f"{name}: {label}: {scores}", file=sys.stderr, flush=True)
    return records


def measure_sets(names: Sequence[str], quick: bool, only: Sequence[str] = ()) -> list[Record]:
    """Records of all learners (or of those named) on the sets, two sets at a time."""
    n = len(names)
    # Fresh processes: a forked JAX can hang.
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        by_set = pool.map(measure_set, names, [quick] * n, [only] * n)
        return [record for records in by_set for record in records]


def merged(new: list[Record], old: list[Record]) -> list[Record]:
    """Old records, those of learners measured anew replaced; in the order of `learners`.

    Raises
    ------
    InputError
        If `raw` is not in both, draw by draw the same on every set (but for a test row here and
        there: how many threads add up moves the last bits of a readout).
    """

    def raw(records: list[Record]) -> dict[tuple[str, str], NDArray]:
        return {(r.dataset, r.readout): np.array(r.draws) for r in records if r.learner == "raw"}

    ours, theirs = raw(new), raw(old)
    if (
        not ours
        or ours.keys() != theirs.keys()
        or not all(map(_alike, ours.values(), theirs.values()))
    ):
        raise InputError("raw inputs differ from the earlier results: measure everything anew")
    order = list(learners(hand_designed=True))
    again = {r.learner for r in new}
    merged = new + [r for r in old if r.learner not in again and r.learner in order]
    return sorted(merged, key=lambda r: (SETS.index(r.dataset), order.index(r.learner)))


def _alike(ours: NDArray, theirs: NDArray) -> bool:
    apart = np.abs(ours - theirs) if ours.shape == theirs.shape else np.ones(1)
    return bool(apart.max() <= 0.005 and np.mean(apart > 0) <= 0.1)
