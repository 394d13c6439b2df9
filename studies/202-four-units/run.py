"""The small taught rule taken apart: what its hidden units answer to, and what each is good for."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laboratory import STUDIES, Call, Table
from laboratory.pools import validation_pool
from laboratory.rules import learner_of
from metaplastic.errors import InputError
from metaplastic.evaluation import evaluate
from metaplastic.rules import load_rule
from metaplastic.rules.local import ContextRule, LocalRule
from metaplastic.rules.local.start import N_FACTORS, N_HEBB

SEEDS = (0, 1)
RULE = STUDIES / "201-teaching" / "rules" / "small.safetensors"
POOLS = ("glyphs 14x14", "manifold")
N_DRAWS = 10
DRIVES = np.linspace(-3.0, 3.0, 61)
Z, X = 0, 1
ROLES: Mapping[str, tuple[float, float, float, float]] = {
    "first layer": (1.0, 0.0, 1.0, 0.0),
    "middle layer": (1.0, 0.0, 0.0, 0.0),
    "top layer": (1.0, 1.0, 0.0, 0.0),
    "first layer, step 100": (1.0, 0.0, 1.0, 0.5),
}
"""Inputs of the role: one, top, first, and `t / (t + 100)`."""

NETWORK = {"n_networks": 1, "hidden_sizes": (64,), "n_components": 64, "activation": "relu"}


def rule() -> LocalRule:
    """The rule for dense inputs and ReLU."""
    found = load_rule(RULE)
    if not isinstance(found, ContextRule):
        raise InputError(f"{RULE} holds a {type(found).__name__}, no ContextRule")
    return found.at(0.0, 0.0)


def elements(own: LocalRule, drives: NDArray) -> NDArray:
    """Features of a unit whose drive alone speaks: no top-down and no lateral signal."""
    found = np.zeros((own.element_in.shape[1], len(drives)))
    rectified = np.maximum(drives, 0.0)
    found[Z], found[X] = drives, rectified
    if own.with_outputs:
        # What is sent up is centred over the batch and of unit mean square; of a Gaussian drive.
        found[-1] = (rectified - 0.399) / 0.584
    return found


def hidden(own: LocalRule, role: tuple[float, ...]) -> NDArray:
    """What every hidden unit answers to a drive, in a layer of this role: `(hidden, drive)`."""
    heard = np.asarray(own.element_in) @ elements(own, DRIVES)
    return np.tanh(heard + (np.asarray(own.role_in) @ np.asarray(role))[:, None])


def plasticity(own: LocalRule, role: tuple[float, ...]) -> NDArray:
    """What one unit of an input adds to the change of its weight: `sum_c g_c p_c(drive)`, of unit
    mean square over a Gaussian drive. `g_c` is how channel c hears the inputs."""
    factors = np.asarray(own.element_out)[:N_HEBB] @ elements(own, DRIVES)
    factors = factors + np.asarray(own.hidden_out)[:N_HEBB] @ hidden(own, role)
    factors = factors + np.asarray(own.offset_out)[:N_HEBB, None]
    return _unit(np.asarray(own.input_out)[:N_HEBB, 0] @ factors)


def known_rules() -> dict[str, NDArray]:
    """The same curve of rules that are known, as far as it depends on the unit's own drive."""
    z = DRIVES
    return {
        "Hebb, Oja: z": _unit(z),
        "BCM: x (x - 1)": _unit(np.maximum(z, 0.0) * (np.maximum(z, 0.0) - 1.0)),
        "SoftHebb: exp(z)": _unit(np.exp(z) - np.exp(0.5)),
    }


def _unit(curve: NDArray) -> NDArray:
    weight = np.exp(-0.5 * DRIVES**2)
    return curve / np.sqrt(np.sum(weight * curve**2) / np.sum(weight) + 1e-12)


def without_unit(own: LocalRule, index: int) -> LocalRule:
    """The rule whose hidden unit of this index says nothing."""
    silent = {
        name: getattr(own, name).at[..., index].set(0.0)
        for name in ("hidden_out", "top_hidden_out", "bias_out")
    }
    return dataclasses.replace(own, **silent)


def lesions(own: LocalRule) -> dict[str, LocalRule]:
    """The rule, the rule without each hidden unit, and without all."""
    n = own.hidden
    found = {"whole": own}
    found |= {f"without unit {k + 1}": without_unit(own, k) for k in range(n)}
    none = own
    for index in range(n):
        none = without_unit(none, index)
    return found | {"without hidden units": none}


def measure(call: Call) -> dict[str, Any]:
    """Curves, and accuracy without each hidden unit on validation pools."""
    own = rule()
    curves = {name: np.round(hidden(own, role), 4).tolist() for name, role in ROLES.items()}
    changes = {name: np.round(plasticity(own, role), 4).tolist() for name, role in ROLES.items()}
    known = {name: np.round(curve, 4).tolist() for name, curve in known_rules().items()}
    found: dict[str, Any] = {"hidden": curves, "plasticity": changes, "known": known}
    found["numbers"] = {
        name: np.round(np.asarray(getattr(own, name)), 3).tolist()
        for name in ("element_in", "role_in", "hidden_out", "element_out", "input_out", "rates")
    }
    found["lesions"] = {}
    cases = list(lesions(own).items())
    for label, lesioned in cases[:2] if call.quick else cases:
        found["lesions"][label] = _scores(lesioned, call.quick)
        print(label, found["lesions"][label], flush=True)
        call.save(found)
    return found


def _scores(lesioned: LocalRule, quick: bool) -> dict[str, float]:
    found = {}
    for kind in POOLS[: 1 if quick else None]:
        pool = validation_pool(kind, 1, 300 if quick else 2000)
        learner = learner_of(lesioned, direct=False, **NETWORK)
        records = evaluate({"": learner}, pool, n_draws=2 if quick else N_DRAWS, seeds=SEEDS)
        found[kind] = round(100 * records[0].mean, 2)
    return found


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Accuracy without each hidden unit, and what every hidden unit hears most."""
    rows = tuple(
        (label, *(f"{score:.1f}" for score in scores.values()))
        for label, scores in result["lesions"].items()
    )
    note = (
        f"Accuracy in percent with 10 labels a class, ridge; one network of 64-64 units, "
        f"{len(SEEDS)} seeds of {N_DRAWS} draws on validation pools."
    )
    return {
        "lesions": Table(("", *POOLS), rows, note),
        "units": _units(result["numbers"]),
    }


NAMES = ("z", "x", "d1", "d2", "d3", "d4", "s", "dec", "ms", "y")
"""Features of a (sample, unit), as in the docstring of `LocalRule`."""

OUTPUTS = (
    *(f"p{c + 1}" for c in range(N_FACTORS)),
    *(f"q{c + 1}" for c in range(N_FACTORS)),
    *(f"m{c + 1}" for c in range(4)),
)
"""Post-synaptic factors, pre-synaptic factors and messages."""


def _units(numbers: Mapping[str, Any]) -> Table:
    """The largest coefficients of every hidden unit, in words."""
    heard, said = np.array(numbers["element_in"]), np.array(numbers["hidden_out"]).T
    rows = tuple(
        (f"h{k + 1}", _largest(heard[k], NAMES), _largest(said[k], OUTPUTS))
        for k in range(len(heard))
    )
    note = "The four largest coefficients of what a hidden unit hears, and of what it adds to."
    return Table(("", "hears", "adds to"), rows, note)


def _largest(values: Any, names: tuple[str, ...]) -> str:
    order = np.argsort(-np.abs(values))[:4]
    return ", ".join(f"{values[i]:+.2f} {names[i]}" for i in order)


def draw(result: Mapping[str, Any]) -> Any:
    """Tuning of the hidden units, and the plasticity curve beside those of known rules."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for axes, role in ((left, "first layer"), (middle, "top layer")):
        for index, curve in enumerate(result["hidden"][role]):
            axes.plot(DRIVES, curve, label=f"h{index + 1}")
        axes.set(title=f"hidden units, {role}", xlabel="drive z", ylim=(-1.05, 1.05))
    left.legend(fontsize=7, ncols=2)
    for name, curve in result["known"].items():
        right.plot(DRIVES, curve, "--", linewidth=1, label=name)
    for name in ("first layer", "middle layer", "top layer"):
        right.plot(DRIVES, result["plasticity"][name], linewidth=2, label=f"taught, {name}")
    right.axhline(0, color="grey", linewidth=0.5)
    right.set(title="change of a weight per unit of input", xlabel="drive z", ylim=(-3, 6))
    right.legend(fontsize=7)
    return figure
