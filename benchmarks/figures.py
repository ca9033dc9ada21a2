"""Figures, their goals and the tables made of them: what every part of the benchmark gives."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.apart import versions_apart

HERE = Path(__file__).parent
README = HERE / "README.md"
LATEST = HERE / "results" / "latest.json"
PACKAGES = (
    "numpy", "numba", "msgspec", "faust-streaming", "aiokafka", "river", "confluent-kafka",
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One measured value. `rounds` are what it is the median of; peers have the same unit."""

    id: str
    what: str
    unit: str
    rounds: list[float]
    better: str = "lower"
    goal: float | None = None
    peers: dict[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal

    def as_dict(self) -> dict[str, Any]:
        """All fields, with the value."""
        return {**asdict(self), "value": self.value, "met": self.met}


def about() -> dict[str, Any]:
    """The machine and the versions that the figures are of."""
    versions = {"python": platform.python_version(), **versions_apart()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    git = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        cwd=HERE,
        check=False,
    )
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git.stdout.strip(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "versions": versions,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text())
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def write(path: Path, figures: Iterable[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """Write a result, its figures as `Figure.as_dict` gives them, as JSON; and return it."""
    result = {"about": about(), **more, "figures": list(figures)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    return result


def show(value: float) -> str:
    """A number with three digits that count."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(header) + " |"]
    lines.append("|" + "---|" * (lines[0].count("|") - 1))
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def figure_table(figures: Iterable[Mapping[str, Any]]) -> str:
    """Figures beside their goals and peers."""
    rows = []
    for figure in figures:
        sign = ">=" if figure["better"] == "higher" else "<="
        goal = "" if figure["goal"] is None else f"{sign} {show(figure['goal'])}"
        met = {None: "", True: "yes", False: "**no**"}[figure["met"]]
        peers = ", ".join(f"{name} {show(value)}" for name, value in figure["peers"].items())
        rows.append([figure["what"], f"{show(figure['value'])} {figure['unit']}", goal, met, peers])
    return table(["what", "measured", "goal", "met", "peers"], rows)


def machine_line(result: Mapping[str, Any]) -> str:
    """What was measured where, in one paragraph."""
    facts = result["about"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return (
        f"{facts['made'][:10]}, commit {facts['commit']}, {facts['cores']} cores of "
        f"{facts['cpu']}, {facts['system']}; {versions}."
    )


def into_readme(name: str, text: str, readme: Path = README) -> None:
    """Replace what is between the markers of this name."""
    start, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
    before, found, rest = readme.read_text().partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{readme} has no {start} ... {end}; put both markers back.")
    readme.write_text(f"{before}{start}\n{text}\n{end}{after}")
