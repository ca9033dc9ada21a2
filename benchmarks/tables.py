"""The generated tables of benchmarks/README.md, all from one result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks import latency, scale
from benchmarks.contest import PEERS
from benchmarks.figures import HERE, figure_table, into_readme, machine_line, show, table
from benchmarks.workloads import WORKLOADS

__all__ = ["end_to_end_table", "update"]

_OPERATIONS = HERE.parent / "docs" / "operations.md"


def update(result: Mapping[str, Any]) -> None:
    """Write every table of a whole result between its markers."""
    every, sections = result["figures"], result["sections"]
    workloads = [sections[name] for name in WORKLOADS]
    into_readme("machine", machine_line(result))
    into_readme("end-to-end", end_to_end_table(workloads))
    into_readme("goals", figure_table([f for f in every if f["goal"] is not None]))
    into_readme("parts", figure_table([f for f in every if f["goal"] is None]))
    into_readme("latency", latency.sentence(sections["latency"]))
    into_readme("scale", scale.scale_table(sections["scale"]), _OPERATIONS)


def end_to_end_table(details: Sequence[Mapping[str, Any]]) -> str:
    """Who read which topic how fast, at what cost."""
    rows = []
    for one in details:
        goal = WORKLOADS[one["workload"]][0].goal
        for who, rounds in one["rounds"].items():
            ours = who == "driftstream"
            keys = ("events_per_s", "cpu_s_per_million", "cores", "peak_mb")
            cells = [show(median([float(r[k]) for r in rounds])) for k in keys]
            load = f"**{one['workload']}** {one['title']}" if ours else one["workload"]
            name = "**driftstream**, all tests on" if ours else PEERS[who].title
            rows.append([load, name, *cells, show(goal) if goal and ours else ""])
    header = [
        "load",
        "who",
        "events/s",
        "CPU s a million events",
        "cores",
        "peak MB",
        "goal, events/s",
    ]
    return table(header, rows)
