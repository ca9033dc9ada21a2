"""What fires now, from the alert events in the order of their topic."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from stream.contracts.alert_event import SEVERITIES, AlertEvent

__all__ = ["Change", "OpenEpisodes"]

#: Ended episodes whose last revision is remembered, to know its copies.
_REMEMBERED: Final = 10_000
#: News of an open episode that nobody may miss.
_STEPS: Final = frozenset({"grown", "day"})


class Change(NamedTuple):
    """An alert event that is news.

    `peak` is the highest severity its episode ever had. A `step` is what nobody may miss: that the
    episode opened, became worse, had a single day unlike all others, or ended.
    """

    event: AlertEvent
    peak: str
    step: bool = True


class OpenEpisodes:
    """The newest revision of every open episode, by fingerprint."""

    def __init__(self) -> None:
        self._open: dict[str, Change] = {}
        self._highest: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def changes(self) -> list[Change]:
        """What fires, oldest first."""
        return sorted(self._open.values(), key=lambda change: change.event.data.starts_at)

    def apply(self, event: AlertEvent) -> Change | None:
        """Take the next event of the topic in; None if it, or a later revision, was there before.

        Workers that restart publish again what they are not sure of, with the same id.
        """
        data = event.data
        if data.revision <= self._highest.get(data.episode, 0):
            return None
        self._highest[data.episode] = data.revision
        self._highest.move_to_end(data.episode)
        before = self._open.get(data.fingerprint)
        same = before is not None and before.event.data.episode == data.episode
        peak: str = data.severity
        if before is not None and same:
            peak = max(peak, before.peak, key=SEVERITIES.index)
        told = not _STEPS.isdisjoint(data.news)
        worse = before is None or not same or peak != before.peak or told
        change = Change(event, peak, worse or data.status == "resolved")
        if data.status == "firing":
            self._open[data.fingerprint] = change
        elif same or before is None:
            self._open.pop(data.fingerprint, None)
        self._forget()
        return change

    def _forget(self) -> None:
        live = {change.event.data.episode for change in self._open.values()}
        while len(self._highest) > _REMEMBERED + len(live):
            episode, revision = self._highest.popitem(last=False)
            if episode in live:
                self._highest[episode] = revision
