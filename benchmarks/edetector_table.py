"""`python -m benchmarks.edetector_table`: how far e-detectors stay below their bound.

The bound: at least A panes from one false alarm to the next. `detectors/budget.py` reads from this
table by how much less often they alarm, so that the budget is used instead of left over. The slack
comes from the margin for the reference's own error, which is wider the fewer rows it has: it goes
by events a pane over rows of the reference. References of one cell err each in their own way.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gates.draws import AliasDraw
from benchmarks.gates.measured import rate_of
from detectors import EDetectorBank, fit_reference

__all__ = ["LAWS", "RATIOS", "alarms"]

HERE = Path(__file__).parent
RESULT = HERE / "results" / "edetector_table.json"
README = HERE / "README-quality.md"
#: Events a pane over rows of the reference.
RATIOS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
SIZES = (1, 20, 100)
#: Lower ones are closer to their bound; from 3,000 on they hardly differ.
THRESHOLDS = (300.0, 3_000.0, 30_000.0)
#: Shares of a stream of ones and zeros, beside values that are all different.
LAWS = {"all different": None, "1 in 50 is 1": 0.02}
#: References of fewer rows are not fitted.
LEAST_ROWS, MOST_ROWS = 300, 10_000_000
REFERENCES = 200
Z = 3.0


def _subject(share: float | None, rows: int, rng: np.random.Generator) -> tuple[Any, AliasDraw]:
    """Signals with so many rows each, and the draw of panes of the law that these came from."""
    first = rng.random((REFERENCES, 6_400))
    columns = first if share is None else (first < share).astype(np.float64)
    fitted = fit_reference({f"r{i}": column for i, column in enumerate(columns)}, model="null")
    signals, laws = [], []
    for signal in fitted.signals:
        binning: Any = signal.binning
        law = np.zeros(binning.n_bins)
        if share is None:
            edges = np.concatenate([[0.0], np.clip(binning.edges, 0.0, 1.0), [1.0]])
            law[: binning.missing] = np.diff(edges)
        else:
            law[binning.bin(np.array([0.0, 1.0]))] = 1.0 - share, share
        signals.append(dataclasses.replace(signal, counts=rng.multinomial(rows, law)))
        laws.append(law[None])
    seed = int(rng.integers(2**31))
    return signals, AliasDraw(fitted.layout(), laws, seed)


def alarms(
    share: float | None,
    n: int,
    rows: int,
    threshold: float,
    seconds: float,
    seed: int,
    enough: int = 200,
) -> tuple[np.ndarray, int]:
    """Alarms of each reference's settled detector, and panes; till time is up or enough came."""
    rng = np.random.default_rng(seed)
    signals, draw = _subject(share, rows, rng)
    bank = EDetectorBank(signals, threshold=threshold, z=Z)
    found = np.zeros(REFERENCES, np.int64)
    for _ in range(round(threshold)):  # evidence has to gather first
        bank.update(draw.pane(n))
    panes, end = 0, time.process_time() + seconds
    while panes == 0 or (time.process_time() < end and found.sum() < enough):
        for _ in range(100):
            found += bank.update(draw.pane(n))
        panes += 100
    return found, panes


def measure(seconds: float, seed: int = 302) -> list[dict[str, Any]]:
    """Every cell whose reference is neither too small to be fitted nor larger than any."""
    cells = []
    for ratio in RATIOS:
        for n in SIZES:
            rows = round(n / ratio)
            if not LEAST_ROWS <= rows <= MOST_ROWS:
                continue
            for name, share in LAWS.items():
                for threshold in THRESHOLDS:
                    found, panes = alarms(share, n, rows, threshold, seconds, seed)
                    rate, low, high = rate_of(found, panes)
                    cell = {
                        "ratio": ratio,
                        "n": n,
                        "rows": rows,
                        "law": name,
                        "z": Z,
                        "threshold": threshold,
                        "alarms": int(found.sum()),
                        "panes": panes * REFERENCES,
                        "rate": rate,
                        "low": low,
                        "high": high,
                    }
                    cells.append(cell)
                    print(
                        f"{ratio:g}, {n} a pane, {name}, A {threshold:g}: {found.sum()} in "
                        f"{panes * REFERENCES:,} panes",
                        flush=True,
                    )
                    if found.sum() < 15:
                        break  # a higher threshold would only say less
    return cells


def worst(cells: list[dict[str, Any]], ratio: float, *, low: bool) -> dict[str, Any]:
    """The cell of a ratio with the least slack for certain, at A = 300 or from 3,000 on."""
    of = [c for c in cells if c["ratio"] == ratio and (c["threshold"] == THRESHOLDS[0]) == low]
    of = [c for c in of if c["alarms"] >= 15] or of  # few alarms say little
    return max(of, key=lambda cell: float(cell["high"] * cell["threshold"]))


def table(cells: list[dict[str, Any]]) -> str:
    """Markdown: a row for each ratio."""
    lines = [
        "| events a pane / rows | A = 300 | of | A from 3,000 | of |",
        "|---:|---:|---|---:|---|",
    ]
    for ratio in RATIOS:
        row = [f"{ratio:g}"]
        for low in (True, False):
            cell = worst(cells, ratio, low=low)
            slack, least, most = (
                1 / (cell["threshold"] * cell[key]) if cell[key] else float("inf")
                for key in ("rate", "high", "low")
            )
            row += [
                f"{slack:.3g} ({least:.3g} to {most:.3g})",
                f"{cell['law']}, {cell['n']} a pane, A {cell['threshold']:,.0f}; "
                f"{cell['alarms']} alarms in {cell['panes']:,} panes",
            ]
        lines.append("| " + " | ".join(row) + " |")
    lines.append(
        f"\nBound over measured rate, of the worst of panes of {', '.join(map(str, SIZES))} and of "
        f"both laws, z = {Z:g}, {REFERENCES} references each; 95 % intervals, wider where the "
        "references differ."
    )
    return "\n".join(lines)


def main() -> int:
    """Measure, write the result and the table; with `--table` only the table."""
    if sys.argv[1:] == ["--table"]:
        cells = json.loads(RESULT.read_text())["cells"]
    else:
        started = time.monotonic()
        cells = measure(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0)
        RESULT.parent.mkdir(exist_ok=True)
        seconds = round(time.monotonic() - started)
        RESULT.write_text(json.dumps({"seconds": seconds, "cells": cells}, indent=1) + "\n")
    text = f"<!-- edetector -->\n{table(cells)}\n<!-- /edetector -->"
    pattern = re.compile("<!-- edetector -->.*<!-- /edetector -->", re.DOTALL)
    README.write_text(pattern.sub(lambda _: text, README.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
