"""When an episode that has nothing new to say is published again: ever more seldom."""

from __future__ import annotations

from typing import Final

from stream.text.durations import DAY_MS

__all__ = ["reminder_ms"]

#: After so many days, and then after every so many as the last.
_DAYS: Final = (1, 2, 4, 8)


def reminder_ms(opened_ms: int, published_ms: int) -> int:
    """Event time of the next reminder of an episode.

    It is 1, 2, 4, 8, 16, 24, ... days after the episode opened, and half a day or more after it was
    last published.
    """
    days = -(-(published_ms - opened_ms + DAY_MS // 2) // DAY_MS)
    longest = _DAYS[-1]
    if days > longest:
        days = -(-days // longest) * longest
    else:
        days = next(day for day in _DAYS if day >= days)
    return opened_ms + days * DAY_MS
