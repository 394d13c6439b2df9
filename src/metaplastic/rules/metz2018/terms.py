"""The twelve terms of the published weight update, and how they are merged.

Source: Metz et al. 2018 (arXiv 1804.00222), appendix, and the program published with it.
`upper` is the layer that the weights feed, `lower` the one they come from; W is `(pre, post)`.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.rules.metz2018.networks import CHANNELS, Affine
from metaplastic.types import PRNGKey

RANK = 4
"""Channels of every low-rank readout."""

TERMS = (
    "0_order",
    "1_order",
    "decorr_x",
    "hebb",
    "large_decay",
    "lin_lower_symm",
    "lin_upper_psd",
    "lin_upper_symm",
    "rbf",
    "sqr_lower_symm",
    "sqr_upper_symm",
    "w_base",
)
"""In the order of the merge weights."""

Weight = Float[Array, "_pre _post"]
Hidden = Float[Array, "_unit batch channel"]
Reading = Float[Array, "_unit batch rank"]


class Pair(eqx.Module):
    """Two readouts whose product over samples and channels is a matrix of low rank.

    `R[i, j]` has its rows from what `bottom` reads and its columns from what `top` reads.
    """

    top: Affine
    bottom: Affine

    @classmethod
    def create(cls, *, key: PRNGKey) -> "Pair":
        """Fresh readouts of the hidden state."""
        keys = jax.random.split(key)
        return cls(*(Affine.create(CHANNELS, RANK, key=k) for k in keys))


class Terms(eqx.Module):
    """Theta of the weight update: readouts by the name of their term, and the merge."""

    zero_order: Pair
    first_order: Pair
    rbf: Pair
    lin_lower_symm: Pair
    lin_upper_symm: Pair
    sqr_lower_symm: Pair
    sqr_upper_symm: Pair
    lin_upper_psd: Affine
    merge_weight: Float[Array, " term"]
    merge_bias: Float[Array, " 1"]

    @classmethod
    def create(cls, *, key: PRNGKey) -> "Terms":
        """Merge weights start at 0.1, their bias at 0."""
        *keys, last = jax.random.split(key, 8)
        pairs = [Pair.create(key=k) for k in keys]
        return cls(
            *pairs,
            lin_upper_psd=Affine.create(CHANNELS, RANK, key=last),
            merge_weight=jnp.full(len(TERMS), 0.1),
            merge_bias=jnp.zeros(1),
        )

    def all(
        self,
        weight: Weight,
        lower: Hidden,
        upper: Hidden,
        lower_post: Float[Array, "batch pre"],
        upper_post: Float[Array, "batch post"],
    ) -> dict[str, Weight]:
        """Every term by name, before it is normalised and merged."""
        batch = lower_post.shape[0]
        w = standardised_weight(weight)
        n_post = w.shape[1]
        size, sign = jnp.sqrt(1.0 + jnp.square(w)) - 1.0, jnp.sign(w)
        pre, post = standardised(lower_post), standardised(upper_post)
        crowding = w @ (post.T @ post) / (batch * jnp.sqrt(1.0 * n_post))
        across = self.zero_order, self.first_order, self.rbf
        below, above = (
            (self.lin_lower_symm, self.sqr_lower_symm),
            (self.lin_upper_symm, self.sqr_upper_symm),
        )
        *bottoms, lin_b, lin_t, sqr_b, sqr_t = _read(
            [*(p.bottom for p in across), *(r for p in below for r in (p.bottom, p.top))], lower
        )
        lin_lower, sqr_lower = symmetric(lin_b, lin_t), symmetric(sqr_b, sqr_t)
        factor, *tops, lin_b, lin_t, sqr_b, sqr_t = _read(
            [
                self.lin_upper_psd,
                *(p.top for p in across),
                *(r for p in above for r in (p.bottom, p.top)),
            ],
            upper,
        )
        lin_upper, sqr_upper = symmetric(lin_b, lin_t), symmetric(sqr_b, sqr_t)
        zero_order, first_order, rbf = map(product, bottoms, tops)
        return {
            "0_order": zero_order,
            "1_order": w * first_order,
            "decorr_x": crowding * jax.lax.rsqrt(jnp.mean(jnp.square(crowding) + 1e-8)),
            "hebb": -(pre.T @ post) / batch,
            "large_decay": jnp.square(w) * sign,
            "lin_lower_symm": lin_lower @ w,
            "lin_upper_psd": w @ product(factor, factor) / jnp.sqrt(1.0 * n_post),
            "lin_upper_symm": w @ lin_upper,
            "rbf": jnp.exp(-jnp.square(w)) * rbf,
            "sqr_lower_symm": sign * (sqr_lower @ size),
            "sqr_upper_symm": sign * (size @ sqr_upper),
            "w_base": w,
        }

    def merge(self, terms: dict[str, Weight], weight: Weight) -> Weight:
        """The gradient-like direction: a weighted mean of terms that does not grow the weights."""
        w = standardised_weight(weight)
        parts = zip(self.merge_weight, TERMS, strict=True)
        change = sum((alpha * soft_norm(terms[name]) for alpha, name in parts), jnp.zeros_like(w))
        change = (change + self.merge_bias) / len(TERMS)
        growth = jax.nn.relu(jnp.mean(change * w))
        change = (change - w * growth) / jnp.sqrt(1.0 * len(TERMS))
        return soft_norm(change) - w / 7.0


def _read(readouts: Sequence[Affine], hidden: Hidden) -> list[Reading]:
    """Several readouts of one hidden state by one product: it is read once, and so is its
    gradient written."""
    weight = jnp.concatenate([readout.weight for readout in readouts], axis=1)
    bias = jnp.concatenate([readout.bias for readout in readouts])
    return jnp.split(hidden @ weight + bias, len(readouts), axis=2)


def symmetric(bottom: Reading, top: Reading) -> Weight:
    """`(R + R^T) / sqrt(2 n)` among the units of one layer, without its diagonal."""
    matrix = product(bottom, top)
    n = matrix.shape[0]
    return (matrix + matrix.T) * (1.0 - jnp.eye(n)) / jnp.sqrt(2.0 * n)


def product(rows: Reading, columns: Reading) -> Weight:
    """Mean over samples and channels of the products of two readouts."""
    n_rows, batch, rank = rows.shape
    flat = columns.reshape(columns.shape[0], batch * rank)
    return rows.reshape(n_rows, batch * rank) @ flat.T / (batch * rank)


def standardised_weight(weight: Weight) -> Weight:
    """Every column divided by its root mean square."""
    return weight * jax.lax.rsqrt(jnp.mean(jnp.square(weight), axis=0) + 1e-6)


def standardised(post: Float[Array, "batch unit"]) -> Float[Array, "batch unit"]:
    """Mean 0 and mean square 1 over the batch."""
    centred = post - jnp.mean(post, axis=0)
    return centred * jax.lax.rsqrt(jnp.mean(jnp.square(centred), axis=0) + 1e-6)


def soft_norm(change: Weight) -> Weight:
    """Bound the root mean square of every column below 1."""
    return change * jax.lax.rsqrt(1.0 + jnp.mean(jnp.square(change), axis=0))
