"""What is a time, for events, batches, Arrow and files: which number is which moment.

Texts become numbers or moments in `stream.contracts.time_forms`, without numpy, for those who only
send. A time is read to the microsecond and counted in whole milliseconds, halves rounded up. In
words it is in docs/events.md; `stream.decode.arrow_times` does the same for whole Arrow columns.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from stream.contracts.time_forms import ACCEPTED, Time, as_time

__all__ = [
    "ACCEPTED",
    "END_MS",
    "MIN_NUMBER_MS",
    "Floats",
    "Time",
    "as_time",
    "misread",
    "numbers_ms",
    "time_text",
    "times_ms",
    "whole_ms",
]

Floats: TypeAlias = npt.NDArray[np.float64]
#: 2200-01-01: what is later is a placeholder or a mistake of units, never the time of an event.
END_MS: Final = 7_258_118_400_000
#: Sizes from which a number is of milliseconds, microseconds, nanoseconds; below them of seconds.
_BOUNDS: Final = (1e11, 1e14, 1e17)
_MICROSECONDS: Final = np.array([1e6, 1e3, 1.0, 1e-3])
#: The year 9999, which stands for "none", in seconds. As a number of a smaller unit it would pass
#: for one of January 1978 in the next larger one.
_NO_TIME: Final = (253_370_764_800.0, 253_402_300_800.0)
#: Whole numbers in this range are dates. As seconds they would be of August 1970.
_FIRST_DATE, _LAST_DATE = 19_700_101, 21_991_231
#: 1990-01-01. A smaller number in a file is another thing: 202601, 202601011200, a day, a row.
MIN_NUMBER_MS: Final = 631_152_000_000
#: Whole numbers such as 2026010112 in this range may be dates with an hour.
_FIRST_HOUR, _LAST_HOUR = _FIRST_DATE * 100, _LAST_DATE * 100 + 23
_zone_of: Final = attrgetter("tzinfo")


def times_ms(times: Sequence[Time]) -> Floats:
    """Whole milliseconds of times; NaN where eight digits are no date. They may be absurd."""
    try:
        with_zone = all(map(_zone_of, times))
    except AttributeError:  # a number
        with_zone = False
    if with_zone:
        return _moments_ms(times)
    try:
        return numbers_ms(np.array(times, np.float64))
    except TypeError:  # some are datetimes
        pass
    ms = np.empty(len(times))
    moment = np.array([isinstance(time, datetime) for time in times])
    zoned = [t if t.tzinfo else t.replace(tzinfo=UTC) for t in times if isinstance(t, datetime)]
    ms[moment] = _moments_ms(zoned)
    ms[~moment] = numbers_ms(np.array([t for t in times if not isinstance(t, datetime)], float))
    return ms


def _moments_ms(times: Sequence[Any]) -> Floats:
    return whole_ms(np.fromiter(map(datetime.timestamp, times), np.float64, len(times)) * 1e6)


def numbers_ms(values: Floats) -> Floats:
    """Whole milliseconds of numbers, which are seconds to nanoseconds by their size, or dates."""
    if values.size and (least := values.min()) > _LAST_DATE:  # neither dates nor NaN
        unit = bisect_right(_BOUNDS, least)
        if unit == bisect_right(_BOUNDS, values.max()):
            ms = whole_ms(values * _MICROSECONDS[unit])
            return ms if not unit or ms.min() >= _NO_TIME[1] else _without_year_9999(ms)
    units = np.searchsorted(_BOUNDS, np.abs(values), side="right")
    us = values * _MICROSECONDS[units]
    dates = _are_dates(values)
    if dates.any():
        us[dates] = _dates_us(values[dates].astype(np.int64))
    ms = whole_ms(us)
    return np.where(units > 0, _without_year_9999(ms), ms)


def _without_year_9999(ms: Floats) -> Floats:
    """Times that a number larger than seconds was read as; those of the year 9999 late again."""
    return np.where((ms >= _NO_TIME[0]) & (ms < _NO_TIME[1]), ms * 1e3, ms)


def _are_dates(values: Floats) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (
        (values >= _FIRST_DATE) & (values <= _LAST_DATE) & (values == np.floor(values))
    )
    return found


def _dates_us(values: npt.NDArray[np.int64]) -> Floats:
    """Microseconds of dates as numbers, such as 20260301; NaN where there is no such day."""
    distinct, place = np.unique(values, return_inverse=True)
    found = np.full(distinct.size, np.nan)
    for i, date in enumerate(distinct.tolist()):
        try:
            moment = datetime(date // 10_000, date // 100 % 100, date % 100, tzinfo=UTC)
        except ValueError:
            continue
        found[i] = moment.timestamp() * 1e6
    return found[place]


def whole_ms(us: Floats) -> Floats:
    """Microseconds to whole milliseconds, halves up; still float because they may be absurd."""
    ms: Floats = np.floor(np.rint(us) / 1000.0 + 0.5)
    return ms


def misread(values: Floats) -> npt.NDArray[np.bool_]:
    """Which numbers of a file are no time since the epoch: of before 1990, or dates with an hour.

    Zero stays: it is the default time of many programs, and so a time that says nothing. That all
    of many seconds look like YYYYMMDDHH by chance does not happen: one in a hundred does.
    """
    some = (values != 0) & ~_are_dates(values)
    wrong: npt.NDArray[np.bool_] = some & (np.abs(numbers_ms(values)) < MIN_NUMBER_MS)
    return some if some.any() and _are_hours(values[some]) else wrong


def _are_hours(values: Floats) -> bool:
    """Whether all numbers are YYYYMMDDHH, such as 2026010112."""
    if values.min() < _FIRST_HOUR or values.max() > _LAST_HOUR:
        return False
    hour, day, month = values % 100, values // 100 % 100, values // 10_000 % 100
    whole = (values % 1 == 0) & (hour < 24)
    return bool((whole & (day >= 1) & (day <= 31) & (month >= 1) & (month <= 12)).all())


def time_text(ms: float) -> str:
    """A time for people, also where it is beyond the years that datetime has."""
    if not -62_135_596_800_000 <= ms < 253_402_300_800_000:
        return "a time beyond the year 9999" if ms > 0 else "a time before the year 1"
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return moment.isoformat(sep=" ", timespec="seconds")[:19]
