"""How long an episode waits: before it ends, and before it is published without news.

A drift that is small beside what a window shows, or that comes and goes, is found again and again.
An alert for each is a flood, so an episode that opens soon after another waits twice as long as
that one did. One that opens after a long quiet is a new matter. An episode without news is
published again ever more seldom.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.text.durations import DAY_MS

__all__ = ["FEWEST_LOOKS", "MAX_LOOKS", "Rest", "looks_after", "reminder_ms"]

#: Looks in a row without a finding after which a signal leaves: at each window that closes, and
#: where half of it is full. False alarms of slow streams would last for weeks otherwise.
FEWEST_LOOKS: Final = 2
MAX_LOOKS: Final = 16
#: Soon is within so many times as long as the last episode lasted.
_SOON: Final = 4
#: Days from the opening to each reminder; the last is also the interval of all that follow.
_REMINDER_DAYS: Final = (1, 2, 4, 8)


class Rest(msgspec.Struct, frozen=True, array_like=True):
    """The last episode of a kind: when it ended, how long it lasted, how many looks it waited."""

    ended_ms: int
    lasted_ms: int
    looks: int


def looks_after(last: Rest | None, opened_ms: int) -> int:
    """Looks that an episode waits that opens now."""
    if last is None or opened_ms - last.ended_ms > _SOON * last.lasted_ms:
        return FEWEST_LOOKS
    return min(2 * last.looks, MAX_LOOKS)


def reminder_ms(opened_ms: int, published_ms: int) -> int:
    """Event time of the next reminder of an episode.

    It is 1, 2, 4, 8, 16, 24, ... days after the episode opened, and half a day or more after it was
    last published.
    """
    days = -(-(published_ms - opened_ms + DAY_MS // 2) // DAY_MS)
    longest = _REMINDER_DAYS[-1]
    if days > longest:
        days = -(-days // longest) * longest
    else:
        days = next(day for day in _REMINDER_DAYS if day >= days)
    return opened_ms + days * DAY_MS
