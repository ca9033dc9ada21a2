"""`python -m benchmarks.outcomes`: false alarms and delays of the tests of outcomes.

Each part's rows are written when they are there, and the tables into the pages of docs; `--only`
for some parts, `--table` for the tables alone.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.gates.measured import Measured, write
from benchmarks.outcomes import fair, null, power, weeks

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "outcomes.json"
PAGES = tuple(ROOT / "docs" / name for name in ("outcomes.md", "fairness.md"))
PARTS: dict[str, Callable[[], list[Measured]]] = {
    "windows": null.windows,
    "dependent": null.dependent,
    "evidence": null.evidence,
    "limits": null.limits,
    "weeks": weeks.weeks,
    "sea": power.sea,
    "swapped": power.swapped,
    "errors": power.errors,
    "fairness": fair.fairness,
}


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown of one part."""
    lines = ["| what | measured (95 %) | bound | met | of |", "|---|---|---|---|---|"]
    for row in rows:
        bounds = [f">= {write(row['least'])}"] if row["least"] is not None else []
        bounds += [f"<= {write(row['most'])}"] if row["most"] is not None else []
        value = f"{write(row['value'])} ({write(row['low'])} to {write(row['high'])})"
        cells = (row["what"], value, ", ".join(bounds), row["verdict"], row["note"])
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Measure and write the tables; 1 if a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outcomes", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--table", action="store_true", help="only write the tables anew")
    options = parser.parse_args(arguments)
    stored = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for part in [] if options.table else options.only:
        started = time.monotonic()
        rows = [row.as_dict() for row in PARTS[part]()]
        stored[part] = {"seconds": round(time.monotonic() - started), "rows": rows}
        RESULT.write_text(json.dumps(stored, indent=1) + "\n")
        print(f"{part} took {stored[part]['seconds']} s\n{table(rows)}", flush=True)
    for page in PAGES:
        words = page.read_text()
        for part, result in stored.items():
            text = f"<!-- {part} -->\n{table(result['rows'])}\n<!-- /{part} -->"
            pattern = re.compile(f"<!-- {part} -->.*<!-- /{part} -->", re.DOTALL)
            words = pattern.sub(lambda _, text=text: text, words)
        page.write_text(words)
    rows = [row for part in options.only for row in stored.get(part, {"rows": []})["rows"]]
    missed = sum("**no**" in row["verdict"] for row in rows)
    print(f"{missed} bounds missed" if missed else "all within their bounds")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
