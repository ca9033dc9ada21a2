"""The rows whose times belong together, counted in the second pass; the others are named."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.fitting.pace import Pace
from detectors.units import DAY_MS, WEEK_MS

__all__ = ["Bulk"]

#: Rows with odd times that are named.
_NAMED: Final = 3


class Bulk:
    """Span and rate of the rows by a pace, and which rows are not of it.

    Attributes
    ----------
    first_ms, last_ms : int
        Of the bulk.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.first_ms = self.last_ms = 0
        self._rows = 0
        self._odd = 0
        self._named: list[str] = []

    def add(self, first_row: int, times_ms: npt.NDArray[np.int64]) -> None:
        """Count rows by their times; `first_row` is how many came before them."""
        odd = self.pace.odd(times_ms)
        for row in np.flatnonzero(odd)[: _NAMED - len(self._named)].tolist():
            moment = np.datetime64(int(times_ms[row]), "ms").astype("datetime64[s]")
            self._named.append(f"row {first_row + row + 1} ({str(moment).replace('T', ' ')})")
        self._odd += int(odd.sum())
        bulk = times_ms[~odd] if odd.any() else times_ms
        if not bulk.size:
            return
        low, high = int(bulk.min()), int(bulk.max())
        self.first_ms = min(self.first_ms, low) if self._rows else low
        self.last_ms = max(self.last_ms, high) if self._rows else high
        self._rows += bulk.size

    @property
    def events_per_week(self) -> int:
        """Rows a week; 0 where all have one time."""
        n = self._rows
        if n < 2:
            return 0
        span_ms = (self.last_ms - self.first_ms - self.pace.holes_ms) * n // (n - 1)
        usual = n - round(self.pace.burst * n)
        return usual * WEEK_MS // span_ms if span_ms > 0 else 0

    def warnings(self) -> list[str]:
        """What is noteworthy about the times."""
        found = []
        if self._odd:
            named = ", ".join(self._named) + (", ..." if self._odd > len(self._named) else "")
            rows = "1 row has a time" if self._odd == 1 else f"{self._odd:,} rows have times"
            found.append(
                f"{rows} far from the others: {named}. Rate, pane and window follow the others; "
                "correct the times, or leave the rows out"
            )
        if self.pace.holes_ms:
            found.append(
                f"gaps of {self.pace.holes_ms / DAY_MS:,.0f} days without rows: the rate is "
                "that of the time between them"
            )
        if self.pace.burst:
            found.append(
                f"{self.pace.burst:.0%} of the rows are more than ten times a usual day's: the "
                "rate is that of the usual days"
            )
        return found
