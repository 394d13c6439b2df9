"""What to use with few labels: `FewShotClassifier` beside what others have.

All methods have their usual settings; none is tuned to a set. Seconds are those of one fit and
prediction: what is learned without labels, once, and the mean over draws of what needs labels.
"""

import time
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from methods import METHODS, OURS, OWN, Featurise
from numpy.typing import NDArray

from laboratory import ROOT, Call
from laboratory.few_labels import SHOTS, Pool, add_arguments, draws, pools, settings_of
from laboratory.text import filled_where_marked
from metaplastic.errors import InputError
from metaplastic.report.tables import Table

SEEDS = (0,)
SETS = ("digits", "mnist14", "fashion14", "movie_snippets", "breast_cancer", "wine", "iris")
NOT_RUN = ("TabPFN", "TabICL", "SetFit")
"""Peers whose weights cannot be had from package registries."""

Rows = list[dict[str, Any]]


def measure_pool(pool: Pool, args: Namespace, names: list[str]) -> Rows:
    """A row for every method and number of labels: accuracy of every draw, seconds."""
    rows = []
    cases = [draw for shots in SHOTS for draw in draws(pool.y, shots, args.draws, args.max_test)]
    known: dict[Featurise, tuple[Any, float]] = {}
    for name in names:
        method, begin = METHODS[name], time.perf_counter()
        if method.featurise not in known:
            features = method.featurise(pool)
            known[method.featurise] = features, time.perf_counter() - begin
        features, unlabelled = known[method.featurise]
        for shots in sorted({draw.shots for draw in cases}):
            scores, seconds = [], []
            for draw in (d for d in cases if d.shots == shots):
                started = time.perf_counter()
                found = method.predict(features, draw)
                seconds.append(time.perf_counter() - started)
                scores.append(100 * float(np.mean(found == pool.y[draw.test])))
            row = {"set": pool.name, "method": name, "shots": shots, "accuracies": scores}
            rows.append(row | {"seconds": unlabelled + float(np.mean(seconds))})
        print(pool.name, name, f"{time.perf_counter() - begin:.1f} s", flush=True)
    return rows


def arguments(parser: ArgumentParser) -> None:
    """Sets, sizes, methods."""
    add_arguments(parser, SETS)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=METHODS,
        help="measure these on the sets named; keep the other rows",
    )


def measure(call: Call) -> dict[str, Any]:
    """Every method whose package is installed, on every set that is on this machine.

    Raises
    ------
    InputError
        If some methods are asked for, and the rows of the others have other settings.
    """
    args = settings_of(call, SETS, ("wine", "digits"))
    only, settings = None if call.quick else call.options.only, dict(vars(args))
    measured_now = set(args.sets)
    names = [name for name in only or METHODS if METHODS[name].available]
    kept: Rows = []
    if only and call.earlier:
        settings["sets"] = call.earlier["settings"]["sets"]
        if call.earlier["settings"] != settings:
            raise InputError("the rows kept were measured with other settings; measure all anew")
        kept = [
            row
            for row in call.earlier["rows"]
            if row["method"] not in only or row["set"] not in measured_now
        ]
    rows: Rows = []

    def state() -> dict[str, Any]:
        order = list(METHODS), settings["sets"]
        found = sorted(
            kept + rows,
            key=lambda row: (order[0].index(row["method"]), order[1].index(row["set"])),
        )
        measured = {row["method"] for row in found}
        missing = [*(name for name in METHODS if name not in measured), *NOT_RUN]
        return {"settings": settings, "not_run": missing, "rows": found}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence, with few labels
        for pool in pools(args.sets, args.max_rows):
            rows += measure_pool(pool, args, names)
    return state()


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Means over sets, and every set with every number of labels."""
    rows, n_draws = result["rows"], result["settings"]["draws"]
    missing = result.get("not_run", [])
    return {"means": means_of(rows, missing), "methods": table_of(rows, n_draws)}


def measured(rows: Rows) -> list[str]:
    """Methods that have rows, in the order of `METHODS`."""
    return [name for name in METHODS if any(row["method"] == name for row in rows)]


def means_of(rows: Rows, missing: list[str]) -> Table:
    """Mean over sets of every method, and how far ours is ahead."""
    of = {(r["set"], r["shots"], r["method"]): np.array(r["accuracies"]) for r in rows}
    cells, counts = [], [shots for shots in SHOTS if any(k == shots for _, k, _ in of)]
    for name in measured(rows):
        line = []
        for shots in counts:
            sets = [s for s, k, m in of if (k, m) == (shots, OURS) and (s, k, name) in of]
            own = np.array([of[s, shots, name] for s in sets])
            apart = (np.array([of[s, shots, OURS] for s in sets]) - own).mean(0)
            error = apart.std(ddof=1) / np.sqrt(len(apart))
            ahead = "" if name == OURS else f" ({apart.mean():+.1f} ± {error:.1f})"
            line.append(f"{own.mean():.1f}{ahead}")
        seconds = np.mean([row["seconds"] for row in rows if row["method"] == name])
        cells.append((name, *line, f"{seconds:.1f}"))
    note = (
        f"Accuracy in percent, mean over sets; in brackets how far {OURS} is ahead, with the "
        "standard error over draws. Seconds of one fit and prediction, mean over "
        "sets. "
    )
    names = [f"{shots} label{'s' if shots > 1 else ''}" for shots in counts]
    told = f"Not run: {', '.join(missing)}." if missing else ""
    return Table(("method", *names, "seconds"), tuple(cells), (note + told).strip())


def table_of(rows: Rows, n_draws: int) -> Table:
    """Methods in columns, the best of a row marked, and where ours is not the best."""
    cells, behind, names = [], [], measured(rows)
    keys = list(dict.fromkeys((row["set"], row["shots"]) for row in rows))
    for key in keys:
        of = {r["method"]: r for r in rows if (r["set"], r["shots"]) == key}
        means = {name: float(np.mean(row["accuracies"])) for name, row in of.items()}
        best = max(means, key=lambda name: means[name])
        shown = [
            ("*" if name == best else "") + f"{means[name]:.1f}" if name in means else "-"
            for name in names
        ]
        cells.append((key[0], str(key[1]), *shown))
        best = max((name for name in means if name not in OWN), key=lambda name: means[name])
        paired = np.subtract(of[best]["accuracies"], of[OURS]["accuracies"])
        if paired.mean() > 0:
            error = paired.std(ddof=1) / np.sqrt(len(paired))
            behind.append(f"{key[0]} with {key[1]} ({best}, by {paired.mean():.1f} ± {error:.1f})")
    lost = "; ".join(behind) if behind else "nowhere"
    note = (
        f"Accuracy in percent, mean of {n_draws} draws of labels. The best of a row has a star. "
        f"{OURS} is behind methods that do not read our features in {len(behind)} of {len(keys)} "
        f"rows: {lost}."
    )
    return Table(("set", "labels a class", *names), tuple(cells), note)


def documents(result: Mapping[str, Any]) -> dict[Path, str]:
    """README.md of the repository: where ours is ahead, and where it is behind."""
    readme = ROOT / "README.md"
    leads = leads_of(result["rows"])
    ahead = [max(own, key=lead_of) for own in by_set(leads) if lead_of(max(own, key=lead_of)) > 0]
    behind = [min(own, key=lead_of) for own in by_set(leads) if lead_of(min(own, key=lead_of)) < 0]
    parts = {
        "wins": lead_table(sorted(ahead, key=lead_of, reverse=True)).markdown(),
        "loses": lead_table(sorted(behind, key=lead_of)).markdown(),
    }
    return {readme: filled_where_marked(readme.read_text("utf-8"), parts)}


Lead = tuple[str, int, float, str, NDArray]
"""Set, labels a class, our mean accuracy, the best other method, paired differences from it."""


def lead_of(lead: Lead) -> float:
    """Mean difference from the best other method, in points."""
    return float(np.mean(lead[-1]))


def leads_of(rows: Rows) -> list[Lead]:
    """Ours beside the best other method, for every set and number of labels."""
    found = []
    for key in dict.fromkeys((row["set"], row["shots"]) for row in rows):
        of = {r["method"]: r["accuracies"] for r in rows if (r["set"], r["shots"]) == key}
        own = of[OURS]
        best = max(of.keys() - OWN, key=lambda name: (float(np.mean(of[name])), name))
        apart = np.subtract(own, of[best])
        found.append((*key, float(np.mean(own)), best, apart))
    return found


def by_set(leads: list[Lead]) -> list[list[Lead]]:
    """Those of each set."""
    names = dict.fromkeys(lead[0] for lead in leads)
    return [[lead for lead in leads if lead[0] == name] for name in names]


def lead_table(leads: list[Lead]) -> Table:
    """One row for each lead; the error is that of the paired difference."""
    cells = []
    for name, shots, own, best, apart in leads:
        error = apart.std(ddof=1) / np.sqrt(len(apart))
        cells.append(
            (f"{name}, {shots}", f"{own:.1f}", plain(best), f"{apart.mean():+.1f} ± {error:.1f}")
        )
    return Table(("set, labels a class", OURS, "best other", "difference"), tuple(cells))


def plain(method: str) -> str:
    """A name that needs no column before it."""
    return method.replace("the same on ", "logistic on ")
