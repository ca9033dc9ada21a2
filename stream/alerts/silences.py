"""A silence: a time in which nobody is notified of alerts that match."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from stream.contracts.alert_event import SEVERITIES, AlertEvent

__all__ = ["WEEK_MINUTES", "Silence"]

_MINUTE_MS: Final = 60_000
WEEK_MINUTES: Final = 7 * 1_440


@dataclass(frozen=True)
class Silence:
    """A time in which alerts that match notify nobody: maintenance, or a known event every week.

    Attributes
    ----------
    models, kinds : tuple of str
        Only alerts of these; empty for all.
    max_severity : str
        What is more severe than this is delivered all the same.
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
            and SEVERITIES.index(severity) <= SEVERITIES.index(self.max_severity)
        )

    def ends_ms(self, now_ms: int) -> int | None:
        """When it ends; None if it does not hold now."""
        if self.weekly is None:
            return self.end_ms if self.start_ms <= now_ms < self.end_ms else None
        here = datetime.fromtimestamp(now_ms / 1000, self.zone)
        minute = here.weekday() * 1_440 + here.hour * 60 + here.minute
        start, end = self.weekly
        length = (end - start) % WEEK_MINUTES or WEEK_MINUTES
        passed = (minute - start) % WEEK_MINUTES
        if passed >= length:
            return None
        return now_ms - now_ms % _MINUTE_MS + (length - passed) * _MINUTE_MS
