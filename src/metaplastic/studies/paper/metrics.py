"""Evaluations that meta-training wrote, stage by stage."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from metaplastic.errors import FileFormatError
from metaplastic.studies.paper.experiment import Result


def stages(result: Result) -> Iterator[Sequence[Mapping[str, Any]]]:
    """The evaluations of every stage."""
    begin = 0
    for stage in result["stages"]:
        end = begin + stage["updates"]
        yield [e for e in result["evaluations"] if begin < e["step"] <= end]
        begin = end


def read_metrics(path: Path) -> Result:
    """Evaluations of one run directory, as of a single stage."""
    lines = path.read_text("utf-8").splitlines()
    records = [read_json(line, path) for line in lines if line.strip()]
    evaluations = [r for r in records if r.get("kind") == "evaluation"]
    updates = max((r["step"] for r in records if "step" in r), default=0)
    return {"stages": [{"updates": updates}], "evaluations": evaluations}


def read_json(text: str, source: Path) -> dict[str, Any]:
    """A table in JSON; raises `FileFormatError`, naming `source`, for anything else."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise FileFormatError(f"{source} is damaged ({error})") from error
    if not isinstance(content, dict):
        raise FileFormatError(f"{source} is damaged (no table)")
    return content
