"""`metz2018`: the update rule that Metz et al. published, and an equivariant variant of it."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.errors import InputError
from metaplastic.models import MLP, Delta, Initialisation, Layer, Readout, Trace
from metaplastic.rules.base import AbstractUpdateRule, Variant
from metaplastic.rules.metz2018.networks import (
    CHANNELS,
    N_SIGNAL,
    N_STATISTICS,
    Affine,
    HiddenNetwork,
    TopNetwork,
    truncated_normal,
)
from metaplastic.rules.metz2018.terms import Terms
from metaplastic.types import Locality, PRNGKey

LEARNING_RATE = 1e-4
"""Inner learning rate of the published program."""

N_TOP = 32
"""Top units of the published base model."""


class Metz2018(AbstractUpdateRule):
    """The published rule, complete; theta has 114,670 numbers at 32 top units.

    Source: Metz, Maheswaranathan, Cheung, Sohl-Dickstein 2018, arXiv 1804.00222, sections 4.2
    and 5 and appendix; docs/metz2018.md derives it term by term.

    A network reads the top layer's outputs and emits a signal `d_L` of 32 channels per unit and
    sample. Going down, a second network shared by all layers gives every unit a hidden state
    `h_l` from its output, drive, bias, `d_l` and statistics of its weights, and
    `d_{l-1} = V_l (d_l * sigmoid(z_l) + A h_l + a)` passes through the feedback weights, divided
    by its root mean square over channels. Twelve terms (`terms.TERMS`), made of low-rank products
    of readouts of `h` and of the normalised weights, merge into a direction `g`; then
    `W <- W - eta (W + g_W)`, `V <- V - eta (V + g_W)`, `b <- b - eta (b + g_b)`.

    Locality: `network`. Convolutions run over units and over samples in their given order,
    units are numbered, the top network mixes units as channels, batch norms reach over layers.
    With `equivariant=True` convolutions are pointwise and numbers and mixing are absent; then it
    is `layer`, any number of top units will do, and permuting units, inputs or samples permutes
    the update.
    """

    variants: ClassVar[tuple[Variant, ...]] = (
        Variant("metz2018", "the rule of Metz et al. 2018 before meta-training"),
        Variant(
            "metz2018_equivariant",
            "the same without what depends on the order of units and samples, before meta-training",
            {"equivariant": True},
        ),
    )
    file_fields: ClassVar[Mapping[str, type]] = {
        "n_top": int,
        "learning_rate": float,
        "equivariant": bool,
        "unit_norm": bool,
    }
    later_fields: ClassVar[frozenset[str]] = frozenset({"unit_norm"})

    top: TopNetwork
    hidden: HiddenNetwork
    delta_readout: Affine
    terms: Terms
    bias_weight: Float[Array, " channel"]
    bias_offset: Float[Array, " 1"]
    learning_rate: float = eqx.field(static=True)
    equivariant: bool = eqx.field(static=True)
    unit_norm: bool = eqx.field(static=True, default=False)

    @property
    def initialisation(self) -> Initialisation:  # pyright: ignore[reportIncompatibleVariableOverride]
        """`published`, or `unit_norm`."""
        return "unit_norm" if self.unit_norm else "published"

    @property
    def readout(self) -> Readout:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The top layer's `post` as published, or with `unit_norm` its `drive`."""
        return "drive" if self.unit_norm else "post"

    @property
    def locality(self) -> Locality:
        """`layer` for the equivariant variant, else `network`."""
        return "layer" if self.equivariant else "network"

    @property
    def n_top(self) -> int | None:
        """The number of top units that theta is made for; `None` if any will do."""
        return None if self.equivariant else self.top.mixing[0].offset.shape[0]

    def file_values(self) -> dict[str, Any]:
        """As in the class; an equivariant rule, made for any number of top units, says 1."""
        return {**super().file_values(), "n_top": self.n_top or 1}

    @classmethod
    def create(  # pyright: ignore[reportIncompatibleMethodOverride]  # its own fields by name
        cls,
        *,
        key: PRNGKey,
        n_top: int = N_TOP,
        learning_rate: float = LEARNING_RATE,
        equivariant: bool = False,
        unit_norm: bool = False,
    ) -> "Metz2018":
        """An untrained rule, initialised as published: its step is almost all weight decay.

        Parameters
        ----------
        key : PRNG key
            Key of the truncated normal draws.
        n_top : int, default=N_TOP
            Top units of the base models it will train; no matter if `equivariant`.
        learning_rate : float, default=LEARNING_RATE
            Inner learning rate eta, in (0, 1].
        equivariant : bool, default=False
            Leave out what depends on the order of units and samples.
        unit_norm : bool, default=False
            Networks start with weights of unit norm and are read by their drive, as those of
            `local`; otherwise as published.

        Raises
        ------
        InputError
            For a number of units below 1 or a learning rate out of range.
        """
        if n_top != int(n_top) or n_top < 1:
            raise InputError(f"n_top must be a positive integer, got {n_top!r}")
        if not (math.isfinite(learning_rate) and 0 < learning_rate <= 1):
            raise InputError(f"learning_rate must be in (0, 1], got {learning_rate!r}")
        keys = jax.random.split(key, 5)
        return cls(  # pyright: ignore[reportCallIssue]  # `locality` is a property, not a field
            top=TopNetwork.create(n_top, local=equivariant, key=keys[0]),
            hidden=HiddenNetwork.create(local=equivariant, key=keys[1]),
            delta_readout=Affine.create(CHANNELS, N_SIGNAL, key=keys[2]),
            terms=Terms.create(key=keys[3]),
            bias_weight=truncated_normal(keys[4], (CHANNELS,), CHANNELS),
            bias_offset=jnp.zeros(1),
            learning_rate=learning_rate,
            equivariant=equivariant,
            unit_norm=unit_norm,
        )

    def init(self, model: MLP, *, key: PRNGKey) -> tuple[()]:
        """No state; raises `InputError` for a model whose top layer does not fit theta."""
        del key
        self._check(model)
        return ()

    def update(
        self, model: MLP, trace: Trace, state: tuple[()], *, key: PRNGKey
    ) -> tuple[Delta, tuple[()]]:
        """See the class; deterministic, so `key` is not used."""
        del key
        self._check(model)
        hidden = self._hidden(model, trace)
        posts = [trace[0].pre, *(layer.post for layer in trace)]
        return tuple(
            self._layer_change(layer, *hidden[i : i + 2], *posts[i : i + 2])
            for i, layer in enumerate(model.layers)
        ), state

    def _check(self, model: MLP) -> None:
        needed, n_top = self.n_top, model.sizes[-1]
        if needed is not None and n_top != needed:
            raise InputError(
                f"this theta of metz2018 needs {needed} units in the top layer of every network, "
                f"got {n_top}: n_components={needed} with n_networks=1, or {4 * needed} with 4; "
                "metz2018_equivariant takes any number"
            )

    def _hidden(self, model: MLP, trace: Trace) -> list[Float[Array, "unit batch channel"]]:
        """Hidden states of every layer, inputs first, computed from the top down."""
        weights = [layer.weight for layer in model.layers]
        outputs = []
        delta = self.top(trace[-1].post)
        for index in range(len(weights), -1, -1):
            incoming = weights[index - 1] if index > 0 else None
            outgoing = weights[index] if index < len(weights) else None
            statistics = weight_statistics(incoming, outgoing)
            if index == 0:
                x = trace[0].pre
                outputs.append(self.hidden(x, x, delta, statistics, jnp.zeros_like(x[0])))
                break
            layer, own = trace[index - 1], model.layers[index - 1]
            h = self.hidden(layer.post, layer.drive, delta, statistics, own.bias)
            outputs.append(h)
            delta = self._pass_down(delta, h, layer.drive, own.feedback)
        return outputs[::-1]

    def _pass_down(
        self,
        delta: Float[Array, "post batch signal"],
        hidden: Float[Array, "post batch channel"],
        drive: Float[Array, "batch post"],
        feedback: Float[Array, "pre post"],
    ) -> Float[Array, "pre batch signal"]:
        sent = delta * jax.nn.sigmoid(drive.T)[:, :, None] + self.delta_readout(hidden)
        units, batch, channels = sent.shape
        down = (feedback @ sent.reshape(units, batch * channels)).reshape(-1, batch, channels)
        return down * jax.lax.rsqrt(1e-6 + jnp.mean(jnp.square(down), axis=2, keepdims=True))

    def _layer_change(
        self,
        layer: Layer,
        lower: Float[Array, "pre batch channel"],
        upper: Float[Array, "post batch channel"],
        lower_post: Float[Array, "batch pre"],
        upper_post: Float[Array, "batch post"],
    ) -> Layer:
        terms = self.terms.all(layer.weight, lower, upper, lower_post, upper_post)
        g = self.terms.merge(terms, layer.weight)
        push = jnp.mean(upper, axis=1) @ self.bias_weight + self.bias_offset
        push = push + jax.nn.relu(-jnp.mean(push))
        g_bias = push * jax.lax.rsqrt(0.5 + jnp.mean(jnp.square(push)))
        eta = self.learning_rate
        return Layer(
            -eta * (layer.weight + g), -eta * (layer.bias + g_bias), -eta * (layer.feedback + g)
        )


def weight_statistics(
    incoming: Float[Array, "below unit"] | None, outgoing: Float[Array, "unit above"] | None
) -> Float[Array, "unit statistic"]:
    """Eight moments of each unit's incoming and outgoing weights, divided by one scalar.

    Where one side is missing (inputs, top layer) the other's four moments stand twice.
    """
    sides = [_moments(w, axis) for w, axis in ((incoming, 0), (outgoing, 1)) if w is not None]
    both = jnp.stack((sides * 2)[:2] if len(sides) == 1 else sides)
    both = jnp.moveaxis(both, 2, 0).reshape(-1, N_STATISTICS)
    return both * jax.lax.rsqrt(jnp.mean(jnp.square(both)) + 1e-6)


def _moments(weight: Float[Array, "pre post"], axis: int) -> Float[Array, "4 unit"]:
    mean = jnp.mean(weight, axis)
    return jnp.stack(
        [
            jnp.mean(jnp.abs(weight), axis),
            jnp.sqrt(jnp.mean(jnp.square(weight), axis) + 1e-6),
            mean,
            jnp.sqrt(jnp.var(weight, axis) + 1e-8),
        ]
    )
