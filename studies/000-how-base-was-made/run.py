"""How `base` was made: validation over all stages of its meta-training, from their runs."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from laboratory import Call, Table
from laboratory.curves import curve_figure, read_curves
from metaplastic.errors import InputError
from metaplastic.rules.catalog import shipped_path

SEEDS = ()
SHIPPED = shipped_path("base").with_suffix(".curves.json")
"""The curves stand beside the rule: `metaplastic reproduce meta-curves` shows them."""


def arguments(parser: ArgumentParser) -> None:
    """Which runs, and whether they follow those whose curves are kept."""
    parser.add_argument("--runs", type=Path, nargs="+", metavar="RUN", help="in their order")
    parser.add_argument("--append", action="store_true", help="to the stages already written")


def measure(call: Call) -> dict[str, Any]:
    """Curves of the runs; with `--quick`, those that are kept.

    Raises
    ------
    InputError
        If no runs are named.
    """
    if call.quick:
        return _curves({})
    if not call.options.runs:
        raise InputError("name the run directories of all stages: --runs RUN ...")
    return read_curves(call.options.runs, _curves({}) if call.options.append else {})


def _curves(result: Mapping[str, Any]) -> dict[str, Any]:
    return dict(result) if "stages" in result else json.loads(SHIPPED.read_text("utf-8"))


def tables(result: Mapping[str, Any]) -> dict[str, Table]:
    """Updates and seconds of every stage whose evaluations are kept."""
    curves = _curves(result)
    cells = tuple(
        (str(number), f"{stage['updates']:,}", f"{stage['seconds']:,.0f}")
        for number, stage in enumerate(curves["stages"], 1)
    )
    total = ("together", f"{curves['updates']:,}", f"{curves['seconds']:,.0f}")
    note = "Stages in the order of the figure; seconds by the clock of the run."
    return {"stages": Table(("", "updates", "seconds"), (*cells, total), note)}


def draw(result: Mapping[str, Any]) -> Any:
    """Validation loss over all stages."""
    return curve_figure(_curves(result))


def documents(result: Mapping[str, Any]) -> dict[Path, str]:
    """The curves beside the rule, once they have been read anew."""
    if "stages" not in result:
        return {}
    curves = {key: value for key, value in result.items() if key != "provenance"}
    return {SHIPPED: json.dumps(curves, indent=1)}
