"""`python -m benchmarks.plots`: draw docs/plots/*.svg from the stored results.

`--measure` first measures what only plots show, some minutes; it is stored as well.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.plots import draw, measure
from benchmarks.plots.pareto import pareto

__all__ = ["FOLDER", "draw_all", "drawn", "main"]

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
OWN = RESULTS / "plots.json"
FOLDER = ROOT / "docs" / "plots"


def drawn() -> dict[str, str]:
    """Every plot by the name of its file."""
    gates = {g: json.loads((RESULTS / "gates" / f"{g}.json").read_text()) for g in ("G5", "real")}
    quality = json.loads((RESULTS / "quality.json").read_text())
    own = json.loads(OWN.read_text())
    still = [
        row for row in gates["real"]["rows"] if row["most"] == 1.0 and row["low"] != row["high"]
    ]
    return {
        "levels.svg": draw.levels(gates["G5"]["rows"]),
        "budget.svg": draw.budget(own["budgets"], still),
        "delays.svg": pareto(quality["contestants"]),
        "dependence.svg": draw.dependence(own["inflation"]),
        "course.svg": draw.course(own["course"]),
        "tcpd.svg": draw.tcpd(quality["tcpd"]),
    }


def draw_all() -> None:
    """Write every plot anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in drawn().items():
        (FOLDER / name).write_text(text)


def main(arguments: list[str] | None = None) -> int:
    """Measure if asked to, then draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plots", description=__doc__)
    parser.add_argument("--measure", nargs="*", choices=("budgets", "course", "inflation"))
    options = parser.parse_args(arguments)
    if options.measure is not None:
        own: dict[str, Any] = json.loads(OWN.read_text()) if OWN.exists() else {}
        for name in options.measure or ("course", "inflation", "budgets"):
            own[name] = getattr(measure, name)()
            OWN.write_text(json.dumps(own, indent=1) + "\n")
    draw_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
