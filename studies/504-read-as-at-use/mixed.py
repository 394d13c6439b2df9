"""Networks of one pool, trained by two presets."""

import dataclasses

from metaplastic.presets import Plan, Preset
from metaplastic.types import Rows


@dataclasses.dataclass(frozen=True, eq=False)
class Mixed(Preset):
    """A preset; of each nonlinearity the first half of the networks is planned by another one."""

    former: Preset | None = None

    @classmethod
    def of(cls, former: Preset, preset: Preset) -> "Mixed":
        """Half of it planned by `former`."""
        fields = {f.name: getattr(preset, f.name) for f in dataclasses.fields(preset)}
        return cls(**fields, former=former)

    def plan(self, x: Rows, seed: int, *, prepared: bool = False, heard: bool = False) -> Plan:
        """The networks to train on a pool."""
        assert self.former is not None
        former, plan = (
            Preset.plan(preset, x, seed, prepared=prepared, heard=heard)
            for preset in (self.former, self)
        )
        names = [member.activation for member in plan.members]
        first = [2 * names[:n].count(name) < names.count(name) for n, name in enumerate(names)]
        members = zip(first, former.members, plan.members, strict=True)
        return dataclasses.replace(plan, members=tuple(a if one else b for one, a, b in members))
