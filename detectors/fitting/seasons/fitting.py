"""Slots of a reference: found in its cells, with all that the tests need of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import SCORE_SCALE
from detectors.fitting.seasons.adding import added
from detectors.fitting.seasons.cells import Cells, hours_of_week
from detectors.fitting.seasons.merging import Summary, slots_of_week, summaries_of
from detectors.fitting.seasons.unlike import unlike_days
from detectors.fitting.seasons.variance import Batching, Residuals, with_slots
from detectors.references.calendar import HOURS, Calendar
from detectors.references.reference import SignalReference
from detectors.references.slots import slot_scores
from detectors.units import HOUR_MS

__all__ = ["LEAST_DAYS", "Seasonal", "find_slots"]

#: Fewer days cannot show what repeats from day to day.
LEAST_DAYS: Final = 4
#: Days that hold a smaller share of a usual day's rows are not counted: the first and the last.
_WHOLE_DAY: Final = 0.25
_EPOCH: Final = date(1970, 1, 1).toordinal()
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Table = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Seasonal:
    """Slots, the signals with their counts by slot, and what the slots explain.

    Attributes
    ----------
    signals : tuple of SignalReference
        Empty where seasons are only looked for; then `calendar` has no slopes.
    explained : dict
        Share of a signal's variance that lies between slots, by name.
    days : int
        Whole days of the reference.
    weekdays : frozenset of int
        Those that it has, 0 for Monday.
    left_out : dict of int to str
        Days since 1970 that were unlike the others and are not in the slots, with the signal that
        says so.
    """

    calendar: Calendar
    signals: tuple[SignalReference, ...]
    explained: dict[str, float]
    days: int
    weekdays: frozenset[int]
    left_out: Mapping[int, str] = field(default_factory=dict)

    def warnings(self) -> list[str]:
        """What was left out of the slots, and what to do if it should not have been."""
        if not self.left_out:
            return []
        days = [f"{_WEEKDAYS[(day + 3) % 7]} {_date_of(day)}" for day in self.left_out]
        names = ", ".join(map(repr, dict.fromkeys(self.left_out.values())))
        one = len(days) == 1
        return [
            f"{', '.join(days)}: unlike other days of {'its' if one else 'their'} weekday, by "
            f"{names}; left out of the slots, since {'it' if one else 'they'} would hide the next "
            "such day. Days like these will alarm: name those that are as Sundays (--holidays), "
            "or --keep-days if they are usual"
        ]


def _date_of(day: int) -> date:
    return date.fromordinal(_EPOCH + day)


def find_slots(
    signals: Sequence[SignalReference],
    tables: Sequence[Table],
    rows: Ints,
    cells: Cells,
    *,
    holidays: tuple[str, ...] = (),
    day_types: bool = True,
    keep_days: bool = False,
    used: bool = True,
) -> Seasonal | None:
    """The slots of a reference; None if it is of fewer than four days.

    Parameters
    ----------
    signals : sequence of SignalReference
        As fitted without slots.
    tables : sequence of int32[C, n_bins]
        Counts of each signal by cell.
    rows : int64[C]
        Of each cell.
    cells : Cells
        Which stretches of time they are.
    holidays : tuple of str
        Dates that are as Sundays.
    day_types : bool
        Whether days may differ: False for hours of the day alone.
    keep_days : bool
        Whether days that are unlike the others are in the slots, too.
    used : bool
        Whether signals are to have their counts by slot, or seasons are only looked for.
    """
    left_out: dict[int, str] = {}
    if used and not keep_days:
        left_out = unlike_days(signals, tables, cells.hours, holidays)
    if left_out:
        kept = ~np.isin(cells.hours // 24, list(left_out))
        tables, rows = [table[kept] for table in tables], rows[kept]
        cells = replace(cells, number=cells.number[kept])
    found = _slots_of_days(
        signals, tables, rows, cells, holidays=holidays, day_types=day_types, used=used
    )
    if found is None:
        return None
    dates = tuple(str(_date_of(day)) for day in left_out)
    return replace(found, calendar=replace(found.calendar, left_out=dates), left_out=left_out)


def _slots_of_days(
    signals: Sequence[SignalReference],
    tables: Sequence[Table],
    rows: Ints,
    cells: Cells,
    *,
    holidays: tuple[str, ...],
    day_types: bool,
    used: bool,
) -> Seasonal | None:
    """Of the days that are not left out."""
    hours = cells.hours
    of_day, rows_of_day = np.unique(hours // 24, return_counts=True)
    rows_of_day = np.bincount(np.searchsorted(of_day, hours // 24), rows)
    whole = of_day[rows_of_day >= _WHOLE_DAY * np.median(rows_of_day)]
    if whole.size < LEAST_DAYS:
        return None
    of_week = hours_of_week(hours, holidays)
    summaries = [
        (signal.name, summary)
        for signal, table in zip(signals, tables, strict=True)
        for summary in summaries_of(signal, table)
    ]
    by_hour = [summary for _, summary in summaries]
    if cells.ms < HOUR_MS:
        by_hour = [_by_hour(summary, hours) for summary in by_hour]
    week = slots_of_week(
        by_hour,
        hours_of_week(np.unique(hours), holidays),
        int(whole.size),
        day_types=day_types,
    )
    slot = week.slot[of_week]
    # An hour that only a few days had may have made a slot that no cell is in.
    there, slot = np.unique(slot, return_inverse=True)
    of_hour = np.searchsorted(there, week.slot)
    of_hour = np.minimum(of_hour, there.size - 1)
    residuals = Residuals(Batching.of(slot, hours // 24, rows))
    fitted = tuple(
        with_slots(signal, table, residuals, there.size)
        for signal, table in zip(signals, tables, strict=True)
        if used
    )
    calendar = Calendar(
        time_zone=cells.time_zone,
        slot=of_hour,
        slopes=_slopes(fitted, tables if used else (), cells, of_hour, of_week),
        holidays=holidays,
        days=max(2, round(residuals.day_worth) + 1),
        batches=max(2, round(residuals.short_worth) + 1),
        day_factor=residuals.day_factor,
        fullest_day=residuals.fullest_day,
        words=week.words,
    )
    explained = {signal.name: 0.0 for signal in signals}
    for name, summary in summaries:
        explained[name] = max(explained[name], _explained(summary, slot))
    weekdays = frozenset(((whole + 3) % 7).tolist())
    return Seasonal(calendar, fitted, explained, int(whole.size), weekdays)


def _by_hour(summary: Summary, hours: Ints) -> Summary:
    first = np.flatnonzero(np.diff(hours, prepend=hours[0] - 1))
    return Summary(np.add.reduceat(summary.sums, first), np.add.reduceat(summary.rows, first))


def _explained(summary: Summary, slot: Ints) -> float:
    """Share of the variance between slots, of the score that they explain best."""
    size = int(slot.max()) + 1
    sums, rows = (added(of, slot, size) for of in summary)
    between = (np.square(sums) / np.maximum(1.0, rows)[:, None]).sum(axis=0)
    return float(between.max() / max(1.0, rows.sum()))


def _slopes(
    signals: Sequence[SignalReference],
    tables: Sequence[Table],
    cells: Cells,
    of_hour: Ints,
    of_week: Ints,
) -> npt.NDArray[np.bool_]:
    """Whether the mean rank slopes or jumps at each border of hours; ten minutes must be known.

    Six cells within half an hour of the border decide, added up over equal pairs of slots.
    """
    if cells.ms >= HOUR_MS:
        return np.zeros(HOURS, np.bool_)
    size = int(of_hour.max()) + 1
    parts = HOUR_MS // cells.ms
    part = cells.number % parts
    gain = np.zeros((size, size))
    near = [(0, p, p) for p in range(parts // 2, parts)] + [
        (1, p, p + parts) for p in range(parts // 2)
    ]
    for signal, table in zip(signals, tables, strict=True):
        if signal.kind != "numeric" or signal.slots is None:
            continue
        values = signal.binning.missing
        x = slot_scores(signal.counts[:values]) / SCORE_SCALE
        held = signal.slots.counts[:, :values]
        mean = (held @ x) / np.maximum(1, held.sum(axis=1))
        sums, rows = np.zeros((HOURS, parts)), np.zeros((HOURS, parts))
        np.add.at(sums, (of_week, part), table[:, :values] @ x)
        np.add.at(rows, (of_week, part), table[:, :values].sum(axis=1))
        seen = sums / np.maximum(1.0, rows)
        for hour in range(HOURS):
            after = (hour + 1) % HOURS
            low, high = int(of_hour[hour]), int(of_hour[after])
            for later, p, at in near:
                where = after if later else hour
                weight = (at + 0.5) / parts - 0.5
                sloped = mean[low] * (1.0 - weight) + mean[high] * weight
                stepped = mean[high] if later else mean[low]
                apart = (seen[where, p] - stepped) ** 2 - (seen[where, p] - sloped) ** 2
                gain[low, high] += rows[where, p] * apart
    found: npt.NDArray[np.bool_] = gain[of_hour, np.roll(of_hour, -1)] > 0.0
    return found
