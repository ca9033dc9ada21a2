"""Which slot of the week a moment of event time belongs to, by the clock of its place.

A season follows local time: a shop opens at nine also after the clocks changed. So hours are those
of an IANA zone, never of a fixed offset. Hour 0 of the week is Monday, 0:00.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from detectors.references.json_reader import Place
from detectors.units import DAY_MS, HOUR_MS

__all__ = [
    "DAYS_TOLD", "HOURS", "STEPS", "Calendar", "Mixture", "SlotPlace",
    "local_times", "zone_of",
]  # fmt: skip

#: Of a week.
HOURS: Final = 168
#: Parts of an hour that a slope between two slots knows.
STEPS: Final = 64
#: Days of a window that are told apart; of a longer one some share a place.
DAYS_TOLD: Final = 32
_QUARTER_MS: Final = 900_000
_SUNDAY: Final = 6
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def zone_of(name: str) -> ZoneInfo:
    """The IANA zone of this name; raises ValueError that says what to do."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(
            f"time_zone must be a name of the IANA time zone database, such as Europe/Berlin or "
            f"UTC; got {name!r}. If the name is right, this machine has no such database: install "
            "tzdata."
        ) from None


@lru_cache(maxsize=65_536)
def _offset_ms(name: str, quarter: int) -> int:
    """What local time is ahead of UTC in a quarter of an hour."""
    if name == "UTC":
        return 0
    try:
        moment = _EPOCH + timedelta(milliseconds=quarter * _QUARTER_MS)
    except OverflowError:  # no calendar reaches there
        return 0
    offset = moment.astimezone(zone_of(name)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds() * 1000)


def local_times(times_ms: Ints, time_zone: str) -> Ints:
    """Times by the clock of the zone, in milliseconds since its 1970."""
    if time_zone == "UTC":
        return times_ms
    quarters, inverse = np.unique(times_ms // _QUARTER_MS, return_inverse=True)
    offsets = [_offset_ms(time_zone, quarter) for quarter in quarters.tolist()]
    return times_ms + np.array(offsets, np.int64)[inverse]


class SlotPlace(NamedTuple):
    """A slot, and where the season slopes a second one with its part in 64ths."""

    slot: int
    other: int
    part: int


class Mixture(NamedTuple):
    """Which slots a window's events are of: shares [K], and the sum of its days' squared shares."""

    shares: Floats
    days: float


@dataclass(frozen=True, eq=False)
class Calendar:
    """Slots of a week, and what the reference's days say of how days differ.

    Attributes
    ----------
    slot : int64[168]
        Of each hour of the week.
    slopes : bool[168]
        Whether the season changes evenly from an hour to the next, and not at once.
    holidays : tuple of str
        Dates that are as Sundays.
    left_out : tuple of str
        Dates of the reference that were unlike its other days: the slots know nothing of them.
    days, batches : int
        How many independent days and short batches the variances are worth.
    day_factor : float
        Variance of a day's level for each unit by which days vary more than short batches.
    fullest_day : float
        Largest share of a slot's rows that are of one day.
    """

    time_zone: str
    slot: Ints
    slopes: npt.NDArray[np.bool_]
    holidays: tuple[str, ...] = ()
    days: int = 2
    batches: int = 2
    day_factor: float = 0.0
    fullest_day: float = 0.0
    words: str = ""
    left_out: tuple[str, ...] = ()
    _slot_list: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_slot_list", self.slot.tolist())

    @property
    def slots(self) -> int:
        """How many."""
        return int(self.slot.max()) + 1

    @property
    def tail(self) -> int:
        """Length of what `told` gives."""
        return self.slots + DAYS_TOLD

    @cached_property
    def _free(self) -> frozenset[int]:
        return frozenset((date.fromisoformat(d) - date(1970, 1, 1)).days for d in self.holidays)

    @cached_property
    def longest_pane_ms(self) -> int:
        """An hour, or a part of it where the clock of the zone is not whole hours off UTC."""
        of_2025 = [_offset_ms(self.time_zone, q) for q in range(1_928_448, 1_928_448 + 35_040, 96)]
        return HOUR_MS if not any(o % HOUR_MS for o in of_2025) else 600_000

    def fits(self, pane_ms: int) -> bool:
        """Whether panes are of one slot each."""
        if pane_ms <= HOUR_MS:
            return pane_ms <= self.longest_pane_ms and self.longest_pane_ms % pane_ms == 0
        whole_days = (self.slot.reshape(7, 24) == self.slot[::24, None]).all()
        return pane_ms == DAY_MS and self.time_zone == "UTC" and bool(whole_days)

    def hour_of_week(self, hour: int) -> int:
        """Of a local hour since 1970; those of holidays are Sunday's."""
        day = hour // 24
        weekday = _SUNDAY if day in self._free else (day + 3) % 7
        return weekday * 24 + hour % 24

    def local_ms(self, time_ms: int) -> int:
        """By the clock of the zone.

        Raises
        ------
        ValueError
            If this machine does not know the time zone.
        """
        return time_ms + _offset_ms(self.time_zone, time_ms // _QUARTER_MS)

    def place(self, start_ms: int, pane_ms: int) -> SlotPlace:
        """Where a pane belongs that begins at this time.

        Raises
        ------
        ValueError
            If this machine does not know the time zone.
        """
        middle = self.local_ms(start_ms) + pane_ms // 2
        hour = middle // HOUR_MS
        of_week = self.hour_of_week(hour)
        slot = self._slot_list[of_week]
        if pane_ms >= HOUR_MS:
            return SlotPlace(slot, slot, 0)
        apart = (middle % HOUR_MS) / HOUR_MS - 0.5
        near = self.hour_of_week(hour + (1 if apart > 0.0 else -1))
        if not self.slopes[of_week if apart > 0.0 else near]:
            return SlotPlace(slot, slot, 0)
        other = self._slot_list[near]
        return SlotPlace(slot, other, 0 if other == slot else round(abs(apart) * STEPS))

    def told(self, place: SlotPlace, start_ms: int, events: int) -> Ints:
        """A pane's events by slot, in 64ths, then by day: they add up as counts do.

        Raises
        ------
        ValueError
            If this machine does not know the time zone.
        """
        out = np.zeros(self.tail, np.int64)
        out[place.slot] += events * (STEPS - place.part)
        out[place.other] += events * place.part
        out[self.slots + self.local_ms(start_ms) // DAY_MS % DAYS_TOLD] = events
        return out

    def place_of(self, told: Ints) -> SlotPlace:
        """Of a single pane with at least one event, from what was told of it."""
        slots = np.flatnonzero(told[: self.slots]).tolist()
        if len(slots) == 1:
            return SlotPlace(slots[0], slots[0], 0)
        slot, other = slots
        events = int(told[self.slots :].sum())
        return SlotPlace(slot, other, int(told[other]) // events)

    def mixture(self, told: Ints) -> Mixture:
        """Of added up panes with at least one event."""
        slots, days = told[: self.slots], told[self.slots :]
        return Mixture(slots / slots.sum(), float(np.square(days / days.sum()).sum()))

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "time_zone": self.time_zone,
            "slot_of_hour": self._slot_list,
            "slopes": np.flatnonzero(self.slopes).tolist(),
            "holidays": list(self.holidays),
            "days": self.days,
            "batches": self.batches,
            "day_factor": self.day_factor,
            "fullest_day": self.fullest_day,
            "words": self.words,
            **({"left_out": list(self.left_out)} if self.left_out else {}),
        }

    @classmethod
    def read(cls, place: Place) -> Calendar:
        """From the document at a place, checked."""
        slot = place["slot_of_hour"].integers(length=HOURS, minimum=0)
        if np.unique(slot).size != slot.max() + 1:
            place["slot_of_hour"].fail("must number slots from 0 without a gap")
        sloping = place["slopes"].integers(minimum=0)
        if sloping.size and sloping.max() >= HOURS:
            place["slopes"].fail(f"must be hours of the week, 0 to {HOURS - 1}")
        time_zone = place["time_zone"].text(non_empty=True)
        try:
            zone_of(time_zone)
        except ValueError as error:
            place.fail(str(error), of_member=True)
        return cls(
            time_zone=time_zone,
            slot=slot,
            slopes=np.isin(np.arange(HOURS), sloping),
            holidays=_dates(place["holidays"]),
            left_out=_dates(place["left_out"]) if "left_out" in place.names() else (),
            days=place["days"].integer(minimum=2),
            batches=place["batches"].integer(minimum=2),
            day_factor=place["day_factor"].number(minimum=0.0),
            fullest_day=place["fullest_day"].number(minimum=0.0),
            words=place["words"].text(),
        )


def _dates(place: Place) -> tuple[str, ...]:
    """A list of days, checked."""
    found = []
    for item in place.items():
        found.append(item.text())
        try:
            date.fromisoformat(found[-1])
        except ValueError:
            item.fail(f"must be a date such as 2026-12-25; got {found[-1]!r}")
    return tuple(found)
