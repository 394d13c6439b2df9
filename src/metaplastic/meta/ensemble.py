"""The inner problem of networks that are read together.

At use the features of several networks are read together. A rule that makes each of them better
can make them more alike, and then nothing is gained. So the meta-loss reads all of them at once.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.errors import InputError
from metaplastic.meta.judged import AbstractJudgedProblem
from metaplastic.meta.problem import RuleCarry, RuleProblem
from metaplastic.models import MLP, Presentation
from metaplastic.rules import init_model
from metaplastic.rules.base import RuleState
from metaplastic.types import Metrics, PRNGKey, Theta


class EnsembleProblem(AbstractJudgedProblem):
    """`RuleProblem` for several networks that the rule trains on one task.

    Networks differ in their initial weights, and every other one sees unwhitened inputs, as at use.
    They see the same batches. The meta-loss reads the features of all side by side. In the carry,
    the arrays of model and state have an axis of networks in front.

    Parameters
    ----------
    plain : RuleProblem
        The same with one network.
    n_networks : int
        How many; at least 2.

    Raises
    ------
    InputError
        For fewer than two networks.
    """

    plain: RuleProblem
    n_networks: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.n_networks < 2:
            raise InputError(f"an ensemble has at least 2 networks, got {self.n_networks}")

    @property
    def settings(self) -> RuleProblem:
        """`plain`."""
        return self.plain

    def init(self, theta: Theta, *, key: PRNGKey) -> RuleCarry:
        """A fresh task, fresh networks, fresh states of the rule."""
        own_key, start_key = jax.random.split(key)
        first = self.plain.init(theta, key=own_key)
        rule = eqx.combine(theta, self.plain.rule)
        whitened = first.model.presentation
        seen = [whitened.unwhitened() if i % 2 else whitened for i in range(self.n_networks)]
        presentations = jax.tree.map(lambda *leaves: jnp.stack(leaves), *seen)

        def start(presentation: Presentation, key: PRNGKey) -> tuple[MLP, RuleState]:
            model_key, rule_key = jax.random.split(key)
            model = init_model(
                rule,
                self.plain.sizes,
                key=model_key,
                activation=self.plain.activation,
                presentation=presentation,
            )
            return model, rule.init(model, key=rule_key)

        keys = jax.random.split(start_key, self.n_networks)
        model, state = eqx.filter_vmap(start)(presentations, keys)
        return RuleCarry(first.task, model, state)

    def advance(self, theta: Theta, carry: RuleCarry, steps: int, *, key: PRNGKey) -> RuleCarry:
        """That of `plain`, for all networks at once."""

        def each(model: MLP, state: RuleState) -> tuple[MLP, RuleState]:
            own = RuleCarry(carry.task, model, state)
            own = self.plain.advance(theta, own, steps, key=key)
            return own.model, own.state

        model, state = eqx.filter_vmap(each)(carry.model, carry.state)
        return RuleCarry(carry.task, model, state)

    def assess(self, carry: RuleCarry, *, key: PRNGKey) -> tuple[Float[Array, ""], Metrics]:
        """Meta-loss and metrics of the features of all networks, on fresh labelled samples."""
        x, labels, extra = self.plain.samples(carry.task, key=key)
        features = eqx.filter_vmap(lambda model: model.features(x))(carry.model)
        first = jax.tree.map(lambda leaf: leaf[0] if eqx.is_array(leaf) else leaf, carry.model)
        beside = jnp.concatenate(list(features[1:]), axis=1)
        return self.plain.judge(carry.task, first, x, labels, extra, key=key, beside=beside)
