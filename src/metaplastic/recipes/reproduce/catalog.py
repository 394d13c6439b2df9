"""All experiments by name, in the order in which a reader meets them."""

import difflib
from collections.abc import Mapping, Sequence

from metaplastic.errors import InputError
from metaplastic.recipes.reproduce.architecture import Architecture
from metaplastic.recipes.reproduce.experiment import AbstractExperiment
from metaplastic.recipes.reproduce.features import Features
from metaplastic.recipes.reproduce.few_shot import FewShot
from metaplastic.recipes.reproduce.meta_curves import MetaCurves
from metaplastic.recipes.reproduce.mismatch import Mismatch
from metaplastic.recipes.reproduce.permutation import Permutation
from metaplastic.recipes.reproduce.terms import Terms
from metaplastic.recipes.reproduce.text import Text

ALL = "all"

EXPERIMENTS: Mapping[str, type[AbstractExperiment]] = {
    kind.name: kind
    for kind in (
        FewShot,
        Permutation,
        Architecture,
        Text,
        Mismatch,
        MetaCurves,
        Features,
        Terms,
    )
}
"""Kinds of experiments by name."""


def named(names: Sequence[str]) -> list[type[AbstractExperiment]]:
    """The experiments meant by words of the command line; `all` is every one.

    Raises:
        InputError: for a word that is none, naming the nearest ones.
    """
    if not names:
        raise InputError(f"name an experiment: {', '.join((*EXPERIMENTS, ALL))}")
    for name in names:
        if name not in EXPERIMENTS and name != ALL:
            near = difflib.get_close_matches(name, [*EXPERIMENTS, ALL], n=2, cutoff=0.4)
            choice = f"choose one of {', '.join((*EXPERIMENTS, ALL))}"
            hint = f"did you mean {' or '.join(near)}? ({choice})" if near else choice
            raise InputError(f"unknown experiment {name!r}; {hint}")
    if ALL in names:
        return list(EXPERIMENTS.values())
    return [EXPERIMENTS[name] for name in dict.fromkeys(names)]
