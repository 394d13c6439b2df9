"""What a file must say of a rule to make it again: its class and its plain fields.

A rule's arrays are saved apart; a kind makes a rule of the same structure to put them in.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax

from metaplastic.errors import InputError
from metaplastic.rules.base import AbstractUpdateRule
from metaplastic.rules.hebb import Hebb
from metaplastic.rules.krotov_hopfield import KrotovHopfield
from metaplastic.rules.local import ContextRule, LocalRule, told_outputs
from metaplastic.rules.metz2018 import Metz2018
from metaplastic.rules.oja import Oja
from metaplastic.rules.sanger import Sanger
from metaplastic.rules.softhebb import SoftHebb

MAX_FIELD = 4096
"""Largest integer field of a rule file, so that a file cannot ask for a huge rule."""


@dataclasses.dataclass(frozen=True)
class RuleKind:
    """One class of rules that files can hold.

    `fields` names the plain values (`bool`, `float` or `int` from 0 to `MAX_FIELD`) that, besides
    the arrays, make a rule; `describe` reads them from a rule, `make` takes them as keywords and
    gives a rule whose arrays have the right shapes (their values do not matter). Files older than
    a field lack it: then `make`'s own default holds, for those named in `younger`.
    """

    rule: type[AbstractUpdateRule]
    make: Callable[..., AbstractUpdateRule]
    fields: Mapping[str, type] = dataclasses.field(default_factory=dict)
    describe: Callable[[Any], dict[str, Any]] = lambda rule: {}
    younger: frozenset[str] = frozenset()

    def check(self, fields: Mapping[str, Any]) -> None:
        """Raise `InputError` unless `fields` are exactly those allowed, with allowed values."""
        if fields.keys() | self.younger != self.fields.keys():
            raise InputError(
                f"{self.rule.__name__} has the fields {sorted(self.fields)}, got {sorted(fields)}"
            )
        for name, value in fields.items():
            allowed = type(value) is self.fields[name]
            if not allowed or (isinstance(value, int) and not 0 <= value <= MAX_FIELD):
                raise InputError(
                    f"field {name!r} of {self.rule.__name__} must be {self.fields[name].__name__} "
                    f"(0 to {MAX_FIELD}), got {value!r}"
                )


def _local(*, sparse: bool = False, bounded: bool = False, **fields: Any) -> LocalRule:
    rule = LocalRule.create(key=jax.random.key(0), **fields)
    return dataclasses.replace(
        rule,
        sparse=dataclasses.replace(rule, whiten=0.0) if sparse else None,
        bounded=told_outputs(rule) if bounded else None,
    )


def _describe_local(rule: LocalRule) -> dict[str, Any]:
    described = {
        "hidden": rule.element_in.shape[0],
        "lateral": rule.lateral,
        "with_inputs": rule.with_inputs,
        "settle": rule.settle,
        "with_outputs": rule.with_outputs,
        "whiten": rule.whiten,
        "sparse": False,
        "bounded": False,
    }
    for name, other, like in (
        ("sparse inputs", rule.sparse, described | {"whiten": 0.0}),
        ("bounded nonlinearities", rule.bounded, described | {"with_outputs": True}),
    ):
        if other is not None and _describe_local(other) != like:
            raise InputError(
                f"the rule for {name} must have {like}, like the rule that brings it, got "
                f"{_describe_local(other)}"
            )
    brought = {"sparse": rule.sparse is not None, "bounded": rule.bounded is not None}
    return described | brought


_CONTEXT_FIELDS = {
    "hidden": int,
    "lateral": bool,
    "with_inputs": bool,
    "settle": int,
    "with_outputs": bool,
    "whiten": float,
}


def _context(**fields: Any) -> ContextRule:
    return ContextRule.create(LocalRule.create(key=jax.random.key(0), **fields))


def _describe_context(rule: ContextRule) -> dict[str, Any]:
    described = _describe_local(rule.rule)
    return {name: described[name] for name in _CONTEXT_FIELDS}


def _metz2018(
    *, n_top: int, learning_rate: float, equivariant: bool, unit_norm: bool = False
) -> Metz2018:
    return Metz2018.create(
        key=jax.random.key(0),
        n_top=n_top,
        learning_rate=learning_rate,
        equivariant=equivariant,
        unit_norm=unit_norm,
    )


def _describe_metz2018(rule: Metz2018) -> dict[str, Any]:
    return {
        "n_top": rule.n_top or 1,
        "learning_rate": rule.learning_rate,
        "equivariant": rule.equivariant,
        "unit_norm": rule.unit_norm,
    }


KINDS: Mapping[str, RuleKind] = {
    kind.rule.__name__: kind
    for kind in (
        RuleKind(
            LocalRule,
            _local,
            {
                "hidden": int,
                "lateral": bool,
                "with_inputs": bool,
                "settle": int,
                "with_outputs": bool,
                "whiten": float,
                "sparse": bool,
                "bounded": bool,
            },
            _describe_local,
            younger=frozenset({"settle", "with_outputs", "whiten", "sparse", "bounded"}),
        ),
        RuleKind(
            Metz2018,
            _metz2018,
            {"n_top": int, "learning_rate": float, "equivariant": bool, "unit_norm": bool},
            _describe_metz2018,
            younger=frozenset({"unit_norm"}),
        ),
        RuleKind(ContextRule, _context, _CONTEXT_FIELDS, _describe_context),
        RuleKind(Hebb, Hebb),
        RuleKind(Oja, Oja, {"subspace": bool}, lambda rule: {"subspace": rule.subspace}),
        RuleKind(Sanger, Sanger),
        RuleKind(KrotovHopfield, KrotovHopfield, {"k": int}, lambda rule: {"k": rule.k}),
        RuleKind(SoftHebb, SoftHebb),
    )
}
"""The package's own rules, by class name. `save_rule` and `load_rule_file` take a wider mapping."""
