"""The inner problem of a network that is read beside others.

At use the features of several networks are read together. What one network says alone, the others
may say already. So the meta-loss reads it beside a company: networks that other rules trained on
the same task.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from metaplastic.errors import InputError
from metaplastic.meta.guides import train_network
from metaplastic.meta.judged import AbstractJudgedProblem
from metaplastic.meta.problem import RuleCarry, RuleProblem
from metaplastic.models import MLP, check_activation
from metaplastic.rules import AbstractUpdateRule
from metaplastic.rules.base import RuleState
from metaplastic.tasks import Task
from metaplastic.types import Metrics, PRNGKey, Theta


class CompanyCarry(eqx.Module):
    """What goes from step to step.

    Attributes
    ----------
    task : Task
        The task.
    model : MLP
        The network that the rule trains.
    state : RuleState
        State of the rule.
    company : tuple of MLP
        The others; they stay as they are.
    """

    task: Task
    model: MLP
    state: RuleState
    company: tuple[MLP, ...]


class CompanyProblem(AbstractJudgedProblem):
    """`RuleProblem` whose meta-loss reads the network beside a company.

    Parameters
    ----------
    plain : RuleProblem
        The same without a company.
    rules : tuple of AbstractUpdateRule
        The rule that trains each of the company; every other one sees unwhitened inputs, as
        networks at use do.
    activations : tuple of str
        The nonlinearity of each, names of `models.ACTIVATIONS`.
    steps : int
        Inner steps that each has made.

    Raises
    ------
    InputError
        For no company, other numbers of rules than of nonlinearities, or no steps.
    """

    plain: RuleProblem
    rules: tuple[AbstractUpdateRule, ...]
    activations: tuple[str, ...] = eqx.field(static=True)
    steps: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if not self.rules or len(self.rules) != len(self.activations) or self.steps < 1:
            raise InputError(
                "a company needs one rule and one nonlinearity each, and a step or more, got "
                f"{len(self.rules)}, {len(self.activations)} and {self.steps}"
            )
        for activation in self.activations:
            check_activation(activation)

    @property
    def settings(self) -> RuleProblem:
        """`plain`."""
        return self.plain

    def init(self, theta: Theta, *, key: PRNGKey) -> CompanyCarry:
        """A fresh task, a fresh network and its trained company."""
        own_key, *keys = jax.random.split(key, 1 + 2 * len(self.rules))
        fresh = self.plain.init(theta, key=own_key)
        company = []
        for i, (rule, activation) in enumerate(zip(self.rules, self.activations, strict=True)):
            presentation = fresh.model.presentation
            if i % 2:
                presentation = presentation.unwhitened()
            network = train_network(
                self.plain,
                rule,
                fresh.task,
                presentation,
                activation=activation,
                steps=self.steps,
                keys=(keys[2 * i], keys[2 * i + 1]),
            )
            company.append(network)
        return CompanyCarry(fresh.task, fresh.model, fresh.state, tuple(company))

    def advance(
        self, theta: Theta, carry: CompanyCarry, steps: int, *, key: PRNGKey
    ) -> CompanyCarry:
        """That of `plain`; the company stays as it is."""
        own = RuleCarry(carry.task, carry.model, carry.state)
        own = self.plain.advance(theta, own, steps, key=key)
        return CompanyCarry(own.task, own.model, own.state, carry.company)

    def assess(self, carry: CompanyCarry, *, key: PRNGKey) -> tuple[Float[Array, ""], Metrics]:
        """Meta-loss and metrics of the features of all networks, on fresh labelled samples."""
        x, labels, extra = self.plain.samples(carry.task, key=key)
        beside = jnp.concatenate([network.features(x) for network in carry.company], axis=1)
        beside = checkpoint_name(jax.lax.stop_gradient(beside), "batch")
        return self.plain.judge(carry.task, carry.model, x, labels, extra, key=key, beside=beside)
