"""Task distributions, sampled on the device inside compiled code."""

from metaplastic.tasks.augment import Augmentation
from metaplastic.tasks.distribution import AbstractTaskDistribution, SourceTasks, Task

__all__ = ["AbstractTaskDistribution", "Augmentation", "SourceTasks", "Task"]
