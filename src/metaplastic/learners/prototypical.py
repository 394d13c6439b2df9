"""A network that was meta-trained to make features, instead of a rule: for comparing transfer."""

import dataclasses
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from metaplastic.errors import InputError
from metaplastic.learners.base import AbstractLearner
from metaplastic.learners.descent import (
    AbstractLoss,
    Parameters,
    check_numbers,
    check_sizes,
    minimise,
)
from metaplastic.learners.inner_loop import CHUNK
from metaplastic.learners.pool import FREEZE_ROWS, check_pool, pool_presentation, subsample
from metaplastic.learners.programs import training
from metaplastic.models import MLP, FrozenMLP, fit_presentation, freeze, init_mlp
from metaplastic.objectives.prototypical import Prototypical
from metaplastic.tasks import SourceTasks
from metaplastic.types import PRNGKey, Rows


class EpisodesLoss(AbstractLoss):
    """Mean prototypical loss over new tasks; a batch holds as many numbers, which draw them."""

    tasks: SourceTasks
    model: MLP
    key: PRNGKey
    shots: int = eqx.field(static=True)
    queries: int = eqx.field(static=True)

    def __call__(self, parameters: Parameters, batch: Array, *, key: PRNGKey) -> Float[Array, ""]:
        del key  # A task depends on its number alone.
        model = eqx.tree_at(lambda m: m.layers, self.model, parameters.encoder)
        objective = Prototypical(jnp.exp(parameters.head))

        def episode(number: Array) -> Float[Array, ""]:
            task_key, draw_key = jax.random.split(jax.random.fold_in(self.key, number))
            task = self.tasks.sample(key=task_key)
            x, labels = self.tasks.labelled(task, self.shots + self.queries, key=draw_key)
            own = eqx.tree_at(lambda m: m.presentation, model, fit_presentation(x))
            features = own.features(x)
            n = self.shots * self.tasks.n_classes
            loss, _ = objective(
                features[:n],
                labels[:n],
                features[n:],
                labels[n:],
                n_classes=self.tasks.n_classes,
            )
            return loss

        return jnp.mean(jax.vmap(episode)(batch))


@dataclasses.dataclass
class _Numbers:
    """Batches of consecutive numbers, one for every episode: `(steps, n_tasks)` a call."""

    n_tasks: int
    drawn: int = 0

    def __call__(self, n_steps: int) -> np.ndarray:
        count = n_steps * self.n_tasks
        numbers = self.drawn + np.arange(count, dtype=np.int32).reshape(n_steps, self.n_tasks)
        self.drawn += count
        return numbers


def _check_episodes(
    n_components: int, n_steps: int, shots: int, queries: int, n_tasks: int
) -> None:
    check_sizes("n_components", (n_components,))
    if n_steps < 0 or min(shots, queries, n_tasks) < 1:
        raise InputError(
            "n_steps must be at least 0, shots, queries and n_tasks at least 1, got "
            f"{n_steps}, {shots}, {queries} and {n_tasks}"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class PrototypicalNetwork(AbstractLearner):
    """A network that was meta-trained on episodes; `meta_train` makes one.

    Source: Snell, Swersky and Zemel 2017 (arXiv 1703.05175). From a pool it takes only the
    presentation and the statistics of rows, which need no labels. It can therefore be judged beside
    learners that see the pool. A network belongs to the columns that it was trained on: their
    number is fixed, and so is their order unless tasks were permuted.

    Parameters
    ----------
    model : MLP
        The trained network.
    """

    name: ClassVar[str] = "prototypical network"

    model: MLP

    @classmethod
    @training()
    def meta_train(
        cls,
        tasks: SourceTasks,
        *,
        key: PRNGKey,
        hidden_sizes: tuple[int, ...] = (128, 128),
        n_components: int = 512,
        activation: str = "relu",
        n_steps: int = 2000,
        learning_rate: float = 5e-3,
        shots: int = 5,
        queries: int = 5,
        n_tasks: int = 4,
        permute: bool = False,
    ) -> "PrototypicalNetwork":
        """Train an encoder on episodes of `tasks`.

        Parameters
        ----------
        tasks : SourceTasks
            Tasks to draw episodes from, with inputs `(sample, tasks.n_features)`.
        key : PRNG key
            Key of the initial weights and the episodes.
        hidden_sizes : tuple of int, default=(128, 128)
            Units of the hidden layers, from the input side.
        n_components : int, default=512
            Number of features. They are normalised over the episode, as the base model's are.
        activation : str, default="relu"
            A name of `models.ACTIVATIONS`.
        n_steps : int, default=2000
            Number of steps of AdamW.
        learning_rate : float, default=0.005
            Largest learning rate, after the warm-up.
        shots : int, default=5
            Support samples of every class of a task.
        queries : int, default=5
            Query samples of every class.
        n_tasks : int, default=4
            Episodes per step.
        permute : bool, default=False
            Whether each task permutes its columns at random, whatever `tasks` says.

        Raises
        ------
        InputError
            For values that are not allowed.
        DivergenceError
            If training stops being finite.
        """
        hidden_sizes = check_sizes("hidden_sizes", hidden_sizes)
        _check_episodes(n_components, n_steps, shots, queries, n_tasks)
        check_numbers({"learning_rate": learning_rate})
        model_key, task_key, step_key = jax.random.split(key, 3)
        sizes = (tasks.n_features, *hidden_sizes, n_components)
        model = init_mlp(sizes, key=model_key, activation=activation)
        tasks = dataclasses.replace(tasks, permute=permute)
        loss = EpisodesLoss(tasks, model, task_key, shots, queries)
        return cls(_trained(loss, n_steps, n_tasks, learning_rate, key=step_key))

    def fit(self, x: Rows, *, seed: int) -> FrozenMLP:
        """The network with the presentation and statistics of the pool `x` `(n, d)`.

        Raises
        ------
        InputError
            If `x` is no pool, or has not as many columns as the network.
        """
        x = check_pool(x)
        n_in = self.model.sizes[0]
        if x.shape[1] != n_in:
            raise InputError(
                f"this prototypical network takes {n_in} columns, got {x.shape[1]}; bring the "
                "inputs to that width, or meta-train a network on tasks of theirs"
            )
        model = eqx.tree_at(lambda m: m.presentation, self.model, pool_presentation(x))
        return freeze(model, subsample(x, FREEZE_ROWS, seed=seed))


def _trained(
    loss: EpisodesLoss, n_steps: int, n_tasks: int, learning_rate: float, *, key: PRNGKey
) -> MLP:
    """The loss's model after training on `n_tasks` new episodes a step."""
    # Distances between features of unit variance grow with their number.
    log_scale = jnp.log(jnp.float32(1.0 / loss.model.sizes[-1]))
    trained = minimise(
        loss,
        Parameters(loss.model.layers, log_scale),
        _Numbers(n_tasks),
        n_steps=n_steps,
        most=CHUNK,
        learning_rate=learning_rate,
        key=key,
    )
    return eqx.tree_at(lambda m: m.layers, loss.model, trained.encoder)
