"""Lengths of time in words, and as a config writes them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["DAY_MS", "HOUR_MS", "MINUTE_MS", "WEEK_MS", "duration", "duration_ms", "short_duration"]

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
WEEK_MS: Final = 7 * DAY_MS
_UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_DURATION: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*(ms|s|m|h|d)")


def duration(ms: int) -> str:
    """A length of time in its two largest units: `2 d 3 h`, `20 min`, `10 s`."""
    seconds = max(0, ms) // 1000
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount} {unit}")
        if len(parts) == 2 or (parts and not amount):
            break
    return " ".join(parts) or "0 s"


def short_duration(ms: int) -> str:
    """As in a config: `25d`, `24h`, `250ms`.

    >>> short_duration(86_400_000)
    '24h'
    """
    for name in ("d", "h", "m"):
        unit = _UNITS_MS[name]
        if ms % unit == 0 and ms > unit:
            return f"{ms // unit}{name}"
    return f"{ms / 1000:g}s" if ms >= 1_000 or not ms else f"{ms}ms"


def duration_ms(text: str) -> int | None:
    """Milliseconds of "10s", "5m", "24h", "7d" or "250ms"; None if it is not a duration.

    >>> duration_ms("24h")
    86400000
    """
    found = _DURATION.fullmatch(text.strip())
    return round(float(found[1]) * _UNITS_MS[found[2]]) if found else None
