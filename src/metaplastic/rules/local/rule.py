"""`local`: a compact learned rule, by default of 1,223 meta-parameters.

Source: this project; the shape of the idea (a network shared by all neurons reads what a neuron
sees and emits low-rank factors of its weight change; an error-like signal comes back through
separate feedback weights) is that of Metz et al. 2018, arXiv 1804.00222, sections 4.2 and 5.

Notation: `B` samples, `n` units; arrays with channels are `(channel, batch, unit)`, so that
mixing channels and summing over them are plain matrix products.
"""

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.models import (
    MLP,
    Delta,
    Initialisation,
    Layer,
    LayerTrace,
    Readout,
    Trace,
)
from metaplastic.rules.base import AbstractUpdateRule, Variant
from metaplastic.rules.local.change import terms_of, turned, turned_feedback, weighted
from metaplastic.rules.local.eager import LocalSteps
from metaplastic.rules.local.factors import Factors, activity, channels, down, outgoing_norm
from metaplastic.rules.local.signals import (
    Signals,
    lateral_signals,
    no_lateral_signals,
    outputs,
    scaled,
    unit_features,
)
from metaplastic.rules.local.start import (
    FIELDS,
    MAX_RATE,
    N_GATED,
    TIME_SCALE,
    check_fields,
    start_values,
)
from metaplastic.types import Locality, PRNGKey


class LocalRule(AbstractUpdateRule):
    """A network shared by all units computes, for every unit and sample, what it should learn.

    For every layer, top first, each (sample, unit) has features
    `E = [z, x, delta_1..m, s, dec, ms, y]`: drive, rectified drive (the output of a ReLU network;
    the same whatever the nonlinearity of this one), m top-down signals (by default 4), competition
    (a softmax over units), decorrelation (drive times the correlation matrix), pull towards
    similar samples (drive averaged with cosine weights over the batch) and, `with_outputs`, what
    the layer above receives (centred, of unit mean square); `with_labels`, the top layer has what
    labels tell its units. Units add `U = [b, mean x, skewness of z, outgoing norm, correlation]`,
    samples `S = [mean x, mean x^2 - 1]`, the layer its role and the time. With
    `h = tanh(A_e E + A_u U + A_s S + a)`,

        [p, q, m] = R_e E + R_h h + r

    are post-synaptic factors, pre-synaptic factors (centred over the batch) and messages; the
    layer below receives `delta = V m`, divided by its root mean square (and the inputs D times
    that). The change of a weight is

        T_0 = sum_c q_c^T p_c,  T_1 = D W * sum_c' q_c'^T p_c',  T_2 = -D W C

    (C: correlations between units; D: standard deviations of the inputs over the batch, so that
    weights from silent inputs do not change), each of unit mean square; `U = sum_k a_k T_k`
    without its component along each unit's weights (taken from all of them where they would
    grow, given back through D where they would shrink), bounded, and `W <- columns of unit norm
    of (W + eta U / sqrt(n_pre))`: a receptive field turns by at most `eta` radians a step. Feedback
    weights follow the same terms with coefficients of their own; biases follow `tanh(r_b h)`,
    kept within [-2, 2]. Step sizes fall with the number of steps `t` as
    `(1 + t / tau)^-gamma`, tau and gamma learned, and where `settle` is not zero by another
    `1 + (t / settle)^2`, so that all later steps together turn a field by a bounded angle.

    Locality: `layer` (s, dec, ms, C and the normalisation of terms are lateral or batch
    statistics; equivariant to permutations of units, inputs and samples). With `lateral=False`
    those are dropped or computed per unit, and the rule is `neuron`-local: given the signals
    that reach it, a unit's change depends on nothing of the other units in its layer.
    """

    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("local", "the learned rule before meta-training; where `base` started"),
        Variant(
            "local_strict",
            "the same without lateral signals, before training",
            {"lateral": False},
        ),
    )
    file_fields: ClassVar[Mapping[str, type]] = FIELDS
    later_fields: ClassVar[frozenset[str]] = frozenset(
        {"settle", "with_outputs", "with_labels", "n_messages", "n_factors"}
    )

    initialisation: ClassVar[Initialisation] = "unit_norm"
    readout: ClassVar[Readout] = "drive"

    element_in: Float[Array, "hidden element"]
    unit_in: Float[Array, "hidden unit_feature"]
    sample_in: Float[Array, "hidden sample_feature"]
    role_in: Float[Array, "hidden role"]
    element_out: Float[Array, "out element"]
    hidden_out: Float[Array, "out hidden"]
    offset_out: Float[Array, " out"]
    top_element_out: Float[Array, "message element"]
    top_hidden_out: Float[Array, "message hidden"]
    input_out: Float[Array, "factor input_feature"]
    bias_out: Float[Array, " hidden"]
    weight_terms: Float[Array, " term"]
    feedback_terms: Float[Array, " term"]
    rates: Float[Array, " 3"]
    decay: Float[Array, " 2"]
    competition: Float[Array, ""]
    similarity: Float[Array, ""]
    lateral: bool = eqx.field(static=True)
    settle: int = eqx.field(static=True, default=0)
    with_outputs: bool = eqx.field(static=True, default=False)
    with_labels: bool = eqx.field(static=True, default=False)

    @property
    def n_messages(self) -> int:
        """Signals that a unit sends down."""
        return self.top_element_out.shape[0]

    @property
    def n_factors(self) -> int:
        """Factors of the Hebbian term T_0; T_1 has two more."""
        return self.input_out.shape[0] - N_GATED

    @property
    def hidden(self) -> int:
        """Width of the shared network."""
        return self.element_in.shape[0]

    @property
    def hears_labels(self) -> bool:
        return self.with_labels

    @property
    def locality(self) -> Locality:
        """`layer`, or `neuron` without the lateral signals."""
        return "layer" if self.lateral else "neuron"

    @classmethod
    def create(  # pyright: ignore[reportIncompatibleMethodOverride]  # its own fields by name
        cls,
        *,
        key: PRNGKey,
        hidden: int = 24,
        lateral: bool = True,
        settle: int = 0,
        with_outputs: bool = False,
        with_labels: bool = False,
        n_messages: int = 4,
        n_factors: int = 4,
    ) -> "LocalRule":
        """An untrained rule that already learns: Hebbian with competition and decorrelation.

        Parameters
        ----------
        key : PRNG key
            For the small random part of the start.
        hidden : int, default=24
            Width of the shared network.
        lateral : bool, default=True
            Whether lateral signals and batch statistics are used.
        settle : int, default=0
            Steps after which learning comes to rest; 0 for never.
        with_outputs : bool, default=False
            Whether the rule sees what units send upwards, which tells nonlinearities apart.
        with_labels : bool, default=False
            Whether the rule hears labels where there are some.
        n_messages : int, default=4
            Signals that a unit sends down.
        n_factors : int, default=4
            Factors of the Hebbian term.

        Raises
        ------
        InputError
            If `hidden`, `n_messages` or `n_factors` is no positive integer, `settle` none from 0.

        Examples
        --------
        >>> import jax
        >>> from metaplastic.rules import LocalRule
        >>> LocalRule.create(key=jax.random.key(0), hidden=4, lateral=False).locality
        'neuron'
        """
        check_fields(hidden, settle, n_messages, n_factors)
        sizes = {"hidden": int(hidden), "n_messages": int(n_messages), "n_factors": int(n_factors)}
        told = {"lateral": lateral, "with_outputs": with_outputs, "with_labels": with_labels}
        arrays = start_values(key, **sizes, **told)
        # `locality` is a property, not a field, which pyright does not see.
        return cls(**arrays, **told, settle=int(settle))  # pyright: ignore[reportCallIssue, reportArgumentType]

    def eager(self, activation: str) -> LocalSteps:
        return LocalSteps(self, activation)

    def init(self, model: MLP, *, key: PRNGKey) -> Float[Array, ""]:
        """The number of steps done."""
        del model, key
        return jnp.zeros(())

    def update(
        self, model: MLP, trace: Trace, state: Float[Array, ""], *, key: PRNGKey
    ) -> tuple[Delta, Float[Array, ""]]:
        """See the class; deterministic, so `key` is not used."""
        del key
        signals = self._signals(model, trace, state)
        layers = zip(model.layers, trace, signals[:-1], signals[1:], strict=True)
        delta = tuple(
            self._layer_change(layer, here.pre, below.pre, above, state)
            for layer, here, below, above in layers
        )
        return delta, state + 1.0

    def _signals(self, model: MLP, trace: Trace, time: Float[Array, ""]) -> list[Signals]:
        """Signals of every layer, inputs first, computed from the top down."""
        depth = len(model.layers)
        signals: list[Signals] = []
        top_down = jnp.zeros((self.n_messages, *trace[-1].drive.shape))
        for index in reversed(range(depth)):
            layer, is_top = model.layers[index], index == depth - 1
            above = None if is_top else model.layers[index + 1].weight
            outgoing = jnp.zeros(layer.bias.shape) if above is None else outgoing_norm(above)
            role = [jnp.ones(()), 1.0 * is_top, 1.0 * (index == 0), time / (time + TIME_SCALE)]
            emitted = self._layer_signals(
                layer, trace[index], top_down, outgoing, jnp.stack(role), is_top
            )
            signals.insert(0, emitted)
            top_down = scaled(down(emitted.messages, layer.feedback), lateral=self.lateral)
        x = trace[0].pre
        features = jnp.concatenate([x[None], top_down * activity(x)])
        pre = channels(self.input_out, features - jnp.mean(features, axis=1, keepdims=True))
        return [signals[0]._replace(pre=pre), *signals]

    def _layer_signals(
        self,
        layer: Layer,
        trace: LayerTrace,
        top_down: Factors,
        outgoing: Float[Array, " unit"],
        role: Float[Array, " role"],
        is_top: bool,
    ) -> Signals:
        z = trace.drive
        lateral = no_lateral_signals(z)
        if self.lateral:
            lateral = lateral_signals(z, layer.bias, self.competition, self.similarity)
        elements = [z[None], jax.nn.relu(z)[None], top_down, *lateral.elements]
        if self.with_outputs:
            elements.append(outputs(trace.post, lateral=self.lateral))
        if self.with_labels and trace.labels is not None:
            elements.append(trace.labels[None])
        e = jnp.concatenate(elements)
        per_unit = unit_features(z, layer.bias, outgoing, lateral.crowding)
        h = jnp.tanh(
            channels(self.element_in, e)
            + (self.unit_in @ per_unit + (self.role_in @ role)[:, None])[:, None, :]
            + (self.sample_in @ lateral.per_sample)[:, :, None]
        )
        out = channels(self.element_out, e) + channels(self.hidden_out, h)
        out = out + self.offset_out[:, None, None]
        n_all = self.input_out.shape[0]
        post, pre, messages = jnp.split(out, [n_all, 2 * n_all])
        if is_top:
            messages = channels(self.top_element_out, e) + channels(self.top_hidden_out, h)
        pre = pre - jnp.mean(pre, axis=1, keepdims=True)
        return Signals(post, pre, messages, jnp.mean(h, axis=1), lateral.correlation)

    def _layer_change(
        self,
        layer: Layer,
        inputs: Float[Array, "batch pre"],
        pre: Factors,
        own: Signals,
        time: Float[Array, ""],
    ) -> Layer:
        terms = terms_of(layer, inputs, pre, own, n_factors=self.n_factors, lateral=self.lateral)
        rates = MAX_RATE * jax.nn.sigmoid(self.rates) * self._slowdown(time)
        weight = turned(layer.weight, inputs, weighted(self.weight_terms, terms), rates[0])
        change = weighted(self.feedback_terms, terms)
        feedback = turned_feedback(layer.feedback, change, rates[1])
        push = rates[2] * jnp.tanh(self.bias_out @ own.hidden)
        bias = 2.0 * jnp.tanh((layer.bias + push) / 2.0)
        return Layer(weight - layer.weight, bias - layer.bias, feedback - layer.feedback)

    def _slowdown(self, time: Float[Array, ""]) -> Float[Array, ""]:
        tau = TIME_SCALE * jnp.exp(self.decay[0])
        slowdown = (1.0 + time / tau) ** -jax.nn.sigmoid(self.decay[1])
        return slowdown / (1.0 + (time / self.settle) ** 2) if self.settle else slowdown
