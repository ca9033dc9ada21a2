"""Gate 5: windowed tests on independent events alarm as often as their level says."""

from __future__ import annotations

import numpy as np

from benchmarks.gates.measured import Measured, share_of
from benchmarks.gates.setting import LAWS, independent
from detectors import Layout, Reference, WindowBank

__all__ = ["LEVELS", "bank_of", "run", "tails"]

WINDOW = 1_000
#: Nominal level -> what the ratio of false alarms to it may be; KS on bins is only to stay below.
LEVELS = {1e-2: (0.9, 1.1), 1e-3: (0.85, 1.25), 1e-4: (0.6, 1.6)}
AT_ONCE = 50
TESTS = (
    "psi", "wasserstein", "ks", "kl", "js", "hellinger", "total_variation", "chi2", "g",
)  # fmt: skip


def bank_of(fitted: Reference, layout: Layout, tests: tuple[str, ...]) -> WindowBank:
    """A bank with these tests on for every signal."""
    return WindowBank(fitted.signals, layout, tests={s.name: tests for s in fitted.signals})


def tails(bank: WindowBank, counts: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Test -> (signals, p values) of a window."""
    result = bank.test(counts, 1e-3)
    names = np.array(result.tests)
    return {
        str(name): (result.signal[names == name], result.p_value[names == name])
        for name in np.unique(names)
    }


def run(references: int = 3_000, windows: int = 200, seed: int = 105) -> list[Measured]:
    """A third of the references each of a normal, a lognormal and a Poisson law."""
    hits: dict[tuple[str, str, float], list[np.ndarray]] = {}
    tests = references * windows
    batches = max(1, references // 3 // AT_ONCE)
    size = references // 3 // batches
    for k, law in enumerate(LAWS):
        for batch in range(batches):
            fitted, layout, draw = independent(law, size, seed + 1_000 * k + batch)
            bank = bank_of(fitted, layout, TESTS)
            found: dict[tuple[str, float], np.ndarray] = {}
            for _ in range(windows):
                for test, (signal, p) in tails(bank, draw.pane(WINDOW)).items():
                    for level in LEVELS:
                        row = found.setdefault((test, level), np.zeros(size, np.int64))
                        np.add.at(row, signal[p <= level], 1)
            for (test, level), row in found.items():
                hits.setdefault((test, law.name, level), []).append(row)
    rows = []
    for test in TESTS:
        for level, (least, most) in LEVELS.items():
            parts = {law.name: np.concatenate(hits[test, law.name, level]) for law in LAWS}
            whole = share_of(np.concatenate(list(parts.values())), windows)
            value, low, high = (v / level for v in whole)
            each = ", ".join(
                f"{name} {row.mean() / windows / level:.2f}" for name, row in parts.items()
            )
            at_least, at_most = (None, 1.0) if test == "ks" else (least, most)
            note = f"{tests:,} windows of {WINDOW:,}, {references:,} references; {each}"
            rows.append(
                Measured(
                    f"{test}: false alarms over the level {level:g}",
                    value,
                    low,
                    high,
                    at_least,
                    at_most,
                    note,
                )
            )
    return rows
