"""What `RuleTransformer` does when it learns; here, and not before, JAX is imported."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from metaplastic.errors import InputError
from metaplastic.forks import check_fork
from metaplastic.learners import RuleLearner
from metaplastic.learners.eager import all_eager
from metaplastic.learners.told import Told
from metaplastic.models import MLP, prepare
from metaplastic.presets.io import BASE, resolve
from metaplastic.rules import RuleState
from metaplastic.rules.catalog import is_path
from metaplastic.sklearn.parameters import NETWORKS, draw_seed, given_networks
from metaplastic.sklearn.rows import check_one_pass, check_rows, warn_of_lost_columns
from metaplastic.sklearn.stream import Stream, Training, later_keys, to_numpy


def fit_rows(transformer: Any, X: Any) -> Stream:
    """The networks of a `RuleTransformer` trained on the rows `X`; raises what its `fit` says."""
    learner = _learner(transformer)
    x = check_rows(transformer, X, reset=True, least=2)
    seed = draw_seed(transformer.random_state)
    if transformer.n_steps is None:
        check_one_pass(x.shape[0], learner.preset.networks.batch_size)
        stream = Stream(learner, x.shape[1], seed)
        stream.extend(x)
    else:
        stream = _trained(learner, x, seed)
    warn_of_lost_columns(x, stream.encoder)
    return stream


def check_hearing(transformer: Any) -> None:
    """Raise `InputError` if the rules hear no labels, or `n_steps` is None."""
    if transformer.n_steps is None:
        raise InputError('supervision="labels" takes rows several times; give n_steps a number')
    preset = _learner(transformer).preset
    by_preset = isinstance(transformer.rule, str) and transformer.rule == BASE
    if not by_preset and not preset.rules.hear_labels:
        raise InputError(
            'supervision="labels" takes a rule that hears labels, which the one given as rule does '
            "not; leave out rule, or give such a one"
        )
    preset.check_hearing()


def fit_told(transformer: Any, x: Any, heard: Told) -> Stream:
    """The networks of a `RuleTransformer`, which hear labels, trained on the checked rows `x`."""
    return _trained(_learner(transformer), x, draw_seed(transformer.random_state), heard)


def _trained(learner: RuleLearner, x: Any, seed: int, heard: Told | None = None) -> Stream:
    n_steps = learner.preset.networks.n_steps
    batch_size = stable_batch_size(learner.preset.networks.batch_size, x.shape[0])
    fitted = RuleLearner(learner.preset.with_networks(batch_size=batch_size))
    trained: list[tuple[tuple[MLP, ...], tuple[RuleState, ...]]] = []
    encoder = fitted.fit_with_snapshots(
        x,
        seed=seed,
        snapshot_steps=(n_steps,),
        on_snapshot=lambda step, models, states: trained.append((models, states)),
        told=heard,
    )
    # Of the steps after fit's own, should `partial_fit` make any.
    members = learner.preset.plan(
        prepare(encoder.preparation, x, keep=False), seed, heard=heard is not None
    ).members
    keys = later_keys(seed, n_steps, len(members))
    trainings = tuple(
        Training.of(member.rule, model, state, key, n_steps)
        for member, model, state, key in zip(members, *trained[0], keys, strict=True)
    )
    return Stream(learner, x.shape[1], seed, trainings, encoder)


def extend_stream(transformer: Any, stream: Stream | None, X: Any) -> Stream:
    """The stream, or a fresh one, after the rows `X`; raises what `partial_fit` says."""
    learner = _learner(transformer) if stream is None else None
    x = check_rows(transformer, X, reset=stream is None)
    if learner is not None:
        stream = Stream(learner, x.shape[1], draw_seed(transformer.random_state))
    assert stream is not None
    stream.extend(x)
    return stream


def _learner(transformer: Any) -> RuleLearner:
    networks = {name: getattr(transformer, name) for name in NETWORKS}
    return make_learner(transformer.rule, transformer.preset, networks, transformer.prepare)


def make_learner(
    rule: Any, preset: Any, networks: Mapping[str, Any], prepare: Any = True
) -> RuleLearner:
    """The learner that an estimator's parameters describe; its rules hold NumPy arrays.

    `networks` has the parameters named `NETWORKS`; `AUTO` is what the preset says. `prepare` says
    whether the preset may prepare the inputs.

    Raises
    ------
    InputError
        For values that are not allowed.
    FileFormatError
        For a path that cannot be read as a rule or a preset.
    ConfigurationError
        In a process that was forked while JAX was running, for rules that need JAX.
    """
    if not isinstance(prepare, (bool, np.bool_)):
        raise InputError(f"prepare is True or False, got {prepare!r}")
    if isinstance(rule, str) and rule != BASE and not is_path(rule):
        check_fork()  # Untrained rules are made by JAX.
    chosen = resolve(rule, preset)
    if not prepare:
        chosen = chosen.without_preparation()
    chosen = chosen.with_networks(**given_networks(networks))
    if not all_eager(tuple(chosen.rules.named().values())):
        check_fork()
    return RuleLearner(dataclasses.replace(chosen, rules=chosen.rules.map(to_numpy)))


def stable_batch_size(batch_size: int, n_rows: int) -> int:
    """The batch size, or the largest power of two within a smaller pool.

    Where JAX trains, pools of nearby sizes then share one compiled program.
    """
    return batch_size if n_rows >= batch_size else 1 << (n_rows.bit_length() - 1)
