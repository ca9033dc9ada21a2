"""When nobody is to be told: acknowledged episodes, and `[[silences]]` of the config.

Silence is the bridge's alone. Alerts stay on their topic as they are, so the history is honest, and
what still fires when a silence ends is told then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from stream.alerts.acks import Ack
from stream.alerts.event import AlertEvent
from stream.config.toml_table import Table
from stream.notify.targets import SEVERITY_ORDER

__all__ = ["Quiet", "Silence", "read_silences"]

_KEYS: Final = (
    "models", "kinds", "max_severity", "start", "end", "weekly", "timezone", "reason",
)  # fmt: skip
_KINDS: Final = (
    "data_drift", "prediction_drift", "concept_drift", "performance", "data_quality", "system",
)  # fmt: skip
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MOMENT: Final = r"(mon|tue|wed|thu|fri|sat|sun)\s+([01]\d|2[0-3]):([0-5]\d)"
_WEEKLY: Final = re.compile(rf"{_MOMENT}\s*-\s*{_MOMENT}", re.IGNORECASE)
_MINUTE_MS: Final = 60_000
_WEEK_MINUTES: Final = 7 * 1_440
#: An ack is forgotten when so many came after it.
_MOST_ACKS: Final = 10_000


@dataclass(frozen=True)
class Silence:
    """A time in which alerts that match are not told: maintenance, or a known event every week.

    Attributes
    ----------
    models, kinds : tuple of str
        Only alerts of these; empty for all.
    max_severity : str
        What is more severe than this is told all the same.
    start_ms, end_ms : int
        Once: milliseconds since the epoch.
    weekly : (int, int) or None
        Every week instead: minutes since Monday 0:00 in `zone`.
    """

    models: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    max_severity: str = "critical"
    start_ms: int = 0
    end_ms: int = 0
    weekly: tuple[int, int] | None = None
    zone: tzinfo = UTC
    reason: str = ""

    def until(self, alert: AlertEvent, now_ms: int) -> int | None:
        """When this silence over an alert ends; None if there is none now."""
        labels = alert.data.labels
        covered = self.covers(labels.model, labels.kind, alert.data.severity)
        return self.ends_ms(now_ms) if covered else None

    def covers(self, model: str, kind: str, severity: str) -> bool:
        """Whether it is of such alerts."""
        return (
            (not self.models or model in self.models)
            and (not self.kinds or kind in self.kinds)
            and SEVERITY_ORDER.index(severity) <= SEVERITY_ORDER.index(self.max_severity)
        )

    def ends_ms(self, now_ms: int) -> int | None:
        """When it ends; None if it does not hold now."""
        if self.weekly is None:
            return self.end_ms if self.start_ms <= now_ms < self.end_ms else None
        here = datetime.fromtimestamp(now_ms / 1000, self.zone)
        minute = here.weekday() * 1_440 + here.hour * 60 + here.minute
        start, end = self.weekly
        length = (end - start) % _WEEK_MINUTES or _WEEK_MINUTES
        passed = (minute - start) % _WEEK_MINUTES
        if passed >= length:
            return None
        return now_ms - now_ms % _MINUTE_MS + (length - passed) * _MINUTE_MS


class Quiet:
    """Silences and acks together."""

    def __init__(self, silences: Sequence[Silence] = ()) -> None:
        self._silences = tuple(silences)
        self._acks: dict[str, Ack] = {}

    def note(self, ack: Ack) -> None:
        """Take an ack in; the last one of an episode counts."""
        self._acks.pop(ack.data.episode, None)
        self._acks[ack.data.episode] = ack
        if len(self._acks) > _MOST_ACKS:
            del self._acks[next(iter(self._acks))]

    def until(self, alert: AlertEvent, now_ms: int) -> int | None:
        """Until when nobody is to be told of an alert; None if it may be told now."""
        ends = [end for s in self._silences if (end := s.until(alert, now_ms)) is not None]
        ack = self._acks.get(alert.data.episode)
        if ack is not None and now_ms < ack.until_ms:
            ends.append(ack.until_ms)
        return max(ends, default=None)

    def reason(self, alert: AlertEvent, now_ms: int) -> str:
        """Why, in words."""
        ack = self._acks.get(alert.data.episode)
        if ack is not None and now_ms < ack.until_ms:
            by = f" by {ack.data.by}" if ack.data.by else ""
            return f"acknowledged{by}" + (f": {ack.data.note}" if ack.data.note else "")
        found = [s.reason for s in self._silences if s.until(alert, now_ms) is not None]
        return next(filter(None, found), "silenced by the config")


def read_silences(top: Table) -> tuple[Silence, ...]:
    """Read every `[[silences]]`.

    Raises
    ------
    ConfigError
        On the first mistake.
    """
    return tuple(_read(table) for table in top.tables("silences", _KEYS))


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
        kinds=table.texts("kinds", _KINDS),
        max_severity=table.choice("max_severity", "critical", SEVERITY_ORDER),
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
    name = table.text("timezone", "UTC", least=1)
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise table.error(
            "timezone",
            f'must be a name such as "Europe/Berlin" that this machine knows; got {name!r}. '
            "Correct it, install tzdata, or leave it out for UTC.",
        ) from error
