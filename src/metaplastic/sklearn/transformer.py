"""`RuleTransformer`: features learned without labels by an update rule."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

import metaplastic.forks  # noqa: F401  # From now on it sees processes forked while JAX runs.
from metaplastic.models import FrozenMLP
from metaplastic.sklearn.rows import check_rows, unchanged_on_failure

if TYPE_CHECKING:
    from metaplastic.models import MLP
    from metaplastic.presets import Preset
    from metaplastic.rules import AbstractUpdateRule
    from metaplastic.sklearn.stream import Stream

Auto = Literal["auto"]
"""What the preset says."""


class RuleTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Features learned from unlabelled rows by a (meta-learned) local update rule.

    Multi-layer perceptrons are trained by `rule` and then frozen: the statistics of the training
    rows are folded into their weights. `transform` is NumPy alone, and row i of
    its result depends on row i alone, bit for bit, however the rows are split.

    Inputs need no scaling: columns are centred, divided by their spread and clipped
    (`metaplastic.models.presentation`). Constant columns (of a spread below 1e-12, or below 1e-6 of
    their mean) carry nothing; if all rows are equal, so are their features. Sparse matrices and
    memory maps are read a block of rows at a time.

    Parameters
    ----------
    rule : str, Path or update rule, default="base"
        What trains the networks. "base" keeps the rules of the preset. A name of
        `metaplastic.list_rules()`, a path of a saved rule, or a rule object takes their place.
    hidden_sizes : tuple of int or "auto", default="auto"
        Units of the hidden layers, from the input side; may be empty. As for all parameters up to
        `n_networks`, "auto" is what the preset says; of "base" it is (128, 128).
    n_components : int or "auto", default="auto"
        Number of features, spread evenly over the networks (512).
    activation : str, default="auto"
        A name of `metaplastic.models.ACTIVATIONS`, or several as in "relu+tanh": then equally
        many networks have each of them. "auto" is chosen by the preset from the inputs;
        `encoder_.activation` tells what was chosen.
    n_steps : int, "auto" or None, default="auto"
        Steps that `fit` makes with each network, on shuffled rows (100); 0 leaves them as
        initialised. None is one pass over the rows in their order, as `partial_fit` makes it: the
        result is the same, and so is the memory, whatever the number of rows.
    batch_size : int or "auto", default="auto"
        Rows a step (128); in `fit`, the largest power of two within a smaller data set.
    n_networks : int or "auto", default="auto"
        Networks of the same shape, trained apart (4); no more than features.
    preset : str, Path or Preset, default="base"
        All that experiments decided: rules, presentation of inputs, networks. A shipped name, a
        path of a saved preset, or a preset object.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights and of the order of rows.
    prepare : bool, default=True
        Whether the preset may prepare the inputs, row by row, as the rows of `fit` ask for: weigh
        counts as tf-idf, give leading components of counts and of rows of one length more weight,
        draw in heavy tails of columns, leave out dead columns.
        `preparation_` says what was done.
    flatten : bool, default=False
        Take arrays of more than two dimensions, such as images `(n, height, width)`, and make one
        row of numbers of each image. Otherwise they are refused.

    Attributes
    ----------
    encoder_ : FrozenMLP
        The frozen networks as one; call it with rows.
    models_ : tuple of MLP
        The trained networks, which a rule can train further.
    shift_, scale_ : ndarray of shape (n_features_in_,)
        Presentation of (prepared) inputs, with `clip_` and `gain_`:
        `clip((x - shift_) * scale_, -clip_, clip_) * gain_`, before any whitening. Constant
        columns have scale 0.
    clip_, gain_ : float
        See `shift_`.
    preparation_ : str
        What inputs go through before their presentation, in words; "none" if nothing.
    n_steps_ : int
        Steps behind `encoder_`.
    n_features_in_ : int
        Columns seen in `fit`.
    input_shape_ : tuple of int
        Shape of one row as given to `fit`: of an image, if `flatten`, else `(n_features_in_,)`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if they are all strings.

    Examples
    --------
    >>> import numpy as np
    >>> from metaplastic.sklearn import RuleTransformer
    >>> x = np.random.default_rng(0).normal(size=(200, 10))
    >>> transformer = RuleTransformer("oja", (16,), n_components=3, n_steps=20, random_state=0)
    >>> transformer.fit_transform(x).shape
    (200, 3)
    """

    def __init__(
        self,
        rule: "str | Path | AbstractUpdateRule" = "base",
        hidden_sizes: tuple[int, ...] | Auto = "auto",
        n_components: int | Auto = "auto",
        activation: str = "auto",
        n_steps: int | Auto | None = "auto",
        batch_size: int | Auto = "auto",
        n_networks: int | Auto = "auto",
        preset: "str | Path | Preset" = "base",
        random_state: int | np.random.RandomState | None = None,
        flatten: bool = False,
        prepare: bool = True,
    ) -> None:
        self.rule = rule
        self.hidden_sizes = hidden_sizes
        self.n_components = n_components
        self.activation = activation
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.n_networks = n_networks
        self.preset = preset
        self.random_state = random_state
        self.flatten = flatten
        self.prepare = prepare

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn from the rows of `X`; whatever was learned before is forgotten.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            At least two rows of finite real numbers.
        y : ignored

        Raises
        ------
        InputError
            (a ValueError) for parameters that are not allowed.
        ValueError
            for data that is not allowed.
        DivergenceError
            if the rule leaves the finite numbers.
        """
        from metaplastic.sklearn.fitting import fit_rows  # And JAX with it, when it is needed.

        with unchanged_on_failure(self):
            return self._keep(fit_rows(self, X))

    def partial_fit(self, X: ArrayLike | Iterator[ArrayLike], y: Any = None) -> Self:
        """Learn from the next rows of a stream, in constant memory.

        Rows are used once, in the order in which they come, `batch_size` a step; the encoder
        depends on that order but not on how the stream is cut into chunks. Preparation and
        presentation of inputs are those of the first 1,024 rows, and the statistics of the encoder
        are those of a sample of 4,096 rows (fewer above 8,192 columns), so a stream should be
        shuffled.
        After `fit`, training goes on from the fitted network with its presentation of inputs.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            One row or more; or an iterator of such chunks, which is used up.
        y : ignored

        Raises
        ------
        As `fit`; chunks of an iterator before a bad one have been learned from.
        """
        if isinstance(X, Iterator):
            for chunk in X:
                self.partial_fit(chunk)
            return self
        from metaplastic.sklearn.fitting import extend_stream

        with unchanged_on_failure(self):
            return self._keep(extend_stream(self, getattr(self, "_stream", None), X))

    def transform(self, X: ArrayLike) -> Float[np.ndarray, "n_samples n_components"]:
        """Features of the rows of `X`, each by itself.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_components), float32

        Raises
        ------
        NotFittedError
            before `fit`.
        InputError
            (a ValueError) for other columns than those of `fit`, or numbers that are not finite.
        """
        check_is_fitted(self)
        return self._stream.encoder(check_rows(self, X, reset=False))

    @property
    def encoder_(self) -> FrozenMLP:
        """The frozen networks as one; after `partial_fit`, made when asked for."""
        check_is_fitted(self)
        return self._stream.encoder

    @property
    def models_(self) -> "tuple[MLP, ...]":
        """The trained networks, with NumPy arrays."""
        check_is_fitted(self)
        return self._stream.models

    @property
    def preparation_(self) -> str:
        """What inputs go through before their presentation, in words."""
        preparation = self.encoder_.preparation
        return "none" if preparation is None else preparation.explain()

    @property
    def shift_(self) -> NDArray[np.float32]:
        """Centre of every column."""
        return self.encoder_.shift

    @property
    def scale_(self) -> NDArray[np.float32]:
        """Factor of every column; 0 for constant ones."""
        return self.encoder_.scale

    @property
    def clip_(self) -> float:
        """Largest magnitude of a column before `gain_`."""
        return float(self.encoder_.clip)

    @property
    def gain_(self) -> float:
        """Factor of all columns."""
        return float(self.encoder_.gain)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        assert tags.transformer_tags is not None
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _hear(
        self,
        x: NDArray,
        probabilities: NDArray,
        known: NDArray[np.int64],
        numbers: NDArray[np.int64],
    ) -> Self:
        """Train networks anew that hear labels of the checked rows `x`; see `fitting.fit_told`."""
        from metaplastic.learners.told import told
        from metaplastic.sklearn.fitting import fit_told

        return self._keep(fit_told(self, x, told(probabilities, known, numbers)))

    def _keep(self, stream: "Stream") -> Self:
        self._stream = stream
        self.n_steps_ = stream.n_steps
        self._n_features_out = stream.n_components
        return self
