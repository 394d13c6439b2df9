"""Draw validation during meta-training from the run directories of its stages, in order.

Writes `docs/results/meta_curves.json` (the evaluation records and the run's length) and
`docs/results/meta_curves.png`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from metaplastic.files import write_atomically
from metaplastic.report.style import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    drawing,
    new_figure,
    save_png,
)

COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)
RESULTS = Path(__file__).parents[1] / "docs" / "results"


def read(runs: list[Path]) -> dict[str, Any]:
    """Evaluations of all stages on one axis of updates; a stage begins where the last one ended."""
    points, ends, before, seconds = [], [], 0, 0.0
    for run in runs:
        lines = (run / "metrics.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        for record in records:
            if record["kind"] == "evaluation":
                points.append({**record, "step": record["step"] + before})
        last = [r for r in records if r["kind"] == "update"][-1]
        before += last["step"]
        seconds += last["seconds"]
        ends.append({"updates": last["step"], "seconds": last["seconds"]})
    return {"stages": ends, "updates": before, "seconds": seconds, "evaluations": points}


def draw(found: dict[str, Any]) -> Any:
    """Loss of every bucket over updates, the mean in black."""
    points = found["evaluations"]
    steps = [p["step"] for p in points]
    with drawing():
        figure = new_figure(4.6)
        axes = figure.subplots()
        for index, name in enumerate(points[0]["validation_losses"]):
            axes.plot(
                steps,
                [p["validation_losses"][name] for p in points],
                "--" if index >= len(COLOURS) else "-",
                color=COLOURS[index % len(COLOURS)],
                label=name,
            )
        mean = [p["validation_loss"] for p in points]
        axes.plot(steps, mean, color="black", linewidth=2.6, label="mean")
        end = 0
        for stage in found["stages"][:-1]:
            end += stage["updates"]
            axes.axvline(end, color="grey", linewidth=0.8, linestyle=":")
        axes.set_xlabel("meta-updates (dotted: next stage)")
        axes.set_ylabel("validation loss after 200 inner steps")
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside upper center", ncols=3)
    return figure


def main() -> None:
    """Read, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="run directories, in order")
    args = parser.parse_args()
    found = read(args.runs)
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_atomically(RESULTS / "meta_curves.json", json.dumps(found, indent=1).encode())
    save_png(draw(found), RESULTS / "meta_curves.png")


if __name__ == "__main__":
    main()
