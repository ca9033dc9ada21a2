"""Gate 13: one name that moves is found, and names that do not move keep to the level.

Levels of `name_share` and of the windowed tests of names together (PSI has three parts of it,
`name_share` one), each reference drawn anew. Then rare classes that grow, own names that grow, and
names of the tail, known or never seen, that take over.
"""

from __future__ import annotations

import numpy as np

from benchmarks.gates.g5_windows import bank_of, tails
from benchmarks.gates.g11_names import Floats, draws, fitted
from benchmarks.gates.measured import Measured, share_of
from detectors import CategoricalBinning

__all__ = ["POWER", "SETTINGS", "level", "power", "run"]

LEVELS = (1e-2, 1e-3)
AT_ONCE = 20
TESTS = ("psi", "name_share")

#: law, names, rows of the reference, events of a window.
SETTINGS = (
    ("equal", 2, 10_000, 1_000),
    ("one in 300", 2, 10_000, 1_000),
    ("one in 300", 2, 1_000, 300),
    ("equal", 12, 1_000, 1_000),
    ("equal", 50, 3_000, 1_000),
    ("equal", 300, 500, 300),
    ("equal", 300, 1_000, 1_000),
    ("equal", 300, 3_000, 1_000),
    ("equal", 1_000, 1_000, 1_000),
    ("equal", 1_000, 10_000, 1_000),
    ("equal", 1_000, 10_000, 10_000),
    ("Zipf", 50, 3_000, 1_000),
    ("Zipf", 300, 1_000, 300),
    ("Zipf", 3_000, 1_000, 1_000),
    ("Zipf", 3_000, 10_000, 1_000),
    ("Zipf", 3_000, 10_000, 10_000),
)
#: law, names, rows, events, which name grows, to what share, level, least share of windows.
POWER = (
    ("one in 300", 2, 10_000, 1_000, "rarest", 0.03, 1e-5, 0.95),
    # In 4 of 100 references of 1,000 rows the rare class does not occur: it is then unseen.
    ("one in 300", 2, 1_000, 300, "rarest", 0.10, 1e-5, 0.85),
    ("one in 300", 2, 1_000, 300, "rarest", 1.00, 1e-5, 0.90),
    ("equal", 50, 10_000, 1_000, "own", 0.05, 1e-4, 0.95),
    ("equal", 1_000, 10_000, 1_000, "tail", 0.05, 1e-4, 0.95),
    ("equal", 1_000, 10_000, 1_000, "tail", 0.20, 1e-6, 0.99),
    ("Zipf", 3_000, 10_000, 1_000, "tail", 0.05, 1e-4, 0.95),
    ("Zipf", 3_000, 10_000, 1_000, "new", 0.05, 1e-4, 0.95),
    ("equal", 300, 1_000, 300, "tail", 0.20, 1e-4, 0.95),
    ("equal", 1_000, 10_000, 1_000, "tail", 0.02, 1e-4, None),
)


def level(
    law: str,
    names: int,
    rows: int,
    n: int,
    *,
    references: int = 100,
    windows: int = 500,
    seed: int = 131,
) -> list[Measured]:
    """False alarms over the level: of `name_share`, and of it and PSI as they share a level."""
    rng = np.random.default_rng([seed, names, rows, n])
    hits = {
        (what, a): np.zeros(references, np.int64) for what in ("name_share", "both") for a in LEVELS
    }
    for first in range(0, references, AT_ONCE):
        size = min(AT_ONCE, references - first)
        reference, layout, share = fitted(law, names, rows, size, rng)
        bank = bank_of(reference, layout, TESTS)
        for counts in draws(reference, layout, share, n, windows, rng):
            p = np.ones((2, size))
            for test, (signal, tail) in tails(bank, counts).items():
                p[TESTS.index(test), signal] = tail
            together = np.minimum(p[0] / 0.75, p[1] / 0.25)
            for a in LEVELS:
                hits["name_share", a][first : first + size] += p[1] <= a
                hits["both", a][first : first + size] += together <= a
    of = f"{law}, {names:,} names, N {rows:,}, n {n:,}"
    result = []
    for (what, a), found in hits.items():
        value, low, high = (v / a for v in share_of(found, windows))
        note = f"{references} references x {windows} windows; worst reference {found.max()}"
        said = "psi and name_share" if what == "both" else what
        result.append(
            Measured(
                f"{said}, {of}: false alarms over {a:g}", value, low, high, most=2.0, note=note
            )
        )
    return result


def _grown(share: Floats, binning: CategoricalBinning, which: str, to: float) -> Floats:
    """The shares, and of one name more that nobody has seen, after one of them grew."""
    names = [f"name {k}" for k in range(share.size)]
    bins = np.array([binning.bin(name) for name in names])
    grown = np.append(share, 0.0)
    if which == "new":
        at = share.size
    elif which == "rarest":
        at = int(share.argmin())
    else:
        inside = (bins >= binning.other) & (bins < binning.unseen)
        inside = inside if which == "tail" else bins < binning.other
        there = np.flatnonzero(inside)
        at = int(there[np.abs(share[there] - 0.001).argmin()])
    grown *= 1.0 - to
    grown[at] += to
    result: Floats = grown / grown.sum()
    return result


def power(
    law: str,
    names: int,
    rows: int,
    n: int,
    which: str,
    to: float,
    alpha: float,
    least: float | None,
    *,
    references: int = 60,
    windows: int = 20,
    seed: int = 132,
) -> Measured:
    """Share of windows in which `name_share` finds that one name grew, at its own level."""
    rng = np.random.default_rng([seed, names, rows, round(1_000 * to)])
    reference, layout, share = fitted(law, names, rows, references, rng)
    grown = np.stack(
        [
            _grown(row, signal.binning, which, to)  # type: ignore[arg-type]
            for row, signal in zip(share, reference.signals, strict=True)
        ]
    )
    bank = bank_of(reference, layout, ("name_share",))
    found = np.zeros(references, np.int64)
    for counts in draws(reference, layout, grown, n, windows, rng):
        signal, p = tails(bank, counts)["name_share"]
        np.add.at(found, signal[p <= alpha], 1)
    value, low, high = share_of(found, windows)
    what = (
        f"name_share, {law}, {names:,} names, N {rows:,}, n {n:,}: {which} name to {to:.0%}, share "
        f"of windows that find it at {alpha:g}"
    )
    return Measured(what, value, low, high, least=least, note=f"{references} references")


def run(references: int = 100, windows: int = 500) -> list[Measured]:
    """Every level, then what must be found."""
    rows = [r for s in SETTINGS for r in level(*s, references=references, windows=windows)]
    return rows + [power(*p) for p in POWER]
