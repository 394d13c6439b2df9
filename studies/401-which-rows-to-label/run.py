"""Which rows to label: accuracy with 10 to 100 labels in all, by the way rows are chosen."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from believed import ASKED, estimates
from of_packages import PACKAGES, installed
from ways import FEW, READINGS, TOTALS, WAYS, Pool, labelled

from laboratory import Call, Table
from laboratory.pools import validation_pool
from metaplastic.data.sets import load_set
from metaplastic.presets import load_preset
from metaplastic.sklearn import RuleTransformer

SEEDS = (0, 1, 2)
CHOICE = ("random", "typical, features", "unsure rows", "gradients (BADGE)", "suggest")
"""Compared on validation pools."""

KINDS = (
    "prototypes",
    "manifold",
    "strokes 14x14",
    "strokes 8x8",
    "silhouettes 14x14",
    "table, 30 columns",
    "text, 6 classes",
)
SETS = ("mnist14", "digits", "iris")
PARTS = ("choice", "public", "estimate")
POOL_ROWS, SET_ROWS = 1500, 3000
HELD_OUT = 0.4
"""Share of the rows of a validation pool that are tested and cannot be chosen."""

EMBEDDED = "wl-"
"""How pools of embeddings are called."""


def arguments(parser: ArgumentParser) -> None:
    """Where features are kept, and how many seeds."""
    parser.add_argument(
        "--features", type=Path, help="folder that study 101 keeps features in: pools to choose on"
    )
    parser.add_argument(
        "--only", choices=PARTS, nargs="+", default=PARTS, help="measure these parts, keep others"
    )
    parser.add_argument("--choice-seeds", type=int, default=1, help="on validation pools (1)")


def measure(call: Call) -> dict[str, Any]:
    """Rows of results on validation pools and on public sets, and the page's estimates."""
    if call.quick:
        pool = _made()
        return {
            "rows": _judge(pool, "choice", CHOICE, (0,), [], call, {}),
            "estimates": list(estimates(pool, 0)),
        }
    only, earlier = call.options.only, call.earlier or {}
    rows = [row for row in earlier.get("rows", []) if row["part"] not in only]
    kept = [] if "estimate" in only else earlier.get("estimates", [])
    result = {"rows": rows, "estimates": kept}
    if "choice" in only or "estimate" in only:
        for pool in _validation(call.options.features):
            if "choice" in only:
                seeds = SEEDS[: call.options.choice_seeds]
                _judge(pool, "choice", CHOICE, seeds, rows, call, result)
            if "estimate" in only:
                kept += estimates(pool, 0)
                print(pool.name, kept[-1:], file=sys.stderr, flush=True)
                call.save(result)
    if "public" in only:
        ways = [way for way in WAYS if way not in PACKAGES or way in installed()]
        for pool in _public():
            _judge(pool, "public", ways, SEEDS, rows, call, result)
    return result


def _judge(
    pool: Pool,
    part: str,
    ways: Sequence[str],
    seeds: Sequence[int],
    rows: list[dict[str, Any]],
    call: Call,
    result: Mapping[str, Any],
) -> list[dict[str, Any]]:
    for way in ways:
        for seed in seeds:
            for chosen in labelled(pool, way, seed):
                scores = {head: pool.accuracy(chosen, head) for head in READINGS}
                row = {"part": part, "pool": pool.name, "way": way, "seed": seed}
                classes = len(np.unique(pool.y[chosen]))
                rows.append(row | {"labels": len(chosen), "classes": classes, "accuracy": scores})
        print(
            pool.name, way, _mean(rows, part, way, "auto", pool.name), file=sys.stderr, flush=True
        )
    call.save(result)
    return rows


def _made() -> Pool:
    """Blobs, for the quick form."""
    generator = np.random.default_rng(0)
    y = generator.integers(4, size=240)
    x = (3 * generator.normal(size=(4, 6))[y] + generator.normal(size=(240, 6))).astype(np.float32)
    return Pool.of("blobs", x, x, y, load_preset("base").reading)


def _validation(folder: Path | None) -> Iterator[Pool]:
    for path in sorted(folder.glob("*.npz")) if folder is not None else ():
        with np.load(path) as held:
            f, y = held["f"], held["y"]
        rows = np.random.default_rng(0).permutation(len(y))[:POOL_ROWS]
        none = np.zeros((len(rows), 0), np.float32)
        yield Pool.of(path.stem, none, f[rows], y[rows], load_preset("base").reading, HELD_OUT)
    for kind in KINDS if folder is None else ():
        data = validation_pool(kind, 0, POOL_ROWS)
        yield _fitted(kind, data.x, np.asarray(data.y), HELD_OUT)


def _public() -> Iterator[Pool]:
    for name in SETS:
        data = load_set(name)
        yield _fitted(name, np.asarray(data.inputs), np.asarray(data.labels))


def _fitted(name: str, x: Any, y: Any, held_out: float = 0.0) -> Pool:
    x = x.toarray() if hasattr(x, "tocsr") else np.asarray(x)
    rows = np.random.default_rng(0).permutation(len(y))[:SET_ROWS]
    features = RuleTransformer(random_state=0).fit_transform(x[rows])
    return Pool.of(name, x[rows], features, y[rows], load_preset("base").reading, held_out)


def _mean(
    rows: Any,
    part: str,
    way: str,
    head: str,
    pool: str | None = None,
    totals: Sequence[int] = TOTALS,
) -> list[float | None]:
    """Mean accuracy with each number of labels, pools counting the same."""
    means = []
    for total in totals:
        values = [
            row["accuracy"][head]
            for row in rows
            if (row["part"], row["way"], row["labels"]) == (part, way, total)
            and pool in (None, row["pool"])
        ]
        means.append(round(float(np.mean(values)), 1) if values else None)
    return means


def _table(rows: Any, part: str, heads: Sequence[str], note: str, pool: str | None = None) -> Table:
    """Ways by numbers of labels, in every cell the accuracy under each head."""
    own = [row for row in rows if row["part"] == part and pool in (None, row["pool"])]
    totals = [t for t in (FEW, *TOTALS) if any(row["labels"] == t for row in own)]
    if pool is None:
        totals = list(TOTALS)
    cells = []
    for way in dict.fromkeys(row["way"] for row in own):
        by_head = [_mean(own, part, way, head, pool, totals) for head in heads]
        shown = [["-" if score is None else f"{score:.1f}" for score in line] for line in by_head]
        cells.append((way, *(" / ".join(scores) for scores in zip(*shown, strict=True))))
    return Table(("rows chosen by", *map(str, totals)), tuple(cells), note)


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Means over validation pools, and each public set."""
    rows = result["rows"]
    pools = len({row["pool"] for row in rows if row["part"] == "choice"})
    note = (
        f"Accuracy in percent on rows that could not be chosen, ridge / auto, mean over {pools} "
        "validation pools, with so many labels in all."
    )
    tables = {"choice": _table(rows, "choice", ("ridge", "auto"), note)}
    embedded = [row for row in rows if row["pool"].startswith(EMBEDDED)]
    if embedded:
        note = f"The same, {len({row['pool'] for row in embedded})} pools of embeddings of texts."
        tables["embeddings"] = _table(embedded, "choice", ("ridge", "auto"), note)
    if result.get("estimates"):
        tables["estimate"] = _estimate_table(result["estimates"])
    for name in SETS:
        if any(row["pool"] == name for row in rows):
            note = (
                f"{name}: rows without a label, ridge / graph / auto, mean of {len(SEEDS)} seeds "
                "of the choice."
            )
            tables[name] = _table(rows, "public", READINGS, note, name)
    return tables


def _estimate_table(rows: Any) -> Table:
    cells = []
    for asked in ASKED:
        own = [row for row in rows if row["labels"] == asked]
        if not own:
            continue
        said, true = np.array([[100 * row["share"], 100 * row["accuracy"]] for row in own]).T
        within = [row["low"] <= row["accuracy"] <= row["high"] for row in own]
        width = [100 * (row["high"] - row["low"]) for row in own]
        numbers = (true.mean(), said.mean(), np.abs(said - true).mean(), np.mean(width))
        shown = (f"{number:.1f}" for number in numbers)
        cells.append((str(asked), *shown, f"{sum(within)} of {len(own)}"))
    header = ("labels", "right", "estimated", "mean error", "width", "within")
    note = (
        "Validation pools, labelled as on the page: rows read right in percent, the page's "
        "estimate, the mean size of its error, the mean width of its interval (90 %), and how "
        "often the truth lies within."
    )
    return Table(header, tuple(cells), note)


def draw(result: Mapping[str, Any]) -> Any:
    """Accuracy over labels on the public sets, under ridge and under auto, with least and most."""
    from metaplastic.report.style import (
        BLUE,
        GREEN,
        INK,
        ORANGE,
        PURPLE,
        SKY,
        VERMILLION,
        YELLOW,
        drawing,
        new_figure,
    )

    colours = (INK, YELLOW, SKY, GREEN, PURPLE, VERMILLION, ORANGE, INK, VERMILLION, BLUE)
    with drawing():
        figure = new_figure(6.2)
        panels = figure.subplots(2, len(SETS), sharex=True, sharey="col")
        for column, name in zip(panels.T, SETS, strict=True):
            for panel, head in zip(column, ("ridge", "auto"), strict=True):
                for way, colour in zip(WAYS, colours, strict=True):
                    _line(panel, result["rows"], name, head, way, colour)
                panel.set_xscale("log")
                panel.set_xticks(TOTALS, [str(total) for total in TOTALS], minor=False)
                panel.minorticks_off()
                panel.grid(axis="y")
            column[0].set_title(name)
            column[1].set_xlabel("labels in all")
        panels[0, 0].set_ylabel("ridge, %")
        panels[1, 0].set_ylabel("auto, %")
        handles, names = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2)
    return figure


def _line(panel: Any, rows: Any, name: str, head: str, way: str, colour: str) -> None:
    by_total = {
        total: [
            row["accuracy"][head]
            for row in rows
            if (row["part"], row["pool"], row["way"], row["labels"]) == ("public", name, way, total)
        ]
        for total in TOTALS
    }
    totals = [total for total, values in by_total.items() if values]
    if not totals:
        return
    width, dashes = 2.4 if way == "suggest" else 1.3, "--" if way in PACKAGES else "-"
    means = [float(np.mean(by_total[total])) for total in totals]
    panel.plot(totals, means, color=colour, label=way, linewidth=width, linestyle=dashes)
    low, high = ([f(by_total[total]) for total in totals] for f in (min, max))
    panel.fill_between(totals, low, high, color=colour, alpha=0.12, linewidth=0)
