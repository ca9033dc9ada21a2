"""The part of a fit that looks for seasons: counts by local hour, then slots out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.errors import InvalidReferenceError
from detectors.fitting.pace import Pace
from detectors.fitting.seasons.cells import MOST_CELLS, Cells, CellSurvey
from detectors.fitting.seasons.fitting import LEAST_DAYS, Seasonal, find_slots
from detectors.references.calendar import zone_of
from detectors.references.reference import SignalReference

__all__ = ["SEASONS", "SeasonFit", "Seasons"]

#: What a fit may do about seasons: look for them, use them, use hours of the day alone, or nothing.
SEASONS: Final = ("look", "auto", "hours", "off")
#: Bytes that counts by cell may take.
_MOST_BYTES: Final = 1 << 30

Ints = npt.NDArray[np.int64]
_NO_CELL: Final = np.zeros(0, np.int32)


@dataclass(frozen=True)
class Seasons:
    """What a fit is asked to do about seasons, by whose clock, and which days are as Sundays.

    Attributes
    ----------
    slots : str
        One of `SEASONS`.
    time_zone : str
        IANA zone whose clock the season follows.
    holidays : tuple of str
        Dates that are as Sundays.
    keep_days : bool
        Whether days of the reference that are unlike all its others count as usual ones.

    Raises
    ------
    InvalidReferenceError
        If one of them is not known.
    """

    slots: str = "look"
    time_zone: str = "UTC"
    holidays: tuple[str, ...] = ()
    keep_days: bool = False

    def __post_init__(self) -> None:
        if self.slots not in SEASONS:
            raise InvalidReferenceError(
                f"slots must be one of {', '.join(SEASONS)}; got {self.slots!r}."
            )
        try:
            zone_of(self.time_zone)
        except ValueError as error:
            raise InvalidReferenceError(str(error)) from None
        for day in self.holidays:
            try:
                date.fromisoformat(day)
            except ValueError:
                raise InvalidReferenceError(
                    f"holidays must be dates such as 2026-12-25; got {day!r}."
                ) from None

    @property
    def declared(self) -> bool:
        """Whether slots are to be used, and not only looked for."""
        return self.slots in ("auto", "hours")


class SeasonFit:
    """Cells of both passes. `add` times, `prepare`, `cells_of` times, `finish`.

    Attributes
    ----------
    why_not : str
        Why there are no cells; empty where there are.
    """

    def __init__(self, wanted: Seasons) -> None:
        self.wanted = wanted
        self._survey = CellSurvey(wanted.time_zone)
        self.cells: Cells | None = None
        self._rows = np.zeros(0, np.int64)
        self.why_not = ""

    def add(self, times_ms: Ints) -> None:
        """Times of a batch of the first pass."""
        if self.wanted.slots != "off":
            self._survey.add(times_ms)

    def prepare(self, pace: Pace | None, bins: int) -> int:
        """End the first pass: how many cells there are, 0 if seasons are not looked for."""
        if self.wanted.slots == "off":
            return 0
        if pace is None:
            self.why_not = "rows have no times"
        elif (cells := self._survey.cells(pace)) is None:
            self.why_not = f"rows span more than {MOST_CELLS:,} hours: give the last two years"
        elif cells.number.size * bins * 4 > _MOST_BYTES:
            self.why_not = (
                f"{cells.number.size:,} hours of {bins:,} bins do not fit in memory: give fewer "
                "columns, or less time"
            )
        elif np.unique(cells.hours // 24).size < LEAST_DAYS:
            self.why_not = f"rows are of fewer than {LEAST_DAYS} days"
        else:
            self.cells = cells
            self._rows = np.zeros(cells.number.size, np.int64)
        if self.why_not and self.wanted.declared:
            raise InvalidReferenceError(
                f"slots cannot be fitted: {self.why_not}. Leave --slots out."
            )
        return self._rows.size

    def cells_of(self, times_ms: Ints | None) -> npt.NDArray[np.int32]:
        """Cell of each row of a batch of the second pass; empty where there are none."""
        if self.cells is None or times_ms is None:
            return _NO_CELL
        found = self.cells.of(times_ms)
        self._rows += np.bincount(found[found >= 0], minlength=self._rows.size)
        return found

    def finish(
        self, signals: Sequence[SignalReference], tables: Sequence[npt.NDArray[np.int32]]
    ) -> Seasonal | None:
        """The slots; None where there are no cells, or too few days."""
        if self.cells is None:
            return None
        found = find_slots(
            signals,
            tables,
            self._rows,
            self.cells,
            holidays=self.wanted.holidays,
            day_types=self.wanted.slots != "hours",
            keep_days=self.wanted.keep_days,
            used=self.wanted.declared,
        )
        if found is None:
            self.why_not = f"rows are of fewer than {LEAST_DAYS} whole days"
            if self.wanted.declared:
                raise InvalidReferenceError(
                    f"slots cannot be fitted: {self.why_not}. Leave --slots out."
                )
        return found
