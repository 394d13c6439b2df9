"""The central learner: a base model trained by an update rule on an unlabelled pool, then frozen.

The training loop is here once; evaluation, the command line and the scikit-learn estimators
import it.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from metaplastic.errors import DivergenceError, InputError
from metaplastic.learners.base import AbstractLearner
from metaplastic.learners.pool import (
    Shuffled,
    check_pool,
    pool_presentation,
    share_of_least,
    subsample,
)
from metaplastic.learners.programs import training
from metaplastic.models import (
    AUTO,
    MLP,
    FrozenMLP,
    InputScaling,
    check_activations,
    dense,
    first_features,
    freeze,
    plain_activation,
    side_by_side,
    with_direct,
)
from metaplastic.rules import AbstractUpdateRule, RuleState, apply_rule, init_model
from metaplastic.trees import all_finite
from metaplastic.types import PRNGKey, Rows

CHUNK = 50
CHUNK_NUMBERS = 2**22
"""Most inner steps per compiled call, and so the most batches on the device at a time; fewer where
they are so wide that they would hold more numbers than this (16 MiB)."""

MOSTLY_ZERO = 0.86
"""`share_of_least` above which inputs are taken for bags of words. Halfway: on validation pools
real words have 0.89 and more, images 0.83 and less."""

DIRECT_SHARES = (0.5, 0.25)
"""Of the features, if a rule has direct connections, those that are inputs: of at most `FEW`
columns, as in tables, and of more (docs/experiments.md)."""

FEW = 32

FREEZE_ROWS = 10_000
"""Most rows of the pool whose statistics are folded into the weights."""

Snapshot = Callable[[int, tuple[MLP, ...], tuple[RuleState, ...]], None]
"""Called with the number of steps done, and every network's model and state of the rule."""


@eqx.filter_jit
def _scan(
    rule: AbstractUpdateRule,
    model: MLP,
    state: RuleState,
    batches: NDArray | Float[Array, "steps batch pre"],
    count: Int[Array, ""],
    first: Int[Array, ""],
    key: PRNGKey,
) -> tuple[MLP, RuleState, Array]:
    # The number of steps is data, so that chunks of any length up to `steps` share one program.
    def body(i: Array, carry: tuple[MLP, RuleState]) -> tuple[MLP, RuleState]:
        batch = jax.lax.dynamic_index_in_dim(batches, i, keepdims=False)
        return apply_rule(rule, *carry, batch, key=jax.random.fold_in(key, first + i))[:2]

    model, state = jax.lax.fori_loop(0, count, body, (model, state))
    return model, state, all_finite((model.layers, state))


@training()
def train(
    rule: AbstractUpdateRule,
    model: MLP,
    state: RuleState,
    batches: NDArray | Float[Array, "steps batch pre"],
    *,
    key: PRNGKey,
    first_step: int = 0,
) -> tuple[MLP, RuleState]:
    """Apply `rule` once to every batch of `(steps, batch, d)`, in order, or the one that it brings
    for the model's nonlinearity (`AbstractUpdateRule.for_activation`).

    One program is compiled per shape of `rule`, `model` and batch, whatever the number of steps
    (batches go to the device `chunk_steps` at a time). Step `t` uses
    `fold_in(key, first_step + t)`, so that training in pieces equals training at once.

    Raises:
        DivergenceError: if parameters or state stop being finite.
    """
    rule = rule.for_activation(model.activation)
    most = chunk_steps(*batches.shape[1:])
    for start in range(0, len(batches), most):
        chunk = np.asarray(batches[start : start + most], np.float32)
        count = len(chunk)
        if count < most:
            chunk = np.concatenate([chunk, np.zeros((most - count, *chunk.shape[1:]), np.float32)])
        model, state, finite = _scan(
            rule, model, state, chunk, jnp.int32(count), jnp.int32(first_step + start), key
        )
        if not finite:
            raise DivergenceError(
                f"{type(rule).__name__} diverged between inner steps {first_step + start} and "
                f"{first_step + start + count}; use fewer steps, a larger batch or a smaller "
                "learning rate, and look for extreme values in the inputs"
            )
    return model, state


def chunk_steps(batch: int, n_columns: int) -> int:
    """How many batches `(batch, n_columns)` go to the device at a time."""
    return min(CHUNK, max(1, CHUNK_NUMBERS // (batch * n_columns)))


@dataclasses.dataclass(frozen=True, eq=False)
class RuleLearner(AbstractLearner):
    """Trains fresh base models with `rule` on batches of the pool, then freezes them.

    Several networks differ in their initial weights and in the order of rows; the features are
    those of all of them.

    Args:
        rule: the update rule.
        hidden_sizes: units of the hidden layers, from the input side; may be empty.
        n_components: features. Units of the top layers, spread evenly over the networks; if the
            rule asks for direct connections, about a quarter are the inputs (half, if they are at
            most 32 columns): as often as they go into it, or 64 rotated principal components of
            them if there are more.
        activation: a name of `models.ACTIVATIONS`, or several as in `relu+tanh`: then equally many
            networks have each of them. `auto` is `relu+tanh` for inputs that are mostly zeros, as
            bags of words are, and `relu` for others (docs/experiments.md).
        n_steps: inner steps; 0 leaves the model as initialised.
        batch_size: rows per step, drawn as shuffled epochs; the whole pool if it is smaller.
        n_networks: networks, at most one per feature.
        alias: name in tables; the rule's class name when left out.

    Raises:
        InputError: for values that are not allowed.
    """

    name: ClassVar[str] = "rule"

    rule: AbstractUpdateRule
    hidden_sizes: tuple[int, ...] = (128, 128)
    n_components: int = 512
    activation: str = AUTO
    n_steps: int = 100
    batch_size: int = 128
    n_networks: int = 8
    alias: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.rule, AbstractUpdateRule):
            raise InputError(f"rule must be an update rule, got {type(self.rule).__name__}")
        names = () if self.activation == AUTO else check_activations(self.activation)
        object.__setattr__(self, "hidden_sizes", tuple(self.hidden_sizes))
        sizes = (*self.hidden_sizes, self.n_components)
        if any(int(n) != n or n < 1 for n in sizes):
            raise InputError(f"layers need at least one unit each, got {sizes}")
        if self.n_steps < 0 or self.batch_size < 2 or self.n_networks < 1:
            raise InputError(
                "n_steps must be at least 0, batch_size at least 2 and n_networks at least 1, got "
                f"{self.n_steps}, {self.batch_size} and {self.n_networks}"
            )
        if names and self.n_networks % len(names):
            raise InputError(
                f"{len(names)} nonlinearities ({self.activation}) need a multiple of {len(names)} "
                f"networks, got {self.n_networks}"
            )

    @property
    def label(self) -> str:
        """The alias, or the rule's class name."""
        return self.alias or type(self.rule).__name__

    def fit(self, x: Rows, *, seed: int) -> FrozenMLP:
        """Train on the pool `x` `(n, d)` and freeze; raises `InputError` or `DivergenceError`."""
        return self.fit_with_snapshots(x, seed=seed)

    def n_direct(self, n_in: int) -> int:
        """How many of the features come straight from `n_in` inputs: about `DIRECT_SHARES`.

        A readout that brings every feature to the same variance hears what is said more often.
        So few inputs are copied, and many are projected.
        """
        share = DIRECT_SHARES[n_in > FEW] if self.rule.direct else 0.0
        part = int(share * self.n_components)
        return part if n_in > part else part - part % n_in

    def nonlinearities(self, x: Rows) -> tuple[str, ...]:
        """Those of the networks for the pool `x` `(n, d)`: as said, or as `auto` chooses.

        Where classes only lean, as in bags of words, networks of ReLU squeeze out what they lean
        by. `auto` is `relu` too where networks or features cannot be halved.
        """
        if self.activation != AUTO:
            return check_activations(self.activation)
        learned = self.n_components - self.n_direct(x.shape[1])
        count = min(self.n_networks, learned)
        whole = self.rule.readout != "post" or learned % count == 0
        return ("relu", "tanh") if count % 2 == 0 and whole and _is_sparse(x) else ("relu",)

    def suited(self, x: Rows) -> "RuleLearner":
        """The learner with the rule that its own has for the pool `x` `(n, d)`.

        Some rules bring another for inputs that are mostly zeros (`AbstractUpdateRule.suited`).
        """
        if self.rule.suited(sparse=True) is self.rule:
            return self
        return dataclasses.replace(self, rule=self.rule.suited(sparse=_is_sparse(x)))

    def networks(self, x: Rows, *, seed: int) -> list[tuple["RuleLearner", int]]:
        """A learner of one network for the pool `x` `(n, d)`, and its seed, for every network.

        The first has `seed`. All have the same shape, so that they share one compiled program (per
        nonlinearity); what they have too many of together, `freeze` leaves out.

        Raises:
            InputError: if several nonlinearities cannot share the features.
        """
        learned = self.n_components - self.n_direct(x.shape[1])
        names = self.nonlinearities(x)
        count = min(self.n_networks, learned)
        cut = learned % count if self.rule.readout == "post" else 0
        if len(names) > 1 and (count % len(names) or cut):
            raise InputError(
                f"{self.n_components} features cannot be shared by {self.n_networks} networks of "
                f"{len(names)} nonlinearities; make n_components a multiple of n_networks"
            )
        seeds = [seed, *np.random.default_rng([seed, 4]).integers(2**31, size=count - 1).tolist()]
        size = -(-learned // count)
        ones = [
            dataclasses.replace(self, n_networks=1, n_components=size, activation=name)
            for name in names
        ]
        return [(ones[i * len(names) // count], each) for i, each in enumerate(seeds)]

    @training()
    def fit_with_snapshots(
        self,
        x: Rows,
        *,
        seed: int,
        snapshot_steps: Sequence[int] = (),
        on_snapshot: Snapshot | None = None,
    ) -> FrozenMLP:
        """As `fit`, calling `on_snapshot(step, models, states)` at the given numbers of steps.

        Steps outside 0 to `n_steps` are passed over. Snapshots change nothing of the result.
        """
        x = check_pool(x)
        learner = self.suited(x)
        networks = learner.networks(x, seed=seed)
        found = learner.starts(x, networks)
        rows = [Shuffled(x.shape[0], seed=own) for _, own in networks]
        most = chunk_steps(min(self.batch_size, x.shape[0]), x.shape[1])
        stops = sorted({s for s in snapshot_steps if 0 <= s <= self.n_steps} | {self.n_steps})
        done = 0
        for stop in stops:
            while done < stop:
                count = min(most, stop - done)
                for i, (model, state, key) in enumerate(found):
                    batches = draw_batches(x, rows[i], count, self.batch_size)
                    after = train(learner.rule, model, state, batches, key=key, first_step=done)
                    found[i] = (*after, key)
                done += count
            if on_snapshot is not None and stop in snapshot_steps:
                models, states, _ = zip(*found, strict=True)
                on_snapshot(stop, models, states)
        return self.freeze(
            [model for model, _, _ in found], subsample(x, FREEZE_ROWS, seed=seed), seed=seed
        )

    def freeze(self, models: Sequence[MLP], x: Rows, *, seed: int) -> FrozenMLP:
        """One encoder of all networks, with the statistics of the rows `x` `(n, d)`."""
        n_direct = self.n_direct(x.shape[1])
        encoder = side_by_side([freeze(model, x) for model in models])
        encoder = first_features(encoder, self.n_components - n_direct)
        return with_direct(encoder, n_direct, x, seed=seed) if n_direct else encoder

    @training()
    def starts(
        self, x: Rows, networks: Sequence[tuple["RuleLearner", int]]
    ) -> list[tuple[MLP, RuleState, PRNGKey]]:
        """Fresh models of `networks` for the pool `x` `(n, d)`, their rule states, training keys.

        Of the networks every other sees inputs that are not whitened, if the others do: some things
        are better told apart one way and some the other.
        """
        whitened = pool_presentation(x, self.rule.whitening)
        turns = (whitened, whitened.unwhitened())
        return [each.start(turns[i % 2], seed=own) for i, (each, own) in enumerate(networks)]

    def start(self, scaling: InputScaling, *, seed: int) -> tuple[MLP, RuleState, PRNGKey]:
        """One fresh model of all features whose inputs are so presented, rule state, training
        key."""
        model_key, rule_key, step_key = jax.random.split(jax.random.key(seed), 3)
        sizes = (scaling.shift.shape[0], *self.hidden_sizes, self.n_components)
        model = init_model(
            self.rule,
            sizes,
            key=model_key,
            activation=plain_activation(self.activation),
            scaling=scaling,
        )
        return model, self.rule.init(model, key=rule_key), step_key


def _is_sparse(x: Rows) -> bool:
    return share_of_least(x) > MOSTLY_ZERO


def draw_batches(x: Rows, rows: Shuffled, count: int, batch_size: int) -> NDArray[np.float32]:
    """The next `count` batches `(count, min(batch_size, n), d)`, dense float32."""
    size = min(batch_size, x.shape[0])
    return dense(x[rows.take(count * size)]).reshape(count, size, x.shape[1])
