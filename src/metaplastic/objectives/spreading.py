"""Labels spread over a graph of few rows as a differentiable meta-objective.

Sources: Poisson learning of Calder, Cook, Thorpe and Slepcev 2020 (arXiv 2006.11184), and the
closed form of Zhou et al. 2004 ("Learning with local and global consistency"). It is what the
reading "graph" does at use (`readings.poisson`), on a few hundred rows and with a graph through
which gradients pass.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from metaplastic.errors import InputError
from metaplastic.objectives.base import AbstractMetaObjective
from metaplastic.types import Metrics

NARROWNESS = 4.0
"""As in `readings.graph`."""

CUT = 1.5
"""Rows farther than this, in squared distances to the last neighbour, are not joined."""

FLOOR = 1e-3
"""Least squared distance to the last neighbour, relative to the mean over all pairs of rows: it
keeps gradients finite among duplicates."""


class LabelSpreading(AbstractMetaObjective):
    """The labels of a few support rows, spread over a graph of all rows, scored on the others.

    The classes' scores `u` solve `(L + leak D) u = sources`, with L the graph's Laplacian and D its
    degrees. The sources of a class are its labelled rows, of sum 1, less a drain in proportion to
    degrees. The loss is 1 minus the mean cosine between centred scores and centred one-hot
    targets: 1 for scores that know nothing, 0 for perfect ones, as that of `FewShotRidge`. It is a
    mean over the numbers of labels; of each number all disjoint draws from the support are used.

    Rows are support and query together. Every class must have equally many rows in the support, of
    which the first `k C` hold `k` of each, as `tasks` draw them. `extra` targets are ignored.

    Parameters
    ----------
    labels : tuple of int, default=(1, 3)
        Labels a class. Numbers above the support's are left out.
    n_neighbors : int, default=10
        The neighbour whose distance is the unit of a row's distances.
    leak : float, default=0.01
        Leak of what spreads, relative to degrees.

    Raises
    ------
    InputError
        For numbers that are not positive.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from metaplastic.objectives import LabelSpreading
    >>> labels = jnp.tile(jnp.arange(2), 20)
    >>> rows = 9.0 * labels[:, None] + jax.random.normal(jax.random.key(0), (40, 3))
    >>> objective = LabelSpreading(labels=(1,), n_neighbors=5)
    >>> loss, metrics = objective(rows[:10], labels[:10], rows[10:], labels[10:], n_classes=2)
    >>> bool(loss < 0.01), float(metrics["accuracy"])
    (True, 1.0)
    """

    labels: tuple[int, ...] = eqx.field(static=True, default=(1, 3))
    n_neighbors: int = eqx.field(static=True, default=10)
    leak: float = eqx.field(static=True, default=0.01)

    def __check_init__(self) -> None:
        if not self.labels or min(self.labels) < 1:
            raise InputError(f"labels takes one or more counts of at least 1, got {self.labels}")
        if self.n_neighbors < 1 or not self.leak > 0:
            raise InputError(
                "n_neighbors must be at least 1 and leak positive, got "
                f"{self.n_neighbors} and {self.leak}"
            )

    def __call__(
        self,
        support: Float[Array, "support dim"],
        support_labels: Int[Array, " support"],
        query: Float[Array, "query dim"],
        query_labels: Int[Array, " query"],
        *,
        n_classes: int,
        extra: tuple[Float[Array, "support target"], Float[Array, "query target"]] | None = None,
    ) -> tuple[Float[Array, ""], Metrics]:
        del extra
        weights = soft_graph(jnp.concatenate([support, query]), self.n_neighbors)
        spread = spread_each(weights, len(support), self.leak)
        truth = jnp.concatenate([support_labels, query_labels])
        shots = len(support) // n_classes
        counts = [k for k in self.labels if k <= shots] or [shots]
        scored = [_score(spread, truth, k, shots, n_classes) for k in counts]
        cosine, hits = (jnp.mean(jnp.stack(values)) for values in zip(*scored, strict=True))
        return 1.0 - cosine, {"accuracy": hits}


def soft_graph(rows: Float[Array, "row dim"], n_neighbors: int) -> Float[Array, "row row"]:
    """Symmetric weights of a graph: mean of `exp(-4 r) - exp(-4 CUT)` of both directions.

    `r` is the squared distance relative to that of the row's last neighbour. Weights end
    continuously at `r = CUT`. So rows may come and go as neighbours without a jump of the loss.

    Parameters
    ----------
    rows : array (row, dim) of float
        Features of at least two rows.
    n_neighbors : int
        Which neighbour is the last; with fewer other rows, the farthest.

    Returns
    -------
    array (row, row) of float
        Not negative, and 0 on the diagonal.
    """
    rows = rows - jnp.mean(rows, axis=0)
    n = len(rows)
    length = jnp.sum(jnp.square(rows), axis=1)
    squared = jnp.maximum(length[:, None] + length - 2.0 * rows @ rows.T, 0.0)
    others = jnp.where(jnp.eye(n, dtype=bool), jnp.inf, squared)
    nearest = -jax.lax.top_k(-others, min(n_neighbors, n - 1))[0]
    # Without the barrier the compiler sorts whole rows, which takes far longer.
    last = jax.lax.optimization_barrier(nearest)[:, -1:]
    floor = FLOOR * jnp.mean(squared) + 1e-12
    ratio = jnp.minimum(squared / (last + floor), CUT)  # and so no exponential is denormal
    one_way = jnp.exp(-NARROWNESS * ratio) - jnp.exp(-NARROWNESS * CUT)
    one_way = one_way * (1.0 - jnp.eye(n))
    return 0.5 * (one_way + one_way.T)


def spread_each(
    weights: Float[Array, "row row"], n_sources: int, leak: float
) -> Float[Array, "row source"]:
    """What each of the first rows, as the only source, leaves at every row.

    Solves `(L + leak D) u = source - degree / total degree` by a Cholesky factor of the symmetric
    form, whose eigenvalues lie between `leak` and `2 + leak`.

    Parameters
    ----------
    weights : array (row, row) of float
        Symmetric weights; every row must have one that is positive.
    n_sources : int
        How many rows are sources.
    leak : float
        Positive.

    Returns
    -------
    array (row, source) of float
        One column a source.
    """
    degrees = jnp.sum(weights, axis=1)
    scale = jax.lax.rsqrt(degrees)
    n = len(weights)
    matrix = (1.0 + leak) * jnp.eye(n) - scale[:, None] * weights * scale
    sources = jnp.eye(n, n_sources) - (degrees / jnp.sum(degrees))[:, None]
    factor = jax.scipy.linalg.cho_factor(jax.lax.stop_gradient(matrix))
    # The gradient is one more solution; that of the factor itself would take far longer.
    solved = jax.lax.custom_linear_solve(
        lambda u: matrix @ u,
        scale[:, None] * sources,
        lambda _, right: jax.scipy.linalg.cho_solve(factor, right),
        symmetric=True,
    )
    return scale[:, None] * solved


def _score(
    spread: Float[Array, "row source"],
    truth: Int[Array, " row"],
    k: int,
    shots: int,
    n_classes: int,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean cosine and share of hits with `k` labels a class, over all disjoint draws of them."""
    n, n_draws = len(truth), shots // k
    used = n_draws * k * n_classes
    draw = jnp.arange(used) // (k * n_classes)
    member = jax.nn.one_hot(draw * n_classes + truth[:used], n_draws * n_classes) / k
    scores = (spread[:, :used] @ member).reshape(n, n_draws, n_classes)
    scores = scores - jnp.mean(scores, axis=2, keepdims=True)
    wanted = jax.nn.one_hot(truth, n_classes)[:, None] - 1.0 / n_classes
    length = jnp.sqrt(jnp.sum(jnp.square(scores), axis=2) + 1e-12)
    cosine = jnp.sum(scores * wanted, axis=2) / (length * jnp.sqrt(1.0 - 1.0 / n_classes))
    own = jnp.concatenate([draw, jnp.full(n - used, n_draws)])
    free = own[:, None] != jnp.arange(n_draws)
    hits = jnp.argmax(scores, axis=2) == truth[:, None]
    return jnp.mean(cosine, where=free), jnp.mean(hits.astype(jnp.float32), where=free)
