"""Gate 7: how soon each kind of change is found, at about one false alarm in a million items."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.gates.draws import count_values
from benchmarks.gates.measured import Measured, exactly, median_of, rate_of
from benchmarks.gates.setting import LAWS, independent
from detectors import AdwinBank, EDetectorBank, Layout, Reference, ScoreTable

__all__ = ["CHANGES", "run"]

PANE = 20
#: Settings of the three detectors, which together give about one false alarm in a million items.
DELTA = 0.004
THRESHOLD = 3_000.0
#: Items before the change, and after it until a run counts as a miss.
BEFORE, AFTER = 10_000, 50_000

Change = Callable[[np.ndarray, int], np.ndarray]


def _shift(size: float) -> Change:
    return lambda values, _: values + size


def _ramp(values: np.ndarray, since: int) -> np.ndarray:
    at = since + np.arange(len(values))
    result: np.ndarray = values + 0.5 * np.minimum(1.0, at / 20_000)[:, None]
    return result


#: Change -> (items of median delay allowed, what happens to the values).
CHANGES: dict[str, tuple[int, Change]] = {
    "+.1 sd": (2_300, _shift(0.1)),
    "+.25 sd": (440, _shift(0.25)),
    "+.5 sd": (160, _shift(0.5)),
    "sd x1.5": (200, lambda values, _: values * 1.5),
    "gradual to +.5 sd over 20,000": (5_000, _ramp),
}


class _Set:
    """Two ADWINs and the e-detector of each signal."""

    def __init__(self, fitted: Reference, layout: Layout) -> None:
        self._table = ScoreTable(fitted.signals, layout)
        self._adwin = AdwinBank(2 * len(fitted.signals), DELTA, self._table.phi.ravel())
        self._e = EDetectorBank(fitted.signals, layout, threshold=THRESHOLD)

    def update(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which signals alarm, by ADWIN and by the e-detector."""
        n, s1, s2 = self._table.moments(counts)
        by_adwin = self._adwin.update(n.ravel(), s1.ravel(), s2.ravel()).reshape(-1, 2)
        return np.asarray(by_adwin.any(axis=1)), self._e.update(counts)


def run(runs: int = 600, null_items: int = 1_000_000, seed: int = 107) -> list[Measured]:
    """The rate of false alarms first, then the delays, each run with a reference of its own."""
    fitted, layout, draw = independent(LAWS[0], runs, seed)
    alone = _Set(fitted, layout)
    alarms = {name: np.zeros(runs, np.int64) for name in ("set", "ADWIN", "e")}
    for _ in range(null_items // PANE):
        by_adwin, by_e = alone.update(draw.pane(PANE))
        alarms["ADWIN"] += by_adwin
        alarms["e"] += by_e
        alarms["set"] += by_adwin | by_e
    rates = {name: rate_of(found, null_items / 1e6) for name, found in alarms.items()}
    rows = [
        Measured(
            "2 ADWIN + e-detector: false alarms a million items",
            *rates["set"],
            most=1.2,
            note=f"panes of {PANE}, delta {DELTA}, A {THRESHOLD:g}, z 4; "
            f"ADWIN {rates['ADWIN'][0]:.2f}, e-detector {rates['e'][0]:.2f}",
        )
    ]
    for k, (name, (most, change)) in enumerate(CHANGES.items()):
        rng = np.random.default_rng(seed + 1 + k)
        delay, leader = _delays(fitted, layout, draw, change, rng, runs)
        missed = int(np.isinf(delay).sum())
        p95 = float(np.quantile(delay, 0.95, method="higher"))
        rows.append(
            Measured(
                f"delay {name}: median items",
                *median_of(delay),
                most=most,
                note=f"{runs} runs, p95 {p95:,.0f}; e-detector first in {leader:.0%}",
            )
        )
        rows.append(
            Measured(f"delay {name}: share missed in {AFTER:,}", *exactly(missed / runs), most=0.01)
        )
    return rows


def _delays(
    fitted: Reference,
    layout: Layout,
    draw: object,
    change: Change,
    rng: np.random.Generator,
    runs: int,
) -> tuple[np.ndarray, float]:
    """Items from the change to the end of the pane that alarms; infinite if none does."""
    detectors = _Set(fitted, layout)
    for _ in range(BEFORE // PANE):
        detectors.update(draw.pane(PANE))  # type: ignore[attr-defined]
    delay = np.full(runs, np.inf)
    by_e_first = np.zeros(runs, bool)
    for since in range(0, AFTER, PANE):
        values = change(rng.standard_normal((PANE, runs)), since)
        by_adwin, by_e = detectors.update(count_values(layout, values))
        new = (by_adwin | by_e) & np.isinf(delay)
        delay[new] = since + PANE
        by_e_first |= new & by_e & ~by_adwin
        if np.isfinite(delay).all():
            break
    return delay, float(by_e_first.mean())
