"""`[[silences]]` of the config: when nobody is to be notified."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from stream.alerts.silences import Silence
from stream.config.toml_table import Table
from stream.contracts.alert_event import CONCEPT_DRIFT_NOTE, KINDS, SEVERITIES

__all__ = ["read_silences", "silence_notes"]

_KEYS: Final = (
    "models", "kinds", "max_severity", "start", "end", "weekly", "timezone", "reason",
)  # fmt: skip
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MOMENT: Final = r"(mon|tue|wed|thu|fri|sat|sun)\s+([01]\d|2[0-3]):([0-5]\d)"
_WEEKLY: Final = re.compile(rf"{_MOMENT}\s*-\s*{_MOMENT}", re.IGNORECASE)


def read_silences(top: Table) -> tuple[Silence, ...]:
    """Read every `[[silences]]`.

    Raises
    ------
    ConfigError
        On the first mistake.
    """
    return tuple(_read(table) for table in top.tables("silences", _KEYS))


def silence_notes(silences: Iterable[Silence]) -> list[str]:
    """What of silences may be meant otherwise than it is understood.

    A silence names no signal, so whether it means the kind of before `label_drift` is not known.
    """
    if not any("concept_drift" in s.kinds and "label_drift" not in s.kinds for s in silences):
        return []
    return [
        f"[[silences]] of kind concept_drift: {CONCEPT_DRIFT_NOTE}. Name what is meant, or both."
    ]


def _read(table: Table) -> Silence:
    values = table.values
    weekly = _weekly(table) if "weekly" in values else None
    start_ms = end_ms = 0
    if weekly is None:
        start_ms, end_ms = _time(table, "start"), _time(table, "end")
        if end_ms <= start_ms:
            raise table.error("end", f"must be after start; got {values['end']!r}.")
    elif values.keys() & {"start", "end"}:
        raise table.error("weekly", "and start or end are both there. Keep one.")
    return Silence(
        models=table.texts("models"),
        kinds=table.texts("kinds", KINDS),
        max_severity=table.choice("max_severity", "critical", SEVERITIES),
        start_ms=start_ms,
        end_ms=end_ms,
        weekly=weekly,
        zone=_zone(table),
        reason=table.text("reason", ""),
    )


def _weekly(table: Table) -> tuple[int, int]:
    text = table.text("weekly")
    found = _WEEKLY.fullmatch(text.strip())
    if found is None:
        raise table.error("weekly", f'must be as in "Sat 22:00 - Sun 04:00"; got {text!r}.')
    minutes = [
        _DAYS.index(found[at].lower()) * 1_440 + int(found[at + 1]) * 60 + int(found[at + 2])
        for at in (1, 4)
    ]
    return minutes[0], minutes[1]


def _time(table: Table, key: str) -> int:
    value = table.values.get(key)
    if value is None:
        raise table.error(key, "is missing. Give start and end, or weekly.")
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(table.text(key))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise table.error(
            key, f'must be a time with its zone, as in "2026-03-01T22:00:00Z"; got {value!r}.'
        )
    return round(time.timestamp() * 1000)


def _zone(table: Table) -> tzinfo:
    name = table.text("timezone", "UTC", non_empty=True)
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise table.error(
            "timezone",
            f'must be a name such as "Europe/Berlin" that this machine knows; got {name!r}. '
            "Correct it, install tzdata, or leave it out for UTC.",
        ) from error
