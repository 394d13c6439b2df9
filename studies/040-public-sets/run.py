"""How good the features are: every learner on every public set, by the protocol."""

import dataclasses
import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import ROOT, Call, Table
from laboratory.public_sets import BASE, SEEDS, SETS, measure_sets, merged
from laboratory.records import names_of, set_table
from metaplastic.evaluation import OWN, Record, compare, from_json, to_json
from metaplastic.report import comparison_table

__all__ = ["SEEDS"]


def arguments(parser: ArgumentParser) -> None:
    """Some learners alone, beside the others' records of before."""
    parser.add_argument("--learner", nargs="+", default=[], help="measure these alone, and raw")


def measure(call: Call) -> dict[str, Any]:
    """Records of all learners on all sets; with `--learner`, of some, the others' being kept.

    Raises
    ------
    InputError
        If learners are named, and `raw` does not come out as it did before.
    """
    named = getattr(call.options, "learner", [])
    if call.quick:
        records = measure_sets(SETS[1:2], True, ("raw", "PCA-32", BASE))
        return _content(records)
    records = measure_sets(SETS, False, ["raw", *named] if named else ())
    if not (named and call.earlier):
        return _content(records)
    old, earlier = from_json(json.dumps(call.earlier))
    kept = sorted({r.learner for r in old} - {r.learner for r in records})
    content = _content(merged(records, old))
    return content | {"kept": {"learners": kept, "provenance": earlier}}


def _content(records: list[Record]) -> dict[str, Any]:
    return {"records": json.loads(to_json(records, {}))["records"]}


def _records(result: Mapping[str, Any]) -> list[Record]:
    return from_json(json.dumps(dict(result)))[0]


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """All learners on all sets, and the differences from the best other learner."""
    records = _records(result)
    tables = {"quality": set_table(records, own=BASE)}
    return tables | {"differences": verdicts(records)}


def by_set(records: list[Record]) -> dict[str, list[Record]]:
    """Records of every set, in their order."""
    return {name: [r for r in records if r.dataset == name] for name in names_of(records)}


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


def documents(result: Mapping[str, Any]) -> dict[Path, str]:
    """`docs/results.md`."""
    return {ROOT / "docs" / "results.md": document(_records(result), result)}


def document(records: list[Record], result: Mapping[str, Any]) -> str:
    """`docs/results.md`."""
    origin = result["provenance"]
    parts = [
        "# What the shipped rule achieves\n",
        "Made by `python studies 040` from `studies/040-public-sets/result.json`; not edited by "
        'hand. The protocol is that of docs/design.md, "How a representation is judged".\n',
        f"Seeds {origin['seeds']}, commit {origin['commit']}, machine {origin['machine']}."
        f"{_kept(result)}\n",
        "## All sets\n",
        set_table(records, own=BASE).markdown(),
        "## Against the best other learner\n",
        verdicts(records).markdown(),
    ]
    for name, found in by_set(records).items():
        parts += [f"## {name}\n", comparison_table(found, emphasise=(BASE,)).markdown()]
    return "\n".join(parts)


def _kept(result: Mapping[str, Any]) -> str:
    """What was not measured anew, and at which commit it was."""
    if "kept" not in result:
        return ""
    labels, commit = result["kept"]["learners"], result["kept"]["provenance"]["commit"]
    return f" Kept from commit {commit}, with the same draws: {'; '.join(labels)}."
