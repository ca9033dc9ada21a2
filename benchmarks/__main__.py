"""`python -m benchmarks`: run W1 and the parts, write results and tables.

`--only throughput|parts`, `--workloads W1,W3,W7`, `--rounds N`, `--out FILE`; `--quick` is a short
look that leaves the README alone; `--profile` measures nothing and prints where the worker spends
its time.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks import figures, parts, throughput
from benchmarks.workloads import WORKLOADS


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for. A goal that is missed is said; only work not done is an error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=["throughput", "parts"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--workloads", default="W1", help="such as W1,W3,W7")
    options = parser.parse_args(arguments)
    ids = options.workloads.split(",")
    if unknown := set(ids) - set(WORKLOADS):
        parser.error(f"no workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    if options.profile:
        throughput.run(ids, 0, 0.5, profile=True)
        return 0
    measured: list[figures.Figure] = []
    details: list[dict[str, Any]] = []
    if options.only != "parts":
        rounds, share = (1, 0.34) if options.quick else (options.rounds, 1.0)
        found, details = throughput.run(ids, rounds, share)
        measured += found
        print("\n" + throughput.end_to_end_table(details) + "\n", flush=True)
    if options.only != "throughput":
        measured += parts.run()
    whole = options.only is None and not options.quick and "W1" in ids
    out = options.out or (figures.LATEST if whole else None)
    print(figures.figure_table([figure.as_dict() for figure in measured]))
    if out is not None:
        result = figures.write(out, measured, throughput=details)
        if whole and options.out is None:
            update_readme(result)
    missed = [figure.what for figure in measured if figure.met is False]
    if missed:
        print("\nbelow its goal: " + "; ".join(missed))
    return 0


def update_readme(result: dict[str, Any]) -> None:
    """Write the tables of a whole result between their markers."""

    goals = [f for f in result["figures"] if f["goal"] is not None]
    others = [f for f in result["figures"] if f["goal"] is None]
    figures.into_readme("machine", figures.machine_line(result))
    figures.into_readme("end-to-end", throughput.end_to_end_table(result["throughput"]))
    figures.into_readme("goals", figures.figure_table(goals))
    figures.into_readme("parts", figures.figure_table(others))


if __name__ == "__main__":
    sys.exit(main())
