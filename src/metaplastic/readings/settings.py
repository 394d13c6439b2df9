"""What a reading goes by, as data that a preset holds."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ReadingSettings:
    """Numbers of the graph reading and of its combination with the linear one."""

    n_neighbors: int = 10
    leak: float = 1e-6
    tolerance: float = 1e-5
