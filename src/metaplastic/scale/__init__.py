"""Meta-training on Ray: an executor whose tasks live in worker processes, on one machine or many.

Needs the extra `ray`; nothing of Ray is imported before an executor is made, and nothing of JAX
before `RayExecutor` is used.
"""

from typing import TYPE_CHECKING

from metaplastic.lazy import lazy
from metaplastic.scale.cluster import connect
from metaplastic.scale.settings import ClusterSettings

if TYPE_CHECKING:
    from metaplastic.scale.executor import RayExecutor

__all__ = ["ClusterSettings", "RayExecutor", "connect"]

__getattr__ = lazy(__name__, {"executor": ("RayExecutor",)})
