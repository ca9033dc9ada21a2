"""Gate 11: windowed tests of names keep to their level, however many names there are.

Each reference is drawn anew: chance that makes some names frequent in it must not come back as a
false alarm in every window. Beside it, what has to be found.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.gates.g5_windows import bank_of, tails
from benchmarks.gates.measured import Measured, share_of
from detectors import Layout, Reference, fit_reference

__all__ = ["POWER", "SETTINGS", "draws", "fitted", "level", "power", "run", "shares"]

Floats = npt.NDArray[np.float64]
LEVELS = (1e-2, 1e-3)
AT_ONCE = 20

#: law, names, rows of the reference, events of a window.
SETTINGS = (
    ("equal", 12, 1_000, 1_000),
    ("equal", 24, 1_000, 1_000),
    ("equal", 50, 1_000, 300),
    ("equal", 50, 3_000, 1_000),
    ("equal", 50, 10_000, 10_000),
    ("equal", 300, 3_000, 1_000),
    ("equal", 300, 10_000, 10_000),
    ("equal", 1_000, 3_000, 1_000),
    ("Zipf", 12, 1_000, 1_000),
    ("Zipf", 50, 3_000, 1_000),
    ("Zipf", 300, 1_000, 300),
    ("Zipf", 1_000, 10_000, 1_000),
)
#: law, names, what happens, least share of windows of 1,000 at level 1e-4 that must find it.
POWER = (
    ("equal", 12, "uneven", 0.9),
    ("Zipf", 12, "swap", 0.99),
    ("Zipf", 50, "swap", 0.99),
    ("Zipf", 50, "uneven", 0.6),
    ("equal", 50, "uneven", None),
    ("Zipf", 50, "none", None),
)


def shares(law: str, names: int) -> npt.NDArray[np.float64]:
    """Shares of the names, the most frequent first; Zipf's exponent is 1.1."""
    if law == "one in 300":
        return np.append(np.full(names - 1, 299.0 / (names - 1)), 1.0) / 300.0
    weight = np.ones(names) if law == "equal" else np.arange(1, names + 1) ** -1.1
    return weight / weight.sum()


def fitted(
    law: str, names: int, rows: int, references: int, rng: np.random.Generator
) -> tuple[Reference, Layout, npt.NDArray[np.float64]]:
    """References of independent rows, and the share of each of their names."""
    share = np.stack([rng.permutation(shares(law, names)) for _ in range(references)])
    columns = {
        f"r{i}": [f"name {k}" for k in rng.choice(names, rows, p=row).tolist()]
        for i, row in enumerate(share)
    }
    kinds = dict.fromkeys(columns, "categorical")
    reference = fit_reference(columns, model="null", kinds=kinds)
    return reference, reference.layout(), share


def draws(
    reference: Reference,
    layout: Layout,
    share: npt.NDArray[np.float64],
    n: int,
    windows: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Counts of windows of n events: int64[windows, width of the layout]."""
    counts = np.zeros((windows, layout.width), np.int64)
    counts[:, 0] = n
    for i, signal in enumerate(reference.signals):
        binning = signal.binning
        bins = np.array(
            [
                binning.bin(f"name {k}")  # type: ignore[union-attr,arg-type]
                for k in range(share.shape[1])
            ]
        )
        by_bin = np.bincount(bins, share[i], binning.n_bins)
        counts[:, layout.slice(i)] = rng.multinomial(n, by_bin / by_bin.sum(), windows)
    return counts


def level(
    law: str,
    names: int,
    rows: int,
    n: int,
    *,
    references: int = 100,
    windows: int = 500,
    seed: int = 111,
) -> list[Measured]:
    """False alarms of PSI and of the rate of new names over their level."""
    rng = np.random.default_rng([seed, names, rows, n])
    hits = {
        (test, a): np.zeros(references, np.int64) for test in ("psi", "unseen_rate") for a in LEVELS
    }
    for first in range(0, references, AT_ONCE):
        size = min(AT_ONCE, references - first)
        reference, layout, share = fitted(law, names, rows, size, rng)
        bank = bank_of(reference, layout, ("psi", "unseen_rate"))
        for counts in draws(reference, layout, share, n, windows, rng):
            for test, (signal, p) in tails(bank, counts).items():
                for a in LEVELS if test in ("psi", "unseen_rate") else ():
                    np.add.at(hits[test, a], first + signal[p <= a], 1)
    of = f"{law} {names:,} names, N {rows:,}, n {n:,}"
    result = []
    for (test, a), found in hits.items():
        value, low, high = (v / a for v in share_of(found, windows))
        note = f"{references} references x {windows} windows; worst reference {found.max()}"
        most = 2.0 if test == "psi" else None
        result.append(
            Measured(
                f"{test}, {of}: false alarms over {a:g}", value, low, high, most=most, note=note
            )
        )
    return result


def power(
    law: str,
    names: int,
    change: str,
    least: float | None,
    *,
    references: int = 60,
    windows: int = 20,
    seed: int = 112,
) -> Measured:
    """Share of windows of 1,000 in which PSI finds a change at a level of 1e-4."""
    rng = np.random.default_rng([seed, names, sum(map(ord, change))])
    reference, layout, share = fitted(law, names, 10_000, references, rng)
    changed = share.copy()
    if change == "uneven":
        changed *= np.exp(0.4 * rng.normal(size=share.shape))
    elif change == "swap":
        for row in changed:
            order = np.argsort(-row)
            row[order[[0, 3]]] = row[order[[3, 0]]]
    changed /= changed.sum(axis=1, keepdims=True)
    bank = bank_of(reference, layout, ("psi",))
    found = np.zeros(references, np.int64)
    for counts in draws(reference, layout, changed, 1_000, windows, rng):
        signal, p = tails(bank, counts)["psi"]
        np.add.at(found, signal[p <= 1e-4], 1)
    value, low, high = share_of(found, windows)
    what = f"psi, {law} {names} names, {change}: share of windows that find it at 1e-4"
    return Measured(what, value, low, high, least=least, note=f"{references} references")


def run(references: int = 100, windows: int = 500) -> list[Measured]:
    """Every level, then what must be found."""
    rows = [r for s in SETTINGS for r in level(*s, references=references, windows=windows)]
    return rows + [power(*p) for p in POWER]
