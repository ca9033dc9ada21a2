"""Gate 1: merged counts equal those of one pass, in any order; logarithms only after the merge."""

from __future__ import annotations

import numpy as np

from benchmarks.gates.draws import count_values
from benchmarks.gates.measured import Measured, exactly
from benchmarks.gates.setting import LAWS
from detectors import AdwinBank, EDetectorBank, ScoreTable, WindowBank, fit_reference
from detectors.counting.sparse import add_encoded, encode_counts

__all__ = ["run"]

SIGNALS = 12


def run(trials: int = 200, panes: int = 20, seed: int = 101) -> list[Measured]:
    """Streams dealt over partitions and merged in random order, all decisions compared."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([law.draw(rng, (SIGNALS // 3, 2_000)) for law in LAWS])
    reference = fit_reference({f"s{i}": v for i, v in enumerate(values)}, model="m")
    counts_differ = decisions_differ = 0
    for _ in range(trials):
        whole, merged = _Watcher(reference), _Watcher(reference)
        for pane in range(panes):
            n = int(rng.integers(0, 200))
            rows = np.concatenate([law.draw(rng, (SIGNALS // 3, n)) for law in LAWS]).T.copy()
            rows += 0.3 * (pane > panes // 2)
            rows[rng.random(rows.shape) < 0.02] = np.nan
            once = count_values(whole.layout, rows)
            owner = rng.integers(0, 7, n)
            parts = [encode_counts(count_values(whole.layout, rows[owner == p])) for p in range(7)]
            rng.shuffle(parts)
            total = np.zeros_like(once)
            for part in parts:
                add_encoded(part, total)
            counts_differ += int((total != once).sum())
            whole.feed(once)
            merged.feed(total)
        decisions_differ += whole.state() != merged.state()
    return [
        Measured(
            "merged counts that differ from one pass",
            *exactly(counts_differ),
            most=0,
            note=f"{trials * panes} panes over 7 partitions, encoded, in random order",
        ),
        Measured(
            "detector states, PSI values or p values that differ in any bit",
            *exactly(decisions_differ),
            most=0,
            note=f"{trials} streams with a change",
        ),
    ]


class _Watcher:
    """All detectors on one stream of counts."""

    def __init__(self, reference: object) -> None:
        signals = reference.signals  # type: ignore[attr-defined]
        self.layout = reference.layout()  # type: ignore[attr-defined]
        self._scores = ScoreTable(signals, self.layout)
        self._adwin = AdwinBank(2 * len(signals), 0.01, self._scores.phi.ravel())
        self._e = EDetectorBank(signals, self.layout, threshold=1e3)
        self._windows = WindowBank(signals, self.layout)
        self._counts = np.zeros(self.layout.width, np.int64)
        self._said: list[bytes] = []

    def feed(self, counts: np.ndarray) -> None:
        n, s1, s2 = self._scores.moments(counts)
        drift = self._adwin.update(n.ravel(), s1.ravel(), s2.ravel())
        self._said += [drift.tobytes(), self._e.update(counts).tobytes()]
        self._counts += counts

    def state(self) -> bytes:
        result = self._windows.test(self._counts, 1e-3)
        tested = result.value.tobytes() + result.p_value.tobytes() + result.found.tobytes()
        return b"".join([*self._said, self._adwin.dump(), self._e.dump(), tested])
