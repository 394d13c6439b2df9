"""Names for the arrays and trees that cross a seam."""

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from jaxtyping import Array, Key, PyTree

    PRNGKey = Key[Array, ""]
    """A typed key made by `jax.random.key`; always passed by keyword and never stored."""

    Theta = PyTree
    """Meta-parameters: a rule with everything but its inexact-array leaves replaced by `None`."""

Metrics = dict[str, Any]
"""Scalars to report, by name; under `jit` they are zero-dimensional arrays."""

Locality = Literal["synapse", "neuron", "layer", "network"]
"""What a weight's update may depend on, from the narrowest to the widest.

- `synapse`: the activity of its two units and the weight itself, averaged over samples one by one.
- `neuron`: also the other weights and the states of the two units it joins, sample by sample.
- `layer`: also other units of the same layer (lateral signals) and statistics over the batch.
- `network`: anything, the order of units and samples included.
"""

Rows = Any
"""Inputs `(n, d)`: an array of any real dtype or a SciPy sparse matrix; they share no type."""


def __getattr__(name: str) -> Any:
    """`PRNGKey` and `Theta` at their first use, because they import JAX (PEP 562)."""
    if name not in ("PRNGKey", "Theta"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from jaxtyping import Array, Key, PyTree

    return Key[Array, ""] if name == "PRNGKey" else PyTree
