"""Gate 6: on AR(1) streams all tests keep to their levels, by the reference's calibration."""

from __future__ import annotations

import numpy as np

from benchmarks.gates.draws import ar1, count_values
from benchmarks.gates.g5_windows import bank_of, tails
from benchmarks.gates.measured import Measured, rate_of, share_of
from benchmarks.gates.setting import dependent
from detectors import AdwinBank, EDetectorBank, ScoreTable

__all__ = ["run"]

PANE = 100
WINDOW = 1_000
LEVELS = (1e-2, 1e-3)
TESTS = ("psi", "wasserstein")


def run(
    references: int = 300,
    items: int = 2_000_000,
    rhos: tuple[float, ...] = (0.5, 0.9),
    seed: int = 106,
) -> list[Measured]:
    """ADWIN x at delta .002, the e-detector at z 4 and A n = 1e6, PSI of windows of 1,000."""
    rows = []
    for rho in rhos:
        rng = np.random.default_rng(seed + round(100 * rho))
        fitted, layout = dependent(rho, references, rng)
        table = ScoreTable(fitted.signals, layout)
        adwin = AdwinBank(references, 0.002, np.ascontiguousarray(table.phi[:, 0]))
        e = EDetectorBank(fitted.signals, layout, threshold=1e6 / PANE)
        windows = bank_of(fitted, layout, TESTS)
        by_adwin, by_e = (np.zeros(references, np.int64) for _ in range(2))
        by_window = {(t, a): np.zeros(references, np.int64) for t in TESTS for a in LEVELS}
        last = rng.standard_normal(references)
        window = np.zeros(layout.width, np.int64)
        for pane in range(1, items // PANE + 1):
            counts = count_values(layout, ar1(rng, PANE, last, rho))
            moments = (np.ascontiguousarray(m[:, 0]) for m in table.moments(counts))
            by_adwin += adwin.update(*moments)
            by_e += e.update(counts)
            window += counts
            if pane % (WINDOW // PANE) == 0:
                for test, (signal, p) in tails(windows, window).items():
                    for level in LEVELS:
                        np.add.at(by_window[test, level], signal[p <= level], 1)
                window[:] = 0
        millions = items / 1e6
        of = f"rho {rho:g}, {references} references x {items:,} items, panes of {PANE}"
        rows += [
            Measured(
                f"e-detector, AR(1) {rho:g}: alarms a million items",
                *rate_of(by_e, millions),
                most=0.1,
                note=of + ", z 4, A n = 1e6",
            ),
            Measured(
                f"ADWIN x, AR(1) {rho:g}: alarms a million items",
                *rate_of(by_adwin, millions),
                most=0.5,
                note=of + ", delta .002",
            ),
        ]
        for (test, level), found in by_window.items():
            value, low, high = (v / level for v in share_of(found, items / WINDOW))
            rows.append(
                Measured(
                    f"{test}, AR(1) {rho:g}: false alarms over the level {level:g}",
                    value,
                    low,
                    high,
                    most=1.5 if test == "psi" else None,
                    note=f"windows of {WINDOW:,}; " + of,
                )
            )
    return rows
