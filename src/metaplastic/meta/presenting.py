"""How a task of meta-training is presented to its networks."""

import jax

from metaplastic.models import Presentation, PresentationSettings, fit_presentation
from metaplastic.tasks import AbstractTaskDistribution, Task
from metaplastic.types import PRNGKey

SCALING_SAMPLES = 256
"""Unlabelled inputs from which a task's input scaling is fitted."""

WHITENING_SAMPLES = 1024
"""And its whitening: there are more numbers to it."""


def present(
    tasks: AbstractTaskDistribution, task: Task, settings: PresentationSettings, *, key: PRNGKey
) -> Presentation:
    """The presentation of a task's inputs, fitted to unlabelled ones."""
    x = tasks.unlabelled(task, SCALING_SAMPLES, key=key)
    more = None
    if settings.whitens(tasks.n_features):
        more = tasks.unlabelled(task, WHITENING_SAMPLES, key=jax.random.fold_in(key, 1))
    return fit_presentation(x, settings, more)
