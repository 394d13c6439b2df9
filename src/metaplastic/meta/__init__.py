"""Meta-training: the inner problem, the outer loop, executors, checkpoints, evaluation."""

from metaplastic.meta.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from metaplastic.meta.devices import configure_cpu_devices, keep_freed_memory
from metaplastic.meta.executor import AbstractExecutor, Bucket, LocalExecutor
from metaplastic.meta.metrics import MetricsWriter, Progress
from metaplastic.meta.problem import RuleCarry, RuleProblem, split_rule
from metaplastic.meta.train import (
    MetaState,
    OuterConfig,
    averaged_rule,
    initial_state,
    meta_train,
    state_shapes,
)

__all__ = [
    "AbstractExecutor",
    "Bucket",
    "Checkpoint",
    "LocalExecutor",
    "MetaState",
    "MetricsWriter",
    "OuterConfig",
    "Progress",
    "RuleCarry",
    "RuleProblem",
    "averaged_rule",
    "configure_cpu_devices",
    "initial_state",
    "keep_freed_memory",
    "load_checkpoint",
    "meta_train",
    "save_checkpoint",
    "split_rule",
    "state_shapes",
]
