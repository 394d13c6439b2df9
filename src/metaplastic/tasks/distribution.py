"""Task distributions: a source, an augmentation and a permutation of the inputs."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from metaplastic.data import AbstractSource
from metaplastic.data.sources import SourceTask
from metaplastic.errors import InputError
from metaplastic.tasks.augment import Augmentation
from metaplastic.types import PRNGKey


class Task(eqx.Module):
    """What stays fixed along one unroll; it is small and holds no data.

    Attributes
    ----------
    source : SourceTask
        The source's own part of the task.
    permutation : array (feature,) of int
        Order of the columns.
    strengths : array (strength,) of float
        Strengths of the augmentation.
    pool : array (2,) of int
        Seed and number of rows of the pool; 0 and 0 for an endless one.
    """

    source: SourceTask
    permutation: Int[Array, " feature"]
    strengths: Float[Array, " strength"]
    pool: Int[Array, " 2"]
    """Seed and size of the pool of unlabelled rows; a size of 0 is an endless one."""


class AbstractTaskDistribution(eqx.Module):
    """Draws tasks and their samples, inside compiled code."""

    n_features: eqx.AbstractVar[int]
    """Columns of the inputs of every task."""

    n_classes: eqx.AbstractVar[int]
    """Classes of every task."""

    @abc.abstractmethod
    def sample(self, *, key: PRNGKey) -> Task:
        """A task."""

    @abc.abstractmethod
    def draw(
        self, task: Task, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample feature"]:
        """One input `(feature,)` for each label `0 .. n_classes - 1`."""

    def unlabelled(self, task: Task, n: int, *, key: PRNGKey) -> Float[Array, "sample feature"]:
        """Inputs `(n, feature)` of random classes."""
        label_key, draw_key = jax.random.split(key)
        labels = jax.random.randint(label_key, (n,), 0, self.n_classes)
        return self.draw(task, labels, key=draw_key)

    def labelled(
        self, task: Task, shots: int, *, key: PRNGKey
    ) -> tuple[Float[Array, "sample feature"], Int[Array, " sample"]]:
        """`shots` inputs of every class `(shots * n_classes, feature)`, and their labels."""
        labels = jnp.tile(jnp.arange(self.n_classes), shots)
        return self.draw(task, labels, key=key), labels

    def targets(
        self, task: Task, shots: int, *, key: PRNGKey
    ) -> Float[Array, "sample target"] | None:
        """Numbers to regress besides the labels of what `labelled` draws under the same key."""
        del task, shots, key


class SourceTasks(AbstractTaskDistribution):
    """Tasks of one source; image sources may be augmented, resized and permuted."""

    source: AbstractSource
    augmentation: Augmentation | None
    side: int | None = eqx.field(static=True)
    permute: bool = eqx.field(static=True)
    regress: bool = eqx.field(static=True)
    rows: tuple[int, int] = eqx.field(static=True)

    @classmethod
    def create(
        cls,
        source: AbstractSource,
        *,
        augmentation: Augmentation | None = None,
        side: int | None = None,
        permute: bool = True,
        regress: bool = False,
        rows: tuple[int, int] = (0, 0),
    ) -> "SourceTasks":
        """Tasks of a source of vectors or images.

        Parameters
        ----------
        source : AbstractSource
            What tasks are drawn from.
        augmentation : Augmentation, optional
            Changes to images.
        side : int, optional
            Side to which images are resized; it needs an `augmentation`.
        permute : bool, default=True
            Whether each task permutes its columns.
        regress : bool, default=False
            Whether `targets` are what the augmentation did to each image, as in Metz et al. 2018;
            it needs an `augmentation`.
        rows : (int, int), default=(0, 0)
            Least and largest number of rows of a task's unlabelled pool, drawn log-uniformly.
            Batches take these rows again and again. (0, 0) is an endless pool.

        Raises
        ------
        InputError
            If an augmentation or a side is asked for and samples are not images, or for other
            bounds of rows than `1 <= low <= high` or 0 and 0.

        Examples
        --------
        >>> import jax
        >>> from metaplastic.data import GaussianMixture
        >>> from metaplastic.tasks import SourceTasks
        >>> tasks, key = SourceTasks.create(GaussianMixture(8, 2)), jax.random.key(0)
        >>> x, labels = tasks.labelled(tasks.sample(key=key), 3, key=key)
        >>> x.shape, labels.tolist()
        ((6, 8), [0, 1, 0, 1, 0, 1])
        """
        if augmentation is not None and len(source.shape) != 2:
            raise InputError("augmentation needs a source of images; leave it out for vectors")
        if side is not None and (augmentation is None or side < 2):
            raise InputError(f"side needs an augmentation and at least 2 pixels, got {side}")
        if regress and augmentation is None:
            raise InputError("regress needs an augmentation whose coefficients can be targets")
        if rows != (0, 0) and not 1 <= rows[0] <= rows[1]:
            raise InputError(f"rows must be (low, high) with 1 <= low <= high, or 0, got {rows}")
        # pyright takes the abstract variables that properties implement for fields.
        return cls(  # pyright: ignore[reportCallIssue]
            source, augmentation, side, permute, regress, rows
        )

    @property
    def n_classes(self) -> int:
        return self.source.n_classes

    @property
    def n_features(self) -> int:
        return self._side**2 if self.augmentation is not None else _size(self.source.shape)

    @property
    def _side(self) -> int:
        return self.source.shape[0] if self.side is None else self.side

    def sample(self, *, key: PRNGKey) -> Task:
        source_key, permutation_key, strength_key, pool_key = jax.random.split(key, 4)
        order = jnp.arange(self.n_features)
        if self.permute:
            order = jax.random.permutation(permutation_key, order)
        strengths = Augmentation().draw_strengths(key=strength_key)
        return Task(self.source.draw_task(key=source_key), order, strengths, self._pool(pool_key))

    def _pool(self, key: PRNGKey) -> Int[Array, " 2"]:
        if not self.rows[1]:
            return jnp.zeros(2, jnp.int32)
        seed_key, size_key = jax.random.split(key)
        low, high = (jnp.log(n) for n in self.rows)
        size = jnp.exp(jax.random.uniform(size_key, minval=low, maxval=high))
        seed = jax.random.randint(seed_key, (), 0, jnp.iinfo(jnp.int32).max)
        return jnp.stack([seed, jnp.round(size).astype(jnp.int32)])

    def unlabelled(self, task: Task, n: int, *, key: PRNGKey) -> Float[Array, "sample feature"]:
        if self.rows[1]:
            seed, size = task.pool
            batch = jax.random.randint(key, (), 0, jnp.maximum(1, size // n))
            key = jax.random.fold_in(jax.random.key(seed), batch)
        return super().unlabelled(task, n, key=key)

    def draw(
        self, task: Task, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample feature"]:
        draw_key, augment_key = jax.random.split(key)
        x = self.source.draw(task.source, labels, key=draw_key)
        if self.augmentation is not None:
            x = self.augmentation(x, task.strengths, side=self._side, key=augment_key)
        return x.reshape(labels.shape[0], -1)[:, task.permutation]

    def targets(
        self, task: Task, shots: int, *, key: PRNGKey
    ) -> Float[Array, "sample target"] | None:
        if self.augmentation is None or not self.regress:
            return None
        augment_key = jax.random.split(key)[1]  # as in `draw`
        n = shots * self.n_classes
        return self.augmentation.coefficients(n, task.strengths, key=augment_key)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
