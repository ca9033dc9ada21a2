"""Rows by local hour, or by ten minutes of fast streams: what seasons are looked for in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.fitting.pace import Pace
from detectors.references.calendar import local_times
from detectors.units import HOUR_MS

__all__ = ["MOST_CELLS", "CellSurvey", "Cells", "hours_of_week"]

#: More would need gigabytes: a table of bins each, for every signal. Some two years of hours.
MOST_CELLS: Final = 20_000
_FINE_MS: Final = 600_000
_PER_HOUR: Final = HOUR_MS // _FINE_MS
#: Rows an hour from which ten minutes hold enough to show how the season goes within the hour.
_FAST: Final = 600

Ints = npt.NDArray[np.int64]


def hours_of_week(hours: Ints, holidays: tuple[str, ...] = ()) -> Ints:
    """Hour of the week of local hours since 1970, 0 for Monday 0:00; holidays are Sundays."""
    days = hours // 24
    weekday = (days + 3) % 7
    free = [(date.fromisoformat(d) - date(1970, 1, 1)).days for d in holidays]
    weekday = np.where(np.isin(days, free), 6, weekday)
    found: Ints = weekday * 24 + hours % 24
    return found


@dataclass(frozen=True, eq=False)
class Cells:
    """Stretches of local time that hold rows.

    Attributes
    ----------
    number : int64[C]
        Of each since 1970, rising.
    ms : int
        How long each is.
    """

    number: Ints
    ms: int
    time_zone: str

    @property
    def hours(self) -> Ints:
        """Local hour of each."""
        return self.number * self.ms // HOUR_MS

    def of(self, times_ms: Ints) -> npt.NDArray[np.int32]:
        """Cell of each time, -1 for none."""
        wanted = local_times(times_ms, self.time_zone) // self.ms
        at = np.searchsorted(self.number, wanted)
        at[at == self.number.size] = 0
        return np.where(self.number[at] == wanted, at, -1).astype(np.int32)


class CellSurvey:
    """What the first pass sees of when rows come."""

    def __init__(self, time_zone: str) -> None:
        self._zone = time_zone
        self._fine = np.zeros(0, np.int64)
        self._rows = 0
        self._kept = True

    def add(self, times_ms: Ints) -> None:
        """Take the times of a batch in."""
        self._rows += times_ms.size
        if not self._kept:
            return
        fine = np.unique(times_ms // _FINE_MS) * _FINE_MS
        self._fine = np.union1d(self._fine, local_times(fine, self._zone) // _FINE_MS)
        self._kept = self._fine.size <= _PER_HOUR * MOST_CELLS

    def cells(self, pace: Pace) -> Cells | None:
        """The cells of the rows whose times belong together; None if they are too many."""
        if not self._kept:
            return None
        fine = self._fine[~pace.odd(self._fine * _FINE_MS)]
        hours = np.unique(fine // _PER_HOUR)
        if not hours.size or hours.size > MOST_CELLS:
            return None
        if fine.size <= MOST_CELLS and self._rows >= _FAST * hours.size:
            return Cells(fine, _FINE_MS, self._zone)
        return Cells(hours, HOUR_MS, self._zone)
