"""The hidden units of the small main rule: what each answers to, says, and is worth."""

import dataclasses
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from laboratory import STUDIES, Call, Table
from laboratory.pools import validation_pool
from metaplastic.evaluation import evaluate
from metaplastic.learners import RuleLearner
from metaplastic.models import MLP
from metaplastic.presets import load_preset
from metaplastic.report import Line, line_figure
from metaplastic.rules import LocalRule, RuleSet, load_rule

RULE = STUDIES / "501-taught-rules" / "main.safetensors"
SEEDS = (0,)
KIND, OTHERS = "glyphs 14x14", ("glyphs 14x14", "strokes 14x14")
STEPS, BATCH, BINS, DRAWS = 30, 256, 15, 20
ELEMENTS = ("drive", "output", "top-down 1", "top-down 2", "top-down 3", "top-down 4")
LATERAL = ("competition", "decorrelation", "similar samples")


def arguments(parser: ArgumentParser) -> None:
    """The curves alone."""
    parser.add_argument("--curves", action="store_true", help="accuracies stay as they are")


def measure(call: Call) -> dict[str, Any]:
    """Curves in a network after `STEPS` steps, and accuracies without each unit."""
    rule = load_rule(RULE)
    assert isinstance(rule, LocalRule)
    found = {"hidden": rule.hidden, **_curves(call, rule)}
    if not call.quick and call.options.curves and call.earlier:
        return {**call.earlier, **found}
    call.save(found)
    found["without"] = _lesions(call, rule)
    return found


def _curves(call: Call, rule: LocalRule) -> dict[str, Any]:
    """What a unit of the first layer shows and says, by its drive."""
    model, batch = _network(call, rule)
    trace = model.trace(jnp.asarray(batch))
    time = jnp.asarray(1.0 * STEPS)

    def first(other: LocalRule) -> NDArray[np.float32]:
        """Post-synaptic factors of the first layer, `(channel, sample, unit)`."""
        return np.asarray(other._signals(model, trace, time)[1].post[: rule.n_factors])

    gains = np.asarray(rule.input_out[: rule.n_factors, 0])[:, None, None]
    units = np.stack([first(_showing_hidden(rule, u))[0] for u in range(rule.hidden)])
    said = np.asarray(rule.hidden_out[: rule.n_factors]).T[:, :, None, None] * units[:, None]
    parts = (said * gains).sum(1)
    elements = np.stack(
        [first(_showing_element(rule, e))[0] for e in range(rule.element_in.shape[1])]
    )
    whole = (gains * first(rule)).sum(0)
    classics = _classics(np.asarray(trace[0].drive))
    at = _bins(elements[0])
    return {
        "drive": _means(elements[0], at),
        "units": [_means(u, at) for u in units],
        "said": [_means(p, at) for p in parts],
        "whole": _means(_unit(whole), at),
        "classics": {name: _means(_unit(c), at) for name, c in classics.items()},
        "alike": {name: _alike(whole, c) for name, c in classics.items()},
        "answers": [[_alike(u, e) for e in elements] for u in units],
        "power": [round(float(np.sqrt(np.mean(np.square(_centred(p))))), 4) for p in parts],
        "whole power": round(float(np.sqrt(np.mean(np.square(_centred(whole))))), 4),
    }


def _network(call: Call, rule: LocalRule) -> tuple[MLP, NDArray[np.float32]]:
    """One network of `base` trained by the rule for `STEPS` steps, and rows of its pool."""
    pool = validation_pool(KIND, 0, 300 if call.quick else 2000)
    preset = dataclasses.replace(load_preset("base"), rules=RuleSet(rule)).with_networks(
        n_networks=1, n_components=64, n_steps=STEPS
    )
    kept: list[MLP] = []
    RuleLearner(preset).fit_with_snapshots(
        pool.x,
        seed=0,
        snapshot_steps=(STEPS,),
        on_snapshot=lambda _, models, __: kept.extend(models),
    )
    return kept[0], np.asarray(pool.x[:BATCH], np.float32)


def _showing_hidden(rule: LocalRule, unit: int) -> LocalRule:
    """The rule whose first factor is the activity of a hidden unit; messages are as they were."""
    return _showing(rule, "hidden_out", unit)


def _showing_element(rule: LocalRule, element: int) -> LocalRule:
    """The rule whose first factor is one of the features that hidden units read."""
    return _showing(rule, "element_out", element)


def _showing(rule: LocalRule, name: str, column: int) -> LocalRule:
    silent = {
        key: getattr(rule, key).at[0].set(0.0)
        for key in ("element_out", "hidden_out", "offset_out")
    }
    shown = silent[name].at[0, column].set(1.0)
    return dataclasses.replace(rule, **{**silent, name: shown})


def _classics(z: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Post-synaptic factors of rules set by hand, from the drives `(sample, unit)` of a layer.

    Hebb: the output. Oja (1982): the drive; its decay is a term of its own. BCM (Bienenstock,
    Cooper and Munro 1982): x (x - E x^2). SoftHebb (Moraitis et al. 2022): the share of a softmax.
    """
    x = np.maximum(z, 0.0)
    share = np.exp(z - z.max(1, keepdims=True))
    share = share / share.sum(1, keepdims=True)
    return {
        "Hebb": x,
        "Oja": z,
        "BCM": x * (x - np.mean(np.square(x), 0)),
        "SoftHebb": share,
    }


def _lesions(call: Call, rule: LocalRule) -> dict[str, dict[str, float]]:
    """Accuracy under ridge with the whole rule, without each hidden unit, and without all."""
    names: dict[str, tuple[int, ...]] = {"": ()}
    names |= {str(unit + 1): (unit,) for unit in range(rule.hidden)}
    names |= {"all": tuple(range(rule.hidden))}
    if call.quick:
        names = dict(list(names.items())[:2])
    pools = {
        kind: validation_pool(kind, 0, 200 if call.quick else 2000)
        for kind in (OTHERS[:1] if call.quick else OTHERS)
    }
    found: dict[str, dict[str, float]] = {}
    for name, units in names.items():
        preset = dataclasses.replace(load_preset("base"), rules=RuleSet(_without(rule, units)))
        found[name] = {
            kind: _accuracy(preset, pool, 2 if call.quick else DRAWS)
            for kind, pool in pools.items()
        }
        print("without", name or "none", found[name], flush=True)
    return found


def _without(rule: LocalRule, units: tuple[int, ...]) -> LocalRule:
    """The rule in which these hidden units say nothing."""
    index = jnp.asarray(units, jnp.int32)
    silent = {
        name: getattr(rule, name).at[..., index].set(0.0)
        for name in ("hidden_out", "top_hidden_out", "bias_out")
    }
    return dataclasses.replace(rule, **silent)


def _accuracy(preset: Any, pool: Any, draws: int) -> float:
    records = evaluate(
        {"": RuleLearner(preset)}, pool, n_draws=draws, seeds=SEEDS, readouts=("ridge",)
    )
    return round(100 * records[0].mean, 2)


def _bins(z: NDArray) -> NDArray[np.intp]:
    """Which of `BINS` equally wide classes of drive each entry is in; the tails join the last."""
    low, high = np.quantile(z, [0.01, 0.995])
    return np.digitize(z, np.linspace(low, high, BINS + 1)[1:-1])


def _means(values: NDArray, at: NDArray[np.intp]) -> list[float]:
    return [round(float(values[at == k].mean()), 4) for k in range(BINS)]


def _centred(values: NDArray) -> NDArray:
    return values - values.mean(axis=0)


def _unit(values: NDArray) -> NDArray:
    centred = _centred(values)
    return centred / np.sqrt(np.mean(np.square(centred)))


def _alike(a: NDArray, b: NDArray) -> float:
    """Correlation over samples and units, each unit centred over its samples: a constant of a
    unit changes no weight, because the pre-synaptic factor is centred."""
    power = np.mean(np.square(_centred(a))) * np.mean(np.square(_centred(b)))
    return round(float(np.mean(_centred(a) * _centred(b)) / np.sqrt(power + 1e-12)), 3)


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """What units answer to and say, what they are worth, and whom the whole resembles."""
    names = (*ELEMENTS, *LATERAL)
    whole = result["without"][""]
    rows = []
    for unit in range(result["hidden"]):
        answers = result["answers"][unit]
        strongest = sorted(range(len(names)), key=lambda e: -abs(answers[e]))[:3]
        told = ", ".join(f"{names[e]} {answers[e]:+.2f}" for e in strongest)
        share = result["power"][unit] / result["whole power"]
        rows.append((str(unit + 1), told, f"{share:.2f}", *_lost(result, str(unit + 1))))
    rows.append(("all", "", "", *_lost(result, "all")))
    note = (
        "Correlations with the three features that a unit follows most, in the first layer; how "
        "strong its part of the post-synaptic factor is beside the whole; and what happens to the "
        f"accuracy (ridge, 10 labels) without it. The whole rule has {_shown(whole)}."
    )
    units = Table(("unit", "follows", "strength", *whole), tuple(rows), note)
    alike = Table(
        ("", *result["alike"]),
        (("correlation", *(f"{value:+.2f}" for value in result["alike"].values())),),
        "Of the rule's post-synaptic factor in the first layer with those of rules set by hand.",
    )
    return {"units": units, "alike": alike}


def _lost(result: Mapping[str, Any], without: str) -> list[str]:
    """What the accuracy on every kind of pool changes by; a dash if it was not measured."""
    found, whole = result["without"].get(without, {}), result["without"][""]
    return [f"{found[k] - whole[k]:+.1f}" if k in found else "-" for k in whole]


def _shown(whole: Mapping[str, float]) -> str:
    return " and ".join(f"{value:.1f} ({kind})" for kind, value in whole.items())


def draw(result: Mapping[str, Any]) -> Any:
    """Tuning of every hidden unit, what it says, and the whole beside rules set by hand."""
    z = result["drive"]
    panels = {
        f"unit {u + 1}": [
            Line("activity of the hidden unit", z, result["units"][u]),
            Line("what it adds to the factor", z, result["said"][u]),
        ]
        for u in range(result["hidden"])
    }
    panels["whole factor"] = [
        Line("the learned factor", z, result["whole"]),
        *(Line(name, z, values) for name, values in result["classics"].items()),
    ]
    return line_figure(panels, x_label="drive z", y_label="activity, factor", columns=3, height=2.0)
