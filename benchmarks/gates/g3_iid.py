"""Gates 3 and 4: false alarms of the sequential detectors on independent events."""

from __future__ import annotations

import numpy as np

from benchmarks.gates.measured import Measured, rate_of
from benchmarks.gates.setting import LAWS, independent
from detectors import AdwinBank, EDetectorBank, ScoreTable

__all__ = ["run", "run_week"]

PANE = 100


def run(references: int = 300, items: int = 3_000_000, seed: int = 103) -> list[Measured]:
    """Panes of 100; ADWIN x at delta .01, the e-detector at z = 2.33 and A n = 1e6."""
    fitted, layout, draw = independent(LAWS[0], references, seed)
    table = ScoreTable(fitted.signals, layout)
    adwin = AdwinBank(references, 0.01)
    e = EDetectorBank(fitted.signals, layout, threshold=1e6 / PANE, z=2.33)
    by_adwin = np.zeros(references, np.int64)
    by_e = np.zeros(references, np.int64)
    for _ in range(items // PANE):
        counts = draw.pane(PANE)
        by_adwin += adwin.update(*(np.ascontiguousarray(m[:, 0]) for m in table.moments(counts)))
        by_e += e.update(counts)
    millions = items / 1e6
    of = f"{references} references x {items:,} items, panes of {PANE}"
    return [
        Measured(
            "ADWIN x, delta .01: alarms a million items",
            *rate_of(by_adwin, millions),
            least=0.25,
            most=0.55,
            note=of,
        ),
        Measured(
            "e-detector x+y, z 2.33, A n = 1e6: alarms a million items",
            *rate_of(by_e, millions),
            most=0.12,
            note=of,
        ),
        _worst("the same, worst reference", by_e / millions, most=4.0),
    ]


def run_week(references: int = 100, items: int = 60_480_000, seed: int = 104) -> list[Measured]:
    """A week at 100 events a second in panes of 10 s; the e-detector at z = 4 and A = 1.2e6."""
    n = 1_000
    fitted, layout, draw = independent(LAWS[0], references, seed)
    e = EDetectorBank(fitted.signals, layout, threshold=1.2e6, z=4.0)
    found = np.zeros(references, np.int64)
    for _ in range(items // n):
        found += e.update(draw.pane(n))
    weeks = items / 60_480_000
    return [
        Measured(
            "e-detector x+y, z 4, A 1.2e6: alarms a signal and week",
            *rate_of(found, weeks),
            most=0.05,
            note=f"{references} references x {items:,} items, panes of {n}",
        ),
        _worst("the same, worst reference", found / weeks, most=2.0),
    ]


def _worst(what: str, rates: np.ndarray, most: float) -> Measured:
    worst = float(rates.max())
    return Measured(what, worst, worst, worst, most=most)
