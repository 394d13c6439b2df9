"""Studies of stages of meta-training: what their runs did, and how their rules do on pools."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from laboratory.nonlinearities import nonlinearity_table
from laboratory.pool_study import baselines, measure_on_pools, pool_table, rules_of
from laboratory.runs import run_figure, run_table
from laboratory.study import Call
from metaplastic.report import Table

N_POOLS = 2
"""Pools of each kind."""


@dataclasses.dataclass(frozen=True)
class StageStudy:
    """A study whose folder keeps runs, and whose rules are measured on validation pools.

    Attributes
    ----------
    folder : Path
        The folder of the study.
    runs : mapping of str to str
        Folders of runs, and what tables call them.
    rules : sequence of str
        Rules to measure, as `rules_of` takes them.
    kinds : sequence of str
        Kinds of pools.
    names : mapping of str to str
        Rows of the table of pools, and what it calls them.
    bold : str
        The row to set in bold.
    """

    folder: Path
    runs: Mapping[str, str]
    rules: Sequence[str]
    kinds: Sequence[str]
    names: Mapping[str, str]
    bold: str

    def measure(self, call: Call) -> dict[str, Any]:
        """The default learner with every rule, beside what needs none."""
        learners = baselines() | rules_of(*self.rules)
        return {"rows": measure_on_pools(call, learners, tuple(self.kinds), n_pools=N_POOLS)}

    def tables(self, result: Mapping[str, Any]) -> dict[str, Table]:
        """What the runs did, and how their rules do."""
        rows = result["rows"]
        return {
            "runs": run_table(self.folder, self.runs),
            "pools": pool_table(rows, names=self.names, bold=self.bold, n_pools=N_POOLS),
        }

    def draw(self, result: Mapping[str, Any]) -> Any:
        """Meta-loss of the runs."""
        return run_figure(self.folder, self.runs)

    def kept(self, name: str) -> dict[str, Any]:
        """A result file of the folder that an earlier measurement made."""
        return json.loads((self.folder / name).read_text("utf-8"))

    def nonlinearities(self, names: Mapping[str, str]) -> Table:
        """The table of `nonlinearities.json`, measured on letters."""
        kept = self.kept("nonlinearities.json")
        return nonlinearity_table(kept, names, where="one pool of 14x14 letters")
