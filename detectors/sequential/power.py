"""How many events sequential detectors need to find a large change: half of all values moved.

No smaller change is found by fewer. Infinite where not even that is ever found.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.sequential._adwin_window import LEAST_SUBWINDOW
from detectors.sequential.evidence_bank import EvidenceBank
from detectors.sequential.shares import ShareTable

__all__ = ["adwin_needs", "edetector_needs"]

#: By how much the mean rank moves if half of all values become the least or the greatest, and the
#: variance of ranks then.
_MOVED, _VARIANCE = 0.25, 0.1
#: Nobody waits for more.
_MOST: Final = 2**40

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def edetector_needs(
    bank: EvidenceBank, shares: ShareTable, panes: Sequence[Iterable[Ints]], signals: int
) -> Floats:
    """Events until a fresh bank alarms of each signal, float64[S].

    Parameters
    ----------
    bank : EvidenceBank
        Its state is not what it was afterwards.
    shares : ShareTable
        Of the bank.
    panes : sequence of iterables of int64[width]
        For each change the panes that follow it.
    signals : int
        How many.
    """
    needs = np.full(signals, np.inf)
    fresh = bank.dump()
    for of_change in panes:
        bank.load(fresh)
        events = 0
        for counts in of_change:
            events += int(counts[0])
            alarms = bank.update(counts, shares.counts(counts))
            needs[alarms] = np.minimum(needs[alarms], events)
    return needs


def adwin_needs(delta: float, phi: float) -> float:
    """Events until ADWIN sees a change that began half of them ago."""
    low, high = 2.0 * LEAST_SUBWINDOW * phi, 4.0 * LEAST_SUBWINDOW * phi
    while high < _MOST and not _cuts(high / phi, delta):
        low, high = high, 2.0 * high
    for _ in range(20):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if _cuts(middle / phi, delta) else (middle, high)
    return high if high < _MOST else math.inf


def _cuts(items: float, delta: float) -> bool:
    """Whether two halves of so many independent items differ by more than ADWIN's bound."""
    log_term = math.log(2.0 * math.log(items) / delta)
    m = 2.0 / (0.5 * items - LEAST_SUBWINDOW + 1.0)
    bound = math.sqrt(2.0 * m * _VARIANCE * log_term) + 2.0 / 3.0 * m * log_term
    return bound < _MOVED
