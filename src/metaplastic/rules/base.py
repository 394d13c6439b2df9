"""The seam: what an update rule is, and the one way it is applied.

A rule reads a base model and the trace of one batch and returns a change of the model's
parameters. It never calls the model. Its inexact-array leaves are the meta-parameters theta.
"""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, PyTree
from numpy.typing import NDArray

from metaplastic.models import (
    MLP,
    Delta,
    Initialisation,
    Layer,
    Presentation,
    Readout,
    Trace,
    init_mlp,
)
from metaplastic.rules.hearing import hear
from metaplastic.types import Locality, PRNGKey

RuleState = PyTree
"""What a rule carries from step to step (arrays of fixed shape and dtype); `()` if nothing."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """A name for an untrained rule of a class.

    Parameters
    ----------
    name : str
        The name that `load_rule` takes.
    summary : str
        One line for `metaplastic rules list`.
    fields : mapping of str to object, optional
        Arguments of the class's `create`.
    """

    name: str
    summary: str
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class EagerSteps(Protocol):
    """Inner steps of a rule in NumPy (`AbstractUpdateRule.eager`)."""

    def init(self) -> RuleState:
        """The rule's state before the first step."""
        ...

    def run(
        self,
        layers: Sequence[Layer],
        state: RuleState,
        batches: NDArray[np.float32],
        targets: NDArray[np.float32] | None,
    ) -> tuple[tuple[Layer, ...], RuleState]:
        """Layers and state after one step for every batch.

        Parameters
        ----------
        layers : sequence of Layer
            Parameters of the network, in float32.
        state : RuleState
            The rule's state.
        batches : array (steps, batch, pre) of float32
            Presented inputs.
        targets : array (steps, batch, class) of float32, optional
            What a rule that hears labels is told (`hear`).
        """
        ...


class AbstractUpdateRule(eqx.Module):
    """An update rule; see `docs/extending.md` for a skeleton.

    A rule is `init`, `update`, `locality`, `initialisation` and `readout`. The other class
    attributes say how it is named and kept in files.

    Concrete rules are final: subclass this, not another rule.
    """

    locality: eqx.AbstractVar[Locality]
    """What a weight's change may depend on; measured by the tests, so it cannot be a boast."""

    initialisation: ClassVar[Initialisation] = "unit_norm"
    """How the base model's weights start under this rule."""

    readout: ClassVar[Readout] = "drive"
    """Which output of the top layer serves as features under this rule."""

    variants: ClassVar[tuple[Variant, ...]] = ()
    """Names under which `load_rule` makes an untrained rule of this class."""

    file_fields: ClassVar[Mapping[str, type]] = {}
    """Arguments of `create` (bool, float or int) that a file stores beside the arrays."""

    later_fields: ClassVar[frozenset[str]] = frozenset()
    """Those of `file_fields` that older files lack; then the default of `create` holds."""

    @property
    def n_top(self) -> int | None:
        """The only number of top units that the rule can train; `None` if any will do."""
        return None

    @property
    def hears_labels(self) -> bool:
        """Whether the rule uses `labels` of the top layer's trace (see `rules.hear`)."""
        return False

    def eager(self, activation: str) -> "EagerSteps | None":
        """Steps by NumPy for a network of this nonlinearity, where the rule has them.

        A fit then compiles nothing. They give what `update` gives, but for rounding, and the rule
        takes its networks from the initialisation `unit_norm` and draws nothing at random.
        """
        del activation
        return None

    @classmethod
    def create(cls, *, key: PRNGKey, **fields: Any) -> "AbstractUpdateRule":
        """An untrained rule of these fields; the shapes of its arrays depend on nothing else."""
        del key
        return cls(**fields)

    def file_values(self) -> dict[str, Any]:
        """The values of `file_fields` that make a rule of the same structure."""
        return {name: getattr(self, name) for name in self.file_fields}

    @abc.abstractmethod
    def init(self, model: MLP, *, key: PRNGKey) -> RuleState:
        """The rule's state before the first step: arrays of fixed shapes and dtypes, or `()`."""

    @abc.abstractmethod
    def update(
        self, model: MLP, trace: Trace, state: RuleState, *, key: PRNGKey
    ) -> tuple[Delta, RuleState]:
        """The change of every layer's parameters, and the rule's next state.

        Parameters
        ----------
        model : MLP
            The model as it was when it ran the batch.
        trace : Trace
            Of every layer inputs `(batch, pre)`, drive and outputs `(batch, post)`.
        state : RuleState
            What the call before returned, or `init`.
        key : PRNG key
            Key of random draws.

        Returns
        -------
        (Delta, RuleState)
            What is added to every parameter, of its shape, and the next state.
        """


def init_model(
    rule: AbstractUpdateRule,
    sizes: tuple[int, ...],
    *,
    key: PRNGKey,
    activation: str = "relu",
    presentation: Presentation | None = None,
) -> MLP:
    """A fresh base model of the kind that `rule` trains.

    Parameters
    ----------
    rule : AbstractUpdateRule
        The rule; it decides on initial weights and the readout.
    sizes : tuple of int
        Units per layer, inputs first.
    key : PRNG key
        Key of the initial weights.
    activation : str, default="relu"
        A name of `models.ACTIVATIONS`.
    presentation : Presentation, optional
        Presentation of raw inputs; the identity when left out.

    Returns
    -------
    MLP
        The model.

    Raises
    ------
    InputError
        For sizes or names that are not allowed.
    """
    return init_mlp(
        sizes,
        key=key,
        activation=activation,
        initialisation=rule.initialisation,
        readout=rule.readout,
        presentation=presentation,
    )


def apply_rule(
    rule: AbstractUpdateRule,
    model: MLP,
    state: RuleState,
    batch: Float[Array, "batch pre"],
    *,
    key: PRNGKey,
    targets: Float[Array, "batch class"] | None = None,
) -> tuple[MLP, RuleState, Trace]:
    """One inner step: run the batch, ask the rule, change the model.

    Meta-training, evaluation and the estimators all call it.

    Parameters
    ----------
    rule : AbstractUpdateRule
        The rule.
    model : MLP
        The model to change.
    state : RuleState
        State of the rule; `rule.init` makes the first.
    batch : array (batch, pre) of float
        One batch of inputs.
    key : PRNG key
        Key of the rule's random draws.
    targets : array (batch, class) of float, optional
        What is known of the rows' classes (see `hear`), for rules that hear labels.

    Returns
    -------
    (MLP, RuleState, Trace)
        The changed model, the rule's next state, and the trace from before the change.

    Examples
    --------
    >>> import jax
    >>> from metaplastic.rules import apply_rule, init_model, load_rule
    >>> rule, key = load_rule("hebb"), jax.random.key(0)
    >>> model = init_model(rule, (8, 6, 4), key=key)
    >>> batch, state = jax.random.normal(key, (32, 8)), rule.init(model, key=key)
    >>> model, state, trace = apply_rule(rule, model, state, batch, key=key)
    >>> [layer.post.shape for layer in trace]
    [(32, 6), (32, 4)]
    """
    trace = model.trace(batch)
    if targets is not None:
        trace = hear(trace, targets)
    delta, state = rule.update(model, trace, state, key=key)
    return model.apply(delta), state, trace
