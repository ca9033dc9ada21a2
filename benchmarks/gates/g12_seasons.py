"""Gate 12: streams with seasons keep to the budget and show small changes.

Each subject has a reference with slots of its own, of the weeks before; panes and windows are those
that `fit` proposes. The same streams with a change stand beside those without one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.gates.fitted import run_fitted
from benchmarks.gates.measured import Measured, mean_of, median_of, rate_of
from benchmarks.gates.seasonal_streams import (
    DAY_MS,
    HOLIDAYS,
    HOUR_MS,
    START_DAY,
    WEEK_MS,
    Column,
    Draw,
    Ints,
    Moved,
    Rate,
    arrivals,
    at_night,
    by_day,
    daily,
    evenly,
    flat,
    half_missing,
    hours_later,
    like_sunday,
    missing_by_hour,
    names_by_hour,
    of_season,
    office,
    one_day,
    step,
    twice_at_weekends,
    with_holidays,
    with_one_holiday,
)
from detectors import Seasons

__all__ = ["CHANGES", "NULLS", "change", "null", "run"]

START_MS = (START_DAY - date(1970, 1, 1)).days * DAY_MS
#: Three weeks before the clocks of Berlin change, so that four weeks of reference hold one of it.
SPRING_MS = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True)
class Null:
    """A stream with a season in which nothing changes."""

    draw: Draw
    weeks: float = 4
    rate: Rate = evenly
    rate_later: Rate | None = None
    a_minute: float = 1.0
    signals: int = 2
    #: By the clock of this zone; the season is drawn by it, too.
    zone: str = "UTC"
    start_ms: int = START_MS
    #: Named to `fit`.
    holidays: tuple[str, ...] = ()
    #: Weeks that are watched.
    watched: float = 8
    most_in_alarm: float = 0.10


_SINE = of_season(daily)

NULLS: dict[str, Null] = {
    "sine": Null(_SINE),
    "sine, 1 week of reference": Null(_SINE, weeks=1),
    "weekend twice + sine": Null(of_season(twice_at_weekends)),
    "sine, more events by day": Null(_SINE, rate=by_day),
    "sine, day levels sd .1": Null(of_season(daily, 0.1)),
    "sine, day levels sd .2": Null(of_season(daily, 0.2)),
    "day levels sd .2 alone": Null(of_season(flat, 0.2)),
    "2 an hour, day levels sd .5": Null(
        of_season(daily, 0.5), a_minute=1 / 30, weeks=8, watched=26
    ),
    "holidays that are named": Null(of_season(with_holidays), holidays=HOLIDAYS),
    "a holiday in the reference": Null(of_season(with_one_holiday)),
    "names by hour": Null(names_by_hour),
    "missing by hour and day": Null(missing_by_hour),
    "traffic moves to the day": Null(_SINE, rate_later=by_day),
    "clocks change": Null(_SINE, zone="Europe/Berlin", start_ms=SPRING_MS, weeks=3),
    "10 a minute, slopes": Null(_SINE, a_minute=10.0, weeks=2, watched=2),
    "300 a minute, slopes": Null(_SINE, a_minute=300.0, signals=1, weeks=1, watched=0.3),
    "300 a minute, office hours": Null(
        of_season(office), a_minute=300.0, signals=1, weeks=1, watched=0.3
    ),
}


@dataclass(frozen=True)
class Change:
    """The first signal of a null changes a week after its reference; found within so many hours."""

    of: str
    moved: Moved
    most: float | None
    weeks: float | None = None
    begins_ms: int = 0
    watched: float = 3


_NINE = 9 * HOUR_MS
_TEN_PM = 22 * HOUR_MS

CHANGES: dict[str, Change] = {
    "sine, +.5 sd": Change("sine", step(0.5), 6.0),
    "sine, +.25 sd": Change("sine", step(0.25), 16.0),
    "sine, +.5 sd at night": Change("sine", at_night(0.5), 8.0, begins_ms=_TEN_PM),
    "sine, +1 sd from Monday 9:00": Change("sine", step(1.0), 2.0, begins_ms=_NINE),
    "sine, 1 week of reference, +.5 sd": Change("sine", step(0.5), 8.0, weeks=1),
    "weekend twice + sine, +.5 sd": Change("weekend twice + sine", step(0.5), 8.0),
    "sine, day levels sd .1, +.5 sd": Change("sine, day levels sd .1", step(0.5), None),
    "sine, day levels sd .1, +1 sd at night": Change(
        "sine, day levels sd .1", at_night(1.0), 8.0, begins_ms=_TEN_PM
    ),
    "sine, day levels sd .1, one day +1 sd": Change("sine, day levels sd .1", one_day(1.0), 26.0),
    "2 an hour, day levels sd .5, one day +3 sd": Change(
        "2 an hour, day levels sd .5", one_day(3.0), 26.0
    ),
    "a holiday that nobody named": Change(
        "weekend twice + sine", like_sunday, 26.0, begins_ms=2 * DAY_MS
    ),
    "a holiday in the reference, +.5 sd": Change("a holiday in the reference", step(0.5), 8.0),
    "sine, day levels sd .2, +1 sd": Change("sine, day levels sd .2", step(1.0), None),
    "names by hour, others": Change("names by hour", hours_later, 24.0),
    "missing by hour and day, a tenth more": Change("missing by hour and day", half_missing, None),
    "300 a minute, slopes, +.25 sd": Change("300 a minute, slopes", step(0.25), 2.0, watched=0.2),
}


def _drawn(
    of: Null, rng: np.random.Generator, weeks: float, watched: float
) -> tuple[Ints, dict[str, Column], int]:
    """Times in UTC, columns, and where the reference ends."""
    begin = of.start_ms
    middle, end = begin + int(weeks * WEEK_MS), begin + int((weeks + watched) * WEEK_MS)
    times = np.concatenate(
        [
            arrivals(rng, begin, middle, of.a_minute, of.rate),
            arrivals(rng, middle, end, of.a_minute, of.rate_later or of.rate),
        ]
    )
    local = times
    if of.zone != "UTC":
        hours, inverse = np.unique(times // HOUR_MS, return_inverse=True)
        zone = ZoneInfo(of.zone)
        ahead = [
            datetime.fromtimestamp(h * 3_600, zone).utcoffset().total_seconds()  # type: ignore[union-attr]
            for h in hours.tolist()
        ]
        local = times + (1_000 * np.array(ahead, np.int64))[inverse]
    columns = {f"s{i}": of.draw(rng, local) for i in range(of.signals)}
    return times, columns, int(np.searchsorted(times, middle))


def null(name: str, *, subjects: int = 10, seed: int = 120) -> list[Measured]:
    """Episodes a week and share of panes in alarm where nothing changes."""
    of = NULLS[name]
    opened, share, causes, slots = np.zeros(subjects, np.int64), np.zeros(subjects), Counter(), []
    for k in range(subjects):
        rng = np.random.default_rng([seed, sum(map(ord, name)), k])
        times, columns, cut = _drawn(of, rng, of.weeks, of.watched)
        reference, run, _ = run_fitted(columns, times, cut, Seasons("auto", of.zone, of.holidays))
        assert reference.calendar is not None
        slots.append(reference.calendar.slots)
        opened[k], share[k] = run.opened, run.in_alarm / run.panes
        causes += run.first_findings
    by = ", ".join(f"{test} {count}" for test, count in causes.most_common(3)) or "none"
    note = (
        f"{opened.sum()} in {subjects * of.watched:g} weeks of {subjects} references of "
        f"{of.weeks:g} weeks (worst {opened.max()}; {by}); {of.signals} signals, "
        f"{of.a_minute:g} events/min; {min(slots)} to {max(slots)} slots"
    )
    return [
        Measured(
            f"{name}: episodes a week, F = 1",
            *rate_of(opened, of.watched),
            most=1.0,
            note=note,
            by_bound=subjects * of.watched >= 40,
        ),
        Measured(f"{name}: share of panes in alarm", *mean_of(share), most=of.most_in_alarm),
    ]


def change(name: str, *, runs: int = 10, seed: int = 121) -> Measured:
    """Hours from a change of the first signal to its episode."""
    of = CHANGES[name]
    stream = NULLS[of.of]
    weeks = of.weeks or stream.weeks
    quiet = min(1.0, of.watched / 3.0)
    delays, early = np.full(runs, np.inf), 0
    for k in range(runs):
        rng = np.random.default_rng([seed, sum(map(ord, name)), k])
        times, columns, cut = _drawn(stream, rng, weeks, quiet + of.watched)
        at = stream.start_ms + int((weeks + quiet) * WEEK_MS) + of.begins_ms
        columns["s0"] = of.moved(columns["s0"], times, at)
        _, run, _ = run_fitted(columns, times, cut, Seasons("auto", stream.zone, stream.holidays))
        opened = np.array(run.opened_ms, np.float64) - at
        early += int((opened <= 0).sum())
        delays[k] = opened[opened > 0].min(initial=np.inf) / HOUR_MS
    missed = int(np.isinf(delays).sum())
    note = (
        f"{runs} references of {weeks:g} weeks; {missed} missed in {of.watched:g} weeks, "
        f"{early} before"
    )
    return Measured(f"{name}: hours until found", *median_of(delays), most=of.most, note=note)


def run(
    subjects: int = 10,
    nulls: tuple[str, ...] = tuple(NULLS),
    changes: tuple[str, ...] = tuple(CHANGES),
) -> list[Measured]:
    """Every null, then what must be found."""
    rows = [row for name in nulls for row in null(name, subjects=subjects)]
    return rows + [change(name, runs=subjects) for name in changes]
