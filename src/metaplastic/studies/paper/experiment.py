"""What an experiment is: a claim, settings, a measurement, and what may be concluded from it."""

import abc
import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import equinox as eqx
import jax
import numpy as np

from metaplastic.presets import Preset
from metaplastic.presets.io import is_preset, resolve, settings_of, stored_preset
from metaplastic.report import Table
from metaplastic.rules import AbstractUpdateRule
from metaplastic.studies.paper.kept import Kept

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Outcome = Literal["holds", "holds partly", "does not hold here"]
Result = dict[str, Any]
"""What an experiment measured, as plain JSON."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """Told what has just been done; `kept` are measurements that need no repetition."""

    say: Callable[[str], None]
    kept: Kept | None = None

    def __call__(self, text: str) -> None:
        self.say(text)


SEEDS, QUICK_SEEDS = 3, 1
DRAWS, QUICK_DRAWS = 30, 10
"""Unlabelled phases, and draws of labelled rows for each: in full, and with `--quick`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """The preset that is examined, the name it goes by, and a digest of all that it is."""

    name: str
    preset: Preset
    digest: str

    @classmethod
    def load(cls, rule: str | Path | AbstractUpdateRule) -> "Subject":
        """By a rule's name or path, or the rule itself; raises what `presets.io.resolve` raises."""
        preset = (
            stored_preset(rule)
            if isinstance(rule, str | Path) and is_preset(rule)
            else resolve(rule)
        )
        named = isinstance(rule, str | Path)
        name = Path(rule).stem if named else type(preset.rules.main).__name__
        return cls(name, preset, preset_digest(preset))


def preset_digest(preset: Preset) -> str:
    """SHA-256 of a preset: all its settings, and the digest of each rule with its role."""
    rules = {role: digest(rule) for role, rule in preset.rules.named().items()}
    return hashlib.sha256(f"{settings_of(preset)} {rules}".encode()).hexdigest()


def digest(rule: AbstractUpdateRule) -> str:
    """SHA-256 of a rule: class, fields that are no arrays, and every number of theta."""
    arrays, rest = eqx.partition(rule, eqx.is_array)
    hashed = hashlib.sha256(f"{type(rule).__name__} {rest!r}".encode())
    for path, leaf in jax.tree_util.tree_leaves_with_path(arrays):
        value = np.asarray(leaf)
        hashed.update(f"{jax.tree_util.keystr(path)} {value.dtype.str} {value.shape}".encode())
        hashed.update(value.tobytes())
    return hashed.hexdigest()


@dataclasses.dataclass(frozen=True)
class Options:
    """What a user may ask of all experiments.

    `quick` asks for small sweeps, one seed and few draws, `wide` for layers of 10,000 units too.
    `imdb` is a folder of movie reviews by class, `run` the run directory of a meta-training whose
    beginning and end are compared.
    """

    quick: bool = False
    seed: int = 0
    wide: bool = False
    imdb: Path | None = None
    run: Path | None = None

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the unlabelled phases."""
        return tuple(range(self.seed, self.seed + (QUICK_SEEDS if self.quick else SEEDS)))

    @property
    def n_draws(self) -> int:
        """Draws of labelled rows for each seed."""
        return QUICK_DRAWS if self.quick else DRAWS


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of a claim: the outcome, the one number that tells, and a sentence with more."""

    outcome: Outcome
    number: str
    sentence: str


@dataclasses.dataclass(frozen=True, eq=False)
class Drawing:
    """A figure, what it shows in words (for those who do not see it), and its caption.

    `element` is shown on a page instead of the figure, for what moves.
    """

    figure: "Figure"
    description: str
    caption: str = ""
    element: str = ""


class AbstractExperiment(abc.ABC):
    """A frozen dataclass whose fields are the settings: plain values, all that results depend on.

    Results are kept for a name, `revision`, settings, rule and version of the package; raise
    `revision` when the same settings come to mean another measurement.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    claim: ClassVar[str]
    """What the paper says, and where; for experiments beyond it, the question."""

    method: ClassVar[str]
    """What is done here, and where that differs from the paper."""

    revision: ClassVar[int] = 1

    seeds: tuple[int, ...]
    """Seeds of all that is random; a field of every experiment."""

    @classmethod
    @abc.abstractmethod
    def of(cls, options: Options) -> Self:
        """The experiment with the settings that the options ask for.

        Raises
        ------
        InputError
            For options that cannot be met.
        """

    @abc.abstractmethod
    def run(self, subject: Subject, progress: Progress) -> Result:
        """Measure; raises a `MetaplasticError` if that cannot be done here."""

    @abc.abstractmethod
    def tables(self, result: Result) -> Mapping[str, Table]:
        """What was measured in numbers, by title."""

    @abc.abstractmethod
    def figures(self, result: Result) -> Mapping[str, Drawing]:
        """What was measured in pictures, by the stem of their files."""

    @abc.abstractmethod
    def verdict(self, result: Result) -> Verdict:
        """What the numbers say of the claim."""

    def settings(self) -> dict[str, Any]:
        """The fields, as plain JSON values."""
        return {key: _plain(value) for key, value in dataclasses.asdict(self).items()}  # pyright: ignore[reportArgumentType]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
