"""A tiny inner problem of one network, which problems of several extend."""

import jax

from metaplastic.data import GaussianMixture
from metaplastic.meta.problem import RuleProblem, split_rule
from metaplastic.models import PresentationSettings
from metaplastic.objectives import FewShotRidge, LabelSpreading
from metaplastic.rules import LocalRule
from metaplastic.tasks import SourceTasks

RULE = LocalRule.create(key=jax.random.key(0), hidden=3)
PLAIN = RuleProblem(
    tasks=SourceTasks.create(GaussianMixture(40, 3)),
    objective=FewShotRidge(),
    rule=split_rule(RULE)[1],
    sizes=(40, 6, 4),
    activation="tanh",
    batch_size=16,
    shots=2,
    steps_per_loss=2,
    horizons=(2, 40),
    queries=4,
    presentation=PresentationSettings(whitening=0.25),
    second=LabelSpreading((2,), n_neighbors=3),
)
