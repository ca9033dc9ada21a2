"""Suppression of notifications: by silences, and by acknowledgements of episodes.

Only the notifier knows silences. Alerts stay on their topic as they are, so the history is honest,
and what still fires when a silence ends is delivered then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stream.alerts.silences import Silence
from stream.contracts.acks import Ack
from stream.contracts.alert_event import AlertEvent

__all__ = ["Suppression"]

#: An ack is forgotten when so many came after it.
_MAX_ACKS: Final = 10_000


class Suppression:
    """Which alerts are not delivered now, by silences and by acks."""

    def __init__(self, silences: Sequence[Silence] = ()) -> None:
        self._silences = tuple(silences)
        self._acks: dict[str, Ack] = {}

    def note(self, ack: Ack) -> None:
        """Take an ack in; the last one of an episode counts."""
        self._acks.pop(ack.data.episode, None)
        self._acks[ack.data.episode] = ack
        if len(self._acks) > _MAX_ACKS:
            del self._acks[next(iter(self._acks))]

    def until(self, alert: AlertEvent, now_ms: int) -> int | None:
        """Until when an alert is suppressed, in milliseconds; None if it is not."""
        ends = [end for s in self._silences if (end := s.until(alert, now_ms)) is not None]
        ack = self._acks.get(alert.data.episode)
        if ack is not None and now_ms < ack.until_ms:
            ends.append(ack.until_ms)
        return max(ends, default=None)

    def reason(self, alert: AlertEvent, now_ms: int) -> str:
        """Why an alert is suppressed, in words."""
        ack = self._acks.get(alert.data.episode)
        if ack is not None and now_ms < ack.until_ms:
            by = f" by {ack.data.by}" if ack.data.by else ""
            return f"acknowledged{by}" + (f": {ack.data.note}" if ack.data.note else "")
        found = [s.reason for s in self._silences if s.until(alert, now_ms) is not None]
        return next(filter(None, found), "silenced by the config")
