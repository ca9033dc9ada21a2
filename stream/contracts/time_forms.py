"""The forms in which a time is written, read one value at a time; in words: docs/events.md."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from typing import Final, TypeAlias

import msgspec

__all__ = ["ACCEPTED", "Time", "as_time"]

#: A time that was read: a number whose unit its size will give, or a moment (naive is UTC).
Time: TypeAlias = float | datetime

ACCEPTED: Final = (
    "Use RFC 3339 (2026-03-01T12:00:00Z), a date (2026-03-01 or 20260301), or a number since the "
    "epoch (seconds to nanoseconds)."
)
#: One way to match each text, so that a long one costs no more than its length.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FORM: Final = re.compile(
    r"(?P<year>[0-9]{4})(-?)(?P<month>[0-9]{2})\2(?P<day>[0-9]{2})(?:[Tt ](?P<hour>[0-9]{2})"
    r"(?:(:?)(?P<minute>[0-9]{2})(?:\6(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?)?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[0-9]{2})(?::?(?P<minutes>[0-5][0-9]))?)?)?"
)
_PARTS: Final = ("year", "month", "day", "hour", "minute", "second", "hours", "minutes")


def as_time(value: object) -> Time | None:
    """A value of an event or a file as a time, None if it is none.

    >>> as_time("2026-03-01T12:00:00+01")
    datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone(datetime.timedelta(seconds=3600)))
    """
    if isinstance(value, str):
        return _text_time(value)
    if isinstance(value, datetime):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _text_time(text: str) -> Time | None:
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        pass
    text = text.strip(" \t\r\n")
    if _NUMBER.fullmatch(text):
        return as_time(float(text))
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    part = {name: int(found[name] or 0) for name in _PARTS}
    ahead = timedelta(hours=part.pop("hours"), minutes=part.pop("minutes"))
    try:
        zone = timezone(-ahead if found["sign"] == "-" else ahead)
        moment = datetime(**part, tzinfo=zone)
        return moment + timedelta(microseconds=_microseconds(found["fraction"] or ""))
    except (ValueError, OverflowError):
        return None


def _microseconds(digits: str) -> int:
    """Of a fraction of a second, the seventh digit rounded."""
    return int(digits[:6].ljust(6, "0")) + (digits[6:7] >= "5")
