"""Meta-training on Ray: an executor whose tasks live in worker processes, on one machine or many.

Needs the extra `ray`; nothing of Ray is imported before an executor is made.
"""

from metaplastic.scale.cluster import connect
from metaplastic.scale.executor import RayExecutor
from metaplastic.scale.settings import ClusterSettings

__all__ = ["ClusterSettings", "RayExecutor", "connect"]
