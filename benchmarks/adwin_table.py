"""`python -m benchmarks.adwin_table`: false alarms of one ADWIN a pane, by delta and events a pane.

The table that `detectors/budget.py` reads its delta from. Scores are independent and uniform, as
those of a stream like its reference are. Panes of up to 200 events are drawn event by event; for
larger ones the sums of scores and of squares are drawn from their joint normal limit. Only settled
detectors count: the rate of alarms grows with the window at first.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gates.measured import poisson
from detectors import AdwinBank

__all__ = ["DELTAS", "SIZES", "alarms"]

HERE = Path(__file__).parent
RESULT = HERE / "results" / "adwin_table.json"
README = HERE / "README-quality.md"
DELTAS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5)
SIZES = (1, 5, 20, 100, 1_000, 10_000)
SLOTS = 100
TOP = 65_535
#: Larger panes are not drawn event by event.
DRAWN = 200


def _panes(rng: np.random.Generator, n: int, panes: int) -> np.ndarray:
    """Number, sum and sum of squares of the scores of panes, int64[3, panes, SLOTS]."""
    out = np.empty((3, panes, SLOTS), np.int64)
    out[0] = n
    if n <= DRAWN:
        q = rng.integers(0, TOP + 1, (n, panes, SLOTS))
        out[1], out[2] = q.sum(axis=0), (q * q).sum(axis=0)
        return out
    # x uniform on 0..1: var x = 1/12, var x^2 = 4/45, cov = 1/12
    z, w = rng.standard_normal((2, panes, SLOTS))
    spread = np.sqrt(n / 12.0)
    first = n / 2 + spread * z
    second = n / 3 + spread * z + np.sqrt(n * (4 / 45 - 1 / 12)) * w
    out[1] = np.rint(first * TOP)
    out[2] = np.rint(second * TOP * TOP)
    return out


def settling(n: int) -> int:
    """Panes until the rate of alarms has settled: it grows with the window, for small panes most.

    Measured: panes of 20 alarm ten times as often after 100,000 items as before.
    """
    return max(2_000, 400_000 // n)


def alarms(
    n: int, delta: float, panes: int, seed: int, enough: int = 400, settle: int | None = None
) -> tuple[int, int, int]:
    """Alarms of settled detectors, runs of them, and in how many panes; fewer where enough.

    After an alarm only the oldest part of the window goes, so alarms come in runs, which are one
    episode to whoever is told: a run ends with two windows of 1,000 events without an alarm.
    """
    rng = np.random.default_rng(seed)
    bank = AdwinBank(SLOTS, delta)
    found = runs = done = 0
    skip = settling(n) if settle is None else settle
    quiet_after = max(2, 2_000 // n)
    silent = np.full(SLOTS, quiet_after)
    at_once = max(1, min(200, 40_000 // (n if n <= DRAWN else 1)))
    while done < panes and runs < enough:
        for part in np.moveaxis(_panes(rng, n, at_once), 1, 0):
            drift = bank.update(*part)
            if skip:
                skip -= 1
                continue
            found += int(drift.sum())
            runs += int((drift & (silent >= quiet_after)).sum())
            silent += 1
            silent[drift] = 0
            done += SLOTS
    return found, runs, done


def measure(panes: int, seed: int = 301) -> list[dict[str, Any]]:
    """Every cell; smaller deltas than one with few alarms would only say less."""
    cells = []
    for n in reversed(SIZES):  # the quick ones first
        for k, delta in enumerate(DELTAS):
            found, runs, done = alarms(n, delta, panes, seed + k)
            low, high = poisson(runs, done)
            cell = {
                "n": n,
                "delta": delta,
                "alarms": found,
                "runs": runs,
                "panes": done,
                "rate": runs / done,
                "low": low,
                "high": high,
            }
            cells.append(cell)
            print(f"n {n:>6,} delta {delta:g}: {runs} ({found}) in {done:,} panes", flush=True)
            if runs < 15:
                break
    return cells


def fit(cells: list[dict[str, Any]], n: int) -> tuple[float, float] | None:
    """Rate at delta = .01 and power of delta that it falls with, by Poisson regression."""
    of = [cell for cell in cells if cell["n"] == n]
    if len(of) < 2:
        return None
    runs, panes = (np.array([float(cell[key]) for cell in of]) for key in ("runs", "panes"))
    design = np.array([(1.0, np.log(cell["delta"] / 0.01)) for cell in of])
    at = np.array([np.log(max(runs[0], 1.0) / panes[0]), 1.1])
    for _ in range(50):
        mean = panes * np.exp(design @ at)
        at += np.linalg.solve((design.T * mean) @ design, design.T @ (runs - mean))
    return float(np.exp(at[0])), float(at[1])


def table(cells: list[dict[str, Any]]) -> str:
    """Markdown: a row for each size of panes."""
    lines = [
        "| events a pane | " + " | ".join(f"delta {d:g}" for d in DELTAS) + " | falls as |",
        "|---:|" + "---:|" * len(DELTAS) + "---|",
    ]
    for n in SIZES:
        by_delta = {cell["delta"]: cell for cell in cells if cell["n"] == n}
        row = [
            f"{1e6 * c['rate']:.3g} ({1e6 * c['low']:.3g} to {1e6 * c['high']:.3g})"
            if (c := by_delta.get(delta))
            else ""
            for delta in DELTAS
        ]
        law = fit(cells, n)
        row.append(f"{law[0]:.3g} (delta / .01)^{law[1]:.2f}" if law else "")
        lines.append(f"| {n:,} | " + " | ".join(row) + " |")
    lines.append(
        "\nRuns of false alarms in a million panes of one ADWIN, with exact 95 % intervals."
    )
    return "\n".join(lines)


def main() -> int:
    """Measure, write the result and the table."""
    started = time.monotonic()
    panes = int(sys.argv[1]) if len(sys.argv) > 1 else 8_000_000
    cells = measure(panes)
    RESULT.parent.mkdir(exist_ok=True)
    seconds = round(time.monotonic() - started)
    RESULT.write_text(json.dumps({"seconds": seconds, "cells": cells}, indent=1) + "\n")
    text = f"<!-- adwin -->\n{table(cells)}\n<!-- /adwin -->"
    pattern = re.compile("<!-- adwin -->.*<!-- /adwin -->", re.DOTALL)
    README.write_text(pattern.sub(lambda _: text, README.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
