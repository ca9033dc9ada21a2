"""Gate 8: what the whole set costs a signal and pane, on one thread, and what it remembers."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.gates.measured import Measured, exactly
from benchmarks.gates.setting import LAWS, independent
from detectors import (
    AdwinBank,
    EDetectorBank,
    EvidenceBank,
    ScoreTable,
    ShareGrowth,
    ShareTable,
    WindowBank,
)

__all__ = ["run"]


def run(signals: int = 1_000, panes: int = 60, n: int = 1_000, seed: int = 108) -> list[Measured]:
    """CPU time of each part, over panes of 1,000 events."""
    fitted, layout, draw = independent(LAWS[0], signals, seed, rows=2_000)
    table = ScoreTable(fitted.signals, layout)
    shares = ShareTable(fitted.signals, layout)
    phi = np.concatenate([table.phi.ravel(), shares.adwin_phi])
    adwin = AdwinBank(phi.size, 1e-4, phi)
    ranks = EDetectorBank(fitted.signals, layout, threshold=1e6)
    e = EvidenceBank(ranks, ShareGrowth(shares, 4.0, fitted.signals, layout))
    bank = WindowBank(fitted.signals, layout)
    spent: dict[str, list[float]] = {
        "moments": [],
        "ADWIN x+y": [],
        "e-detector": [],
        "windowed tests": [],
    }
    for _ in range(panes):
        counts = draw.pane(n)
        marks = [time.process_time_ns()]
        held = shares.counts(counts)
        both = zip(table.moments(counts), shares.moments(*held), strict=True)
        moments = [np.append(m.ravel(), more) for m, more in both]
        marks.append(time.process_time_ns())
        adwin.update(*moments)
        marks.append(time.process_time_ns())
        e.update(counts, held)
        marks.append(time.process_time_ns())
        bank.test(counts, 1e-6)
        marks.append(time.process_time_ns())
        for name, took in zip(spent, np.diff(marks), strict=True):
            spent[name].append(took / 1e3 / signals)
    whole = np.sort(np.sum([spent[name] for name in spent], axis=0)[panes // 2 :])
    each = ", ".join(f"{name} {np.median(took[panes // 2 :]):.2f}" for name, took in spent.items())
    state = sum(
        array.nbytes
        for bank_ in (adwin, e, e.ranks)
        for array in vars(bank_).values()
        if isinstance(array, np.ndarray) and array is not getattr(bank_, "phi", None)
    )
    return [
        Measured(
            "2 ADWIN + e-detector + windowed tests: us a signal and pane",
            float(np.median(whole)),
            float(whole[0]),
            float(whole[-1]),
            most=3.0,
            note=f"CPU time, {signals:,} signals, {panes - panes // 2} late panes of {n:,}; "
            f"interval is the range; {each}",
        ),
        Measured("state in memory: bytes a signal", *exactly(state / signals), most=8_000),
        Measured(
            "state as dumped: bytes a signal",
            *exactly((len(adwin.dump()) + len(e.dump())) / signals),
        ),
    ]
