"""`python -m benchmarks.gates`: every gate in full, with intervals; a table at the end.

Each gate's result is written when it is there, so a broken run goes on where it was: what was
measured from the same code is kept. `--only G3 G4` for some, `--again` for anew.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.gates import (
    g1_merge,
    g2_adwin,
    g3_iid,
    g5_windows,
    g6_dependent,
    g7_delay,
    g8_cost,
    g9_budget,
    g10_memory,
    g11_names,
    g12_seasons,
    g13_one_name,
    g14_shares,
    g15_slow,
    g16_duplicates,
    g17_change_points,
    g18_estimate,
    real,
)
from benchmarks.gates.code_of import code_of
from benchmarks.gates.measured import Measured, table
from benchmarks.gates.promise import write_into
from benchmarks.plots.__main__ import draw_all

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "gates"
README = ROOT / "benchmarks" / "README-quality.md"
STATISTICS = ROOT / "docs" / "statistics.md"
MARKS = ("<!-- gates -->", "<!-- /gates -->")

GATES: dict[str, Callable[[], list[Measured]]] = {
    "G1": g1_merge.run,
    "G2": g2_adwin.run,
    "G3": g3_iid.run,
    "G4": g3_iid.run_week,
    "G5": g5_windows.run,
    "G6": g6_dependent.run,
    "G7": g7_delay.run,
    "G8": g8_cost.run,
    "G9": g9_budget.run,
    "G10": g10_memory.run,
    "G11": g11_names.run,
    "G12": g12_seasons.run,
    "G13": g13_one_name.run,
    "G14": g14_shares.run,
    "G15": g15_slow.run,
    "G16": g16_duplicates.run,
    "G17": g17_change_points.run,
    "G18": g18_estimate.run,
    "real": real.run,
}


def sources(gate: str) -> str:
    """Hash of the code that a gate's result is a function of.

    What has settings of its own does not depend on how a budget is spent.
    """
    has_budget = gate in ("G9", "G10", "G12", "G14", "G15", "G16", "G17", "real")
    without = () if has_budget else (ROOT / "detectors" / "budget.py",)
    return code_of(GATES[gate].__module__, ROOT, without)


def stored() -> dict[str, dict[str, Any]]:
    """What has been measured so far, by gate."""
    found = {}
    for gate in GATES:
        path = RESULTS / f"{gate}.json"
        if path.exists():
            found[gate] = json.loads(path.read_text())
    return found


def measure(gate: str) -> dict[str, Any]:
    """Run one gate and write its result."""
    started = time.monotonic()
    rows = [{"gate": gate, **row.as_dict()} for row in GATES[gate]()]
    result = {
        "gate": gate,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 1),
        "sources": sources(gate),
        "rows": rows,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{gate}.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


def update_readme() -> None:
    """Write the tables of all stored results between their markers."""
    results = stored()
    rows = [row for result in results.values() for row in result["rows"]]
    old = [gate for gate, result in results.items() if result["sources"] != sources(gate)]
    seconds = sum(result["seconds"] for result in results.values())
    text = table(rows) + f"\n\nMeasured in {seconds / 60:.0f} minutes on one core."
    if old:
        text += f" Some source file changed after {', '.join(old)}: the next run measures anew."
    pattern = re.compile(f"{re.escape(MARKS[0])}.*{re.escape(MARKS[1])}", re.DOTALL)
    page = README.read_text()
    README.write_text(pattern.sub(lambda _: f"{MARKS[0]}\n{text}\n{MARKS[1]}", page))
    write_into(STATISTICS, rows)


def main(arguments: list[str] | None = None) -> int:
    """Run the gates; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gates", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(GATES), default=list(GATES))
    parser.add_argument("--again", action="store_true", help="also what is measured already")
    parser.add_argument("--table", action="store_true", help="only write the table anew")
    options = parser.parse_args(arguments)
    held = stored()
    for gate in [] if options.table else options.only:
        result = held.get(gate)
        if options.again or result is None or result["sources"] != sources(gate):
            print(f"{gate} ...", flush=True)
            result = measure(gate)
            print(f"{gate} took {result['seconds']:.0f} s", flush=True)
        else:
            print(f"{gate} is measured already ({result['made']})")
        print(table(result["rows"]), flush=True)
    update_readme()
    draw_all()
    results = [result for gate, result in stored().items() if gate in options.only]
    missed = sum("**no**" in row["verdict"] for result in results for row in result["rows"])
    print(f"{missed} bounds missed" if missed else "all within their bounds")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
