"""How good the features are: every learner on every public set, by the protocol.

Writes `docs/results/quality.json` (every draw, with seeds, commit, versions and machine) and
`docs/results.md` (tables made from it), and fills the table in README.md. `--learner LABEL ...`
measures those alone (and `raw`) and keeps the other records of the file, provided that `raw` comes
out as it stands there: then pools and draws are the same. `--quick` measures little and writes
nothing but to `--json`.
"""

import argparse
import dataclasses
import re
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pools import glyph_pool

from metaplastic.data import Dataset
from metaplastic.data.sets import load_set
from metaplastic.errors import InputError, MissingDataError
from metaplastic.evaluation import (
    OWN,
    Judged,
    Record,
    compare,
    evaluate,
    from_json,
    provenance,
    to_json,
)
from metaplastic.files import write_atomically
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
)
from metaplastic.recipes.recipe import RECIPES, build_rule
from metaplastic.report import comparison_table
from metaplastic.report.tables import Table
from metaplastic.rules import LocalRule
from metaplastic.rules.catalog import load_rule

ROOT = Path(__file__).parents[1]
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
BASE = "base"
READOUTS = ("ridge", "logistic", OWN)
SEEDS = (0, 1, 2)
MARKS = ("<!-- quality: begin -->", "<!-- quality: end -->")


def learners(hand_designed: bool) -> dict[str, Judged]:
    """All by label; hand-designed rules train the network that `base` trains."""
    default = RuleLearner(load_rule(BASE))
    found: dict[str, Judged] = {
        "raw": Raw(),
        "PCA-32": PCA(32),
        "k-means-32": KMeansTriangle(32),
        "k-means-400": KMeansTriangle(400),
        "k-means-400 + inputs": WithInputs(KMeansTriangle(400)),
        "random network": RandomNetwork((*default.hidden_sizes, default.n_components)),
        "autoencoder": Autoencoder(),
        "vae": VariationalAutoencoder(),
        "vae-gaussian": VariationalAutoencoder.gaussian(),
        "vicreg": VICReg(),
        "supervised": SupervisedMLP(),
        "label propagation": LabelPropagation(),
    }
    if hand_designed:
        found |= {name: RuleLearner(load_rule(name)) for name in HAND_DESIGNED}
        # The shape that suits them better than a deep one.
        found |= {f"{n}, one layer": RuleLearner(load_rule(n), hidden_sizes=()) for n in BEST}
    rule = default.rule
    if isinstance(rule, LocalRule):
        found["base, learned part"] = RuleLearner(dataclasses.replace(rule, with_inputs=False))
    found["untrained rule"] = RuleLearner(build_rule(RECIPES["base"]))
    found["base, relu+tanh"] = dataclasses.replace(default, activation="relu+tanh")
    found[BASE] = default
    return found


def load(name: str) -> Dataset:
    """A public set, or 20 letters of held-out scripts deformed half as much as tasks ever are.

    The set `glyphs_heldout_scripts` is small (20 renderings of most letters) and plain.
    """
    if name != "heldout_scripts_deformed":
        return load_set(name)
    return glyph_pool(name, "heldout_scripts", seed=0, n_rows=5000, n_classes=20, strength=0.5)


def measure_set(name: str, quick: bool, only: Sequence[str] = ()) -> list[Record]:
    """Records of all learners (or of those named) on one set; none if it is not on this machine.

    Raises:
        MissingDataError: if it is not, and learners are named: their records go beside others'.
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
        found = evaluate(
            {label: learner},
            dataset,
            n_draws=5 if quick else 30,
            seeds=(0,) if quick else SEEDS,
        )
        records += found
        scores = " ".join(f"{100 * r.mean:.1f}" for r in found)
        print(f"{name}: {label}: {scores}", file=sys.stderr, flush=True)
    return records


def measure(names: Sequence[str], quick: bool, only: Sequence[str] = ()) -> list[Record]:
    """Records of all learners (or of those named) on the sets, two sets at a time."""
    n = len(names)
    # Fresh processes: a forked JAX can hang.
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        found = pool.map(measure_set, names, [quick] * n, [only] * n)
        return [record for records in found for record in records]


def merged(new: list[Record], old: list[Record]) -> list[Record]:
    """Old records, those of learners measured anew replaced; in the order of `learners`.

    Raises:
        InputError: if `raw` is not in both, draw by draw the same on every set (but for a test
            row here and there: how many threads add up moves the last bits of a readout).
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
    found = new + [r for r in old if r.learner not in again and r.learner in order]
    return sorted(found, key=lambda r: (SETS.index(r.dataset), order.index(r.learner)))


def _alike(ours: NDArray, theirs: NDArray) -> bool:
    apart = np.abs(ours - theirs) if ours.shape == theirs.shape else np.ones(1)
    return bool(apart.max() <= 0.005 and np.mean(apart > 0) <= 0.1)


def by_set(records: list[Record]) -> dict[str, list[Record]]:
    """Records of every set, in their order."""
    return {name: [r for r in records if r.dataset == name] for name in _names(records)}


def overview(records: list[Record]) -> Table:
    """Learners in rows, sets in columns, `ridge / logistic` in cells."""
    names = _names(records)
    labels = list(dict.fromkeys(r.learner for r in records))
    means = {(r.dataset, r.learner, r.readout): 100 * r.mean for r in records}
    rows = tuple(
        (
            label,
            *(_cell([means.get((n, label, by)) for by in READOUTS]) for n in names),
        )
        for label in labels
    )
    errors = [100 * r.standard_error for r in records]
    note = (
        "Accuracy in percent with 10 labels a class, ridge / logistic readout (one number where a "
        "classifier has no features to read), permuted columns, "
        f"3 seeds x 30 draws; standard errors from {min(errors):.1f} to {max(errors):.1f}."
    )
    marked = frozenset(i for i, label in enumerate(labels) if label == BASE)
    return Table(("learner", *names), rows, note, marked)


def verdicts(records: list[Record]) -> Table:
    """Per set and readout: the strongest other learner, and how far `base` is from it."""
    rows = []
    for name, found in by_set(records).items():
        for readout in ("ridge", "logistic"):
            own = next(r for r in found if r.learner == BASE and r.readout == readout)
            others = [r for r in found if BASE not in r.learner and r.readout in (readout, OWN)]
            best = max(others, key=lambda r: r.mean)
            difference, error = compare(own, dataclasses.replace(best, readout=readout))
            rows.append(
                (
                    name,
                    readout,
                    f"{100 * own.mean:.1f}",
                    f"{best.learner} {100 * best.mean:.1f}",
                    f"{100 * difference:+.1f} ± {100 * error:.1f}",
                )
            )
    header = ("data set", "readout", BASE, "best other", "difference")
    return Table(header, tuple(rows), "Differences are paired over draws, ± their standard error.")


def document(records: list[Record], origin: Mapping[str, Any]) -> str:
    """`docs/results.md`."""
    parts = [
        "# What the shipped rule achieves\n",
        "Made by `python benchmarks/quality.py` from `docs/results/quality.json`; not edited by "
        'hand. The protocol is that of docs/design.md, "How a representation is judged".\n',
        f"Seeds {origin['seeds']}, commit {origin['commit']}, machine {origin['machine']}."
        f"{_kept(origin)}\n",
        "## All sets\n",
        overview(records).markdown(),
        "## Against the best other learner\n",
        verdicts(records).markdown(),
    ]
    for name, found in by_set(records).items():
        parts += [f"## {name}\n", comparison_table(found, emphasise=(BASE,)).markdown()]
    return "\n".join(parts)


def fill_readme(text: str, table: str) -> str:
    """The text of README.md with what stands between the marks replaced."""
    pattern = re.compile(re.escape(MARKS[0]) + ".*" + re.escape(MARKS[1]), re.DOTALL)
    return pattern.sub(lambda _: f"{MARKS[0]}\n{table}\n{MARKS[1]}", text)


def _kept(origin: Mapping[str, Any]) -> str:
    """What was not measured anew, and at which commit it was."""
    if "kept" not in origin:
        return ""
    labels, commit = origin["kept"]["learners"], origin["kept"]["provenance"]["commit"]
    return f" Kept from commit {commit}, with the same draws: {'; '.join(labels)}."


def _cell(means: Sequence[float | None]) -> str:
    return " / ".join(f"{mean:.1f}" for mean in means if mean is not None)


def _names(records: list[Record]) -> list[str]:
    return list(dict.fromkeys(r.dataset for r in records))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two sets, three learners, few draws")
    parser.add_argument("--tables-only", action="store_true", help="from the existing results")
    parser.add_argument("--learner", nargs="+", default=[], help="measure these alone, and raw")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the records here")
    args = parser.parse_args()
    result = ROOT / "docs" / "results" / "quality.json"
    if args.tables_only:
        records, origin = from_json(result.read_text())
    else:
        names = SETS[:2] if args.quick else SETS
        only = ("raw", "PCA-32", BASE) if args.quick else args.learner and ["raw", *args.learner]
        origin = provenance(seeds=SEEDS)
        records = measure(names, args.quick, only)
        if args.learner and not args.quick:
            old, earlier = from_json(result.read_text())
            kept = sorted({r.learner for r in old} - {r.learner for r in records})
            records = merged(records, old)
            origin["kept"] = {"learners": kept, "provenance": earlier}
        text = to_json(records, origin)
        if args.json is not None:
            write_atomically(args.json, text.encode())
        if not args.quick:
            result.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(result, text.encode())
    print(overview(records).text())
    if not args.quick:
        write_atomically(ROOT / "docs" / "results.md", document(records, origin).encode())
        readme = ROOT / "README.md"
        filled = fill_readme(readme.read_text(encoding="utf-8"), overview(records).markdown())
        write_atomically(readme, filled.encode())


if __name__ == "__main__":
    main()
