"""Rules by name: those with constants set by hand, and those shipped in files."""

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

import jax

from metaplastic.errors import InputError
from metaplastic.rules.base import AbstractUpdateRule
from metaplastic.rules.hebb import Hebb
from metaplastic.rules.io import load_rule_file
from metaplastic.rules.krotov_hopfield import KrotovHopfield
from metaplastic.rules.local import LocalRule
from metaplastic.rules.metz2018 import Metz2018
from metaplastic.rules.oja import Oja
from metaplastic.rules.sanger import Sanger
from metaplastic.rules.softhebb import SoftHebb


@dataclasses.dataclass(frozen=True)
class RuleEntry:
    """A rule that has a name."""

    name: str
    factory: Callable[[], AbstractUpdateRule]
    summary: str


def _local() -> AbstractUpdateRule:
    return LocalRule.create(key=jax.random.key(0))


def _local_strict() -> AbstractUpdateRule:
    return LocalRule.create(key=jax.random.key(0), lateral=False)


def _metz2018() -> AbstractUpdateRule:
    return Metz2018.create(key=jax.random.key(0))


def _metz2018_equivariant() -> AbstractUpdateRule:
    return Metz2018.create(key=jax.random.key(0), equivariant=True)


_BY_HAND = (
    RuleEntry("local", _local, "the learned rule before meta-training; where `base` started"),
    RuleEntry("local_strict", _local_strict, "the same without lateral signals, before training"),
    RuleEntry("metz2018", _metz2018, "the rule of Metz et al. 2018 before meta-training"),
    RuleEntry(
        "metz2018_equivariant",
        _metz2018_equivariant,
        "the same without what depends on the order of units and samples, before meta-training",
    ),
    RuleEntry("hebb", Hebb, "Hebb's rule with weight decay"),
    RuleEntry("oja", Oja, "Oja's subspace rule: principal subspace of every layer's inputs"),
    RuleEntry("sanger", Sanger, "generalised Hebbian algorithm: principal components in order"),
    RuleEntry("krotov_hopfield", KrotovHopfield, "Krotov and Hopfield's competing hidden units"),
    RuleEntry("softhebb", SoftHebb, "SoftHebb: Hebbian learning under a soft winner-take-all"),
)

_SHIPPED = {
    "base": "the default: `local`, meta-trained on letters, drawings, words and synthetic tasks",
    "metz2018_small": "the rule of Metz et al. 2018, meta-trained on letters for less than an hour",
}
"""What is known of shipped files beyond what they say themselves (their metadata's `summary`)."""


def shipped_path(name: str) -> Path:
    """Where the file of a shipped rule is, whether or not it exists."""
    return Path(str(resources.files("metaplastic.rules"))) / "shipped" / f"{name}.safetensors"


def entries() -> Mapping[str, RuleEntry]:
    """All named rules, shipped ones first."""
    paths = sorted(shipped_path("base").parent.glob("*.safetensors"))
    shipped = (_shipped_entry(path) for path in paths)
    return {entry.name: entry for entry in (*shipped, *_BY_HAND)}


def _shipped_entry(path: Path) -> RuleEntry:
    def load() -> AbstractUpdateRule:
        return load_rule_file(path)[0]

    return RuleEntry(path.stem, load, _SHIPPED.get(path.stem, "a shipped, meta-trained rule"))


def rule_file(rule: str | Path) -> Path | None:
    """The file that a name or path stands for; `None` for other names, known or not."""
    path = Path(rule)
    if isinstance(rule, Path) or path.suffix or len(path.parts) > 1:
        return path
    shipped = shipped_path(rule)
    return shipped if shipped.exists() else None


def list_rules() -> dict[str, str]:
    """Names that `load_rule` knows, with one line each; shipped rules first."""
    return {entry.name: entry.summary for entry in entries().values()}


def load_rule(rule: str | Path | AbstractUpdateRule) -> AbstractUpdateRule:
    """A rule by name or from a file; a rule object is returned as it is.

    Args:
        rule: a name of `list_rules()`, a path (anything with a folder or a suffix), or a rule.

    Raises:
        InputError: for a name that is not known, naming the nearest ones.
        FileFormatError: for a file that cannot be read as a rule.
    """
    if isinstance(rule, AbstractUpdateRule):
        return rule
    if not isinstance(rule, (str, Path)):
        raise InputError(f"a rule is a name, a path or a rule object, got {type(rule).__name__}")
    path, known = rule_file(rule), entries()
    if path is not None:
        return load_rule_file(path)[0]
    if rule in known:
        return known[str(rule)].factory()
    rule = str(rule)
    near = difflib.get_close_matches(rule, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(known)}"
    raise InputError(f"unknown rule {rule!r}; {hint} (a file needs its suffix or folder)")
