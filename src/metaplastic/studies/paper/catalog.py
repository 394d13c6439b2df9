"""All experiments by name, in the order in which a reader meets them."""

import difflib
from collections.abc import Mapping, Sequence

from metaplastic.errors import InputError
from metaplastic.studies.paper.architecture import Architecture
from metaplastic.studies.paper.experiment import AbstractExperiment
from metaplastic.studies.paper.features import Features
from metaplastic.studies.paper.few_shot import FewShot
from metaplastic.studies.paper.meta_curves import MetaCurves
from metaplastic.studies.paper.mismatch import Mismatch
from metaplastic.studies.paper.permutation import Permutation
from metaplastic.studies.paper.terms import Terms
from metaplastic.studies.paper.text import Text

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

    Raises
    ------
    InputError
        For a word that is none, naming the nearest ones.
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
