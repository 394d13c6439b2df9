"""Rules by name: those with constants set by hand, and those shipped in files."""

import dataclasses
import difflib
import functools
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

import jax

from metaplastic.errors import InputError
from metaplastic.files import file_kind
from metaplastic.rules.base import AbstractUpdateRule
from metaplastic.rules.classes import RULE_CLASSES
from metaplastic.rules.io import PRESET, load_rule_file


@dataclasses.dataclass(frozen=True)
class RuleEntry:
    """A rule that has a name."""

    name: str
    factory: Callable[[], AbstractUpdateRule]
    summary: str


def _untrained() -> list[RuleEntry]:
    """Every variant of every class, made with the same key each time."""
    return [
        RuleEntry(
            variant.name,
            functools.partial(rule.create, key=jax.random.key(0), **variant.fields),
            variant.summary,
        )
        for rule in RULE_CLASSES.values()
        for variant in rule.variants
    ]


_SHIPPED = {
    "base": "the default: `local`, meta-trained on letters, drawings, words and synthetic tasks",
    "metz2018_taught": "the rule of Metz et al. 2018, taught by `base`, then meta-trained",
    "metz2018_equivariant_taught": "`metz2018_equivariant`, taught by `base`, then meta-trained",
    "base-0.1": "`base` with the settings of version 0.1",
    "small": "`base` with two smaller rules: 8 hidden units each, taught by those of `base`",
}
"""One line on every shipped file."""


def shipped_path(name: str) -> Path:
    """Where the file of a shipped rule or preset is, whether or not it exists."""
    return Path(str(resources.files("metaplastic"))) / "shipped" / f"{name}.safetensors"


def _shipped_paths() -> list[Path]:
    return sorted(shipped_path("base").parent.glob("*.safetensors"), key=lambda path: path.stem)


def shipped_presets() -> list[str]:
    """Names of the shipped files that hold a preset."""
    return [path.stem for path in _shipped_paths() if file_kind(path) == PRESET]


def entries() -> Mapping[str, RuleEntry]:
    """All named rules, shipped ones first."""
    shipped = (_shipped_entry(path) for path in _shipped_paths())
    return {entry.name: entry for entry in (*shipped, *_untrained())}


def _shipped_entry(path: Path) -> RuleEntry:
    def load() -> AbstractUpdateRule:
        return load_rule_file(path)[0]

    return RuleEntry(path.stem, load, _SHIPPED.get(path.stem, "a shipped, meta-trained rule"))


def is_path(name: str | Path) -> bool:
    """Whether a user means a file: a path object, or text with a suffix or a folder.

    The name of a shipped file is a name, whatever dots it has.
    """
    path = Path(name)
    if isinstance(name, Path) or str(path) != name:  # "./base"
        return name != ""
    if len(path.parts) == 1 and shipped_path(name).exists():
        return False
    return bool(path.suffix) or len(path.parts) > 1


def rule_file(rule: str | Path) -> Path | None:
    """The file that a name or path stands for; `None` for other names, known or not."""
    if is_path(rule):
        return Path(rule)
    shipped = shipped_path(str(rule))
    return shipped if shipped.exists() else None


def list_rules() -> dict[str, str]:
    """Names of rules, with one line each; shipped ones first.

    Of the shipped presets it names `base` alone, which stands for its main rule. The others are
    those of `load_preset`.

    Returns
    -------
    dict of str to str
        Names in the order to show them, each with one line on its rule.

    Examples
    --------
    >>> from metaplastic import list_rules
    >>> list_rules()["hebb"]
    "Hebb's rule with weight decay"
    """
    others = [name for name in shipped_presets() if name != "base"]
    return {name: entry.summary for name, entry in entries().items() if name not in others}


def load_rule(rule: str | Path | AbstractUpdateRule) -> AbstractUpdateRule:
    """A rule by name or from a file; a rule object is returned as it is.

    Parameters
    ----------
    rule : str, Path or AbstractUpdateRule
        A name of `list_rules()`, a path (anything with a folder or a suffix), or a rule.

    Returns
    -------
    AbstractUpdateRule
        The rule.

    Raises
    ------
    InputError
        For a name that is not known, naming the nearest ones.
    FileFormatError
        For a file that cannot be read as a rule.

    Examples
    --------
    >>> from metaplastic import load_rule
    >>> load_rule("oja").locality
    'layer'
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
