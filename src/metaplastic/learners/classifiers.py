"""Classifiers that learn from labels and pool at once: no features, so no readout."""

import dataclasses
import warnings
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import kneighbors_graph
from sklearn.semi_supervised import LabelSpreading

from metaplastic.errors import InputError
from metaplastic.learners.base import AbstractClassifier
from metaplastic.learners.classical import InputKind, check_count, presentation_of
from metaplastic.learners.descent import (
    AbstractLoss,
    Parameters,
    check_numbers,
    check_sizes,
    corrupt,
    hidden_then_affine,
    minimise,
    with_affine_top,
)
from metaplastic.learners.inner_loop import chunk_steps
from metaplastic.learners.pool import Shuffled, check_pool, pool_presentation
from metaplastic.learners.programs import training
from metaplastic.models import Presentation, check_activation, dense, freeze, init_mlp
from metaplastic.types import PRNGKey, Rows


class LabelsLoss(AbstractLoss):
    """Cross entropy of the labels of corrupted rows; a batch holds numbers of labelled rows."""

    x: Float[Array, "row pre"]
    labels: Int[Array, " row"]
    presentation: Presentation
    noise: Float[Array, ""]
    mask: Float[Array, ""]
    activation: str = eqx.field(static=True)

    def __call__(self, parameters: Parameters, batch: Array, *, key: PRNGKey) -> Float[Array, ""]:
        seen = corrupt(self.presentation(self.x[batch]), noise=self.noise, mask=self.mask, key=key)
        logits = hidden_then_affine(parameters.encoder, seen, self.activation)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, self.labels[batch]))


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkPredictor:
    """Trains a network on the labelled rows of `x` `(n, d)` alone at each call."""

    learner: "SupervisedMLP"
    x: Rows
    presentation: Presentation

    @training()
    def __call__(
        self,
        labelled: NDArray[np.int64],
        labels: NDArray[np.int64],
        test: NDArray[np.int64],
        *,
        seed: int,
    ) -> NDArray[np.int64]:
        own = self.learner
        rows = dense(self.x[labelled])
        model_key, step_key = jax.random.split(jax.random.key(seed))
        sizes = (rows.shape[1], *own.hidden_sizes, own.n_components, int(labels.max()) + 1)
        model = init_mlp(
            sizes, key=model_key, activation=own.activation, presentation=self.presentation
        )
        loss = LabelsLoss(
            jnp.asarray(rows),
            jnp.asarray(labels, jnp.int32),
            self.presentation,
            jnp.float32(own.noise),
            jnp.float32(own.mask),
            own.activation,
        )
        size = min(own.batch_size, len(rows))
        order = Shuffled(len(rows), seed=seed)
        trained = minimise(
            loss,
            Parameters(model.layers, ()),
            lambda count: order.take(count * size).reshape(count, size).astype(np.int32),
            n_steps=own.n_steps,
            most=chunk_steps(size, rows.shape[1]),
            learning_rate=own.learning_rate,
            weight_decay=own.weight_decay,
            key=step_key,
        )
        model = eqx.tree_at(lambda m: m.layers, model, trained.encoder)
        network = with_affine_top(freeze(model, rows), model.layers[-1])
        return np.argmax(network(self.x[test]), axis=1)


@dataclasses.dataclass(frozen=True)
class SupervisedMLP(AbstractClassifier):
    """The same network with a layer of classes on top, trained on the labelled rows alone.

    The pool gives the presentation of the inputs and nothing else; statistics of the layers are
    those of the labelled rows. Cross entropy, AdamW, corruption as in `Autoencoder`.

    Parameters
    ----------
    hidden_sizes : tuple of int, default=(128, 128)
        Units of the hidden layers, from the input side; may be empty.
    n_components : int, default=512
        Units of the layer below the classes, where others have their features.
    activation : str, default="relu"
        A name of `models.ACTIVATIONS`.
    n_steps : int, default=200
        Steps of the optimiser.
    batch_size : int, default=128
        Rows per step; all labelled rows if there are fewer.
    learning_rate : float, default=0.003
        Largest learning rate, after the warm-up.
    weight_decay : float, default=0.1
        Weight decay of AdamW.
    noise : float, default=0.3
        Deviation of Gaussian noise on presented inputs.
    mask : float, default=0.5
        Probability that a presented input is set to 0.

    Raises
    ------
    InputError
        For values that are not allowed.
    """

    name: ClassVar[str] = "supervised"

    hidden_sizes: tuple[int, ...] = (128, 128)
    n_components: int = 512
    activation: str = "relu"
    n_steps: int = 200
    batch_size: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    noise: float = 0.3
    mask: float = 0.5

    def __post_init__(self) -> None:
        check_activation(self.activation)
        sizes = check_sizes("hidden_sizes", self.hidden_sizes)
        object.__setattr__(self, "hidden_sizes", sizes)
        check_sizes("n_components", (self.n_components,))
        if self.n_steps < 0 or self.batch_size < 2:
            raise InputError(
                "n_steps must be at least 0 and batch_size at least 2, got "
                f"{self.n_steps} and {self.batch_size}"
            )
        positive = ("learning_rate", "weight_decay", "noise")
        check_numbers({name: getattr(self, name) for name in positive})
        check_numbers({"mask": self.mask}, below=1)

    def fit(self, x: Rows, *, seed: int) -> NetworkPredictor:
        """The presentation of the pool; `seed` is unused."""
        x = check_pool(x)
        return NetworkPredictor(self, x, pool_presentation(x))


@dataclasses.dataclass(frozen=True, eq=False)
class GraphPredictor:
    """Spreads labels over a graph `(n, n)` of the presented rows `(n, d)`."""

    rows: NDArray[np.float32]
    graph: Any
    alpha: float

    def __call__(
        self,
        labelled: NDArray[np.int64],
        labels: NDArray[np.int64],
        test: NDArray[np.int64],
        *,
        seed: int,
    ) -> NDArray[np.int64]:
        known = np.full(len(self.rows), -1)
        known[labelled] = labels
        # The graph needs no labels and is the same at each call, so it is made only once.
        kernel: Any = self._kernel
        spreading: Any = LabelSpreading(kernel, alpha=self.alpha)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            # A part of the graph without any label has no distribution to normalise.
            warnings.simplefilter("ignore", RuntimeWarning)
            return spreading.fit(self.rows, known).transduction_[test].astype(np.int64)

    def _kernel(self, x: Rows, y: Rows | None = None) -> Any:
        """As scikit-learn asks for the graph of `x`."""
        del x, y
        return self.graph


@dataclasses.dataclass(frozen=True)
class LabelPropagation(AbstractClassifier):
    """scikit-learn's `LabelSpreading` over a graph of nearest neighbours of the whole pool.

    Source: Zhou et al. 2004, "Learning with local and global consistency". Two rows are joined
    if either is a neighbour of the other: the method asks for a symmetric graph, and with
    scikit-learn's own `knn` kernel, which is not, labels reach far fewer rows.

    Parameters
    ----------
    n_neighbors : int, default=20
        Neighbours of a row, itself among them.
    alpha : float, default=0.8
        Between 0 and 1, how much of a row's label comes from its neighbours.
    presentation : {"raw", "scaled"}, default="raw"
        Whether distances are between raw inputs or those that networks see.

    Raises
    ------
    InputError
        For values that are not allowed.
    """

    name: ClassVar[str] = "label propagation"

    n_neighbors: int = 20
    alpha: float = 0.8
    presentation: InputKind = "raw"

    def __post_init__(self) -> None:
        check_count("n_neighbors", self.n_neighbors)
        if not 0 < self.alpha < 1:
            raise InputError(f"alpha must lie between 0 and 1, got {self.alpha!r}")

    def fit(self, x: Rows, *, seed: int) -> GraphPredictor:
        """The graph; `seed` is unused."""
        rows = presentation_of(self.presentation, check_pool(x))(x)
        count = min(self.n_neighbors, len(rows))
        graph = kneighbors_graph(rows, count, mode="connectivity", include_self=True)
        return GraphPredictor(rows, graph.maximum(graph.T), self.alpha)
