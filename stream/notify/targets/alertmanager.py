"""Alertmanager as a target: the state of all that fires, posted again and again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec

from stream.alerts.story import related_words
from stream.contracts.alert_event import AlertEvent, format_time, parse_time
from stream.notify.open_episodes import Change
from stream.notify.sinks import Sink
from stream.notify.suppression import Suppression
from stream.notify.targets.contract import OptionTable, Target, read_url
from stream.notify.targets.silence_sync import SilenceSync, alertmanager_labels, filled
from stream.runbooks import runbook_command
from stream.text.printable import printable

__all__ = [
    "FIRING_FOR_S",
    "REPOST_S",
    "AlertmanagerSink",
    "AlertmanagerTarget",
    "alertmanager_alert",
]

log = logging.getLogger(__name__)
#: Alertmanager lets an alert lapse that is not posted again in time: often enough to lose a few.
REPOST_S: Final = 60.0
FIRING_FOR_S: Final = 300.0


@dataclass(frozen=True)
class AlertmanagerTarget(Target):
    """See `Target`; it always has the newest revision of an episode."""

    kind = "alertmanager"

    @classmethod
    def read(cls, table: OptionTable, common: Mapping[str, Any]) -> Self:
        """See `Target`."""
        if table.has("revisions"):
            raise table.error("revisions", "is not for Alertmanager, which has the newest one.")
        return cls(url=read_url(table), **common)

    def make_sink(self, clock: Callable[[], float], suppression: Suppression) -> AlertmanagerSink:
        """See `Target`."""
        return AlertmanagerSink(self, clock, suppression)


class AlertmanagerSink(Sink):
    """All that fires, posted again every minute, and what ended until that was taken."""

    def __init__(
        self, target: Target, clock: Callable[[], float], suppression: Suppression | None = None
    ) -> None:
        super().__init__(target, clock, suppression)
        token = {"Authorization": f"Bearer {target.token}"} if target.token else {}
        headers = {"Content-Type": "application/json", **token}
        self._silences = SilenceSync(target.url, headers, self.client)
        self._open: dict[str, AlertEvent] = {}
        self._ended: dict[tuple[str, str], AlertEvent] = {}  # by fingerprint and severity
        self._done = -1
        self._news = True
        self._next_s = 0.0
        self._silences_failed = False  # at the last step

    @property
    def failing(self) -> bool:
        """See `Sink`."""
        return super().failing or self._silences_failed

    @property
    def done(self) -> int:
        """See `Sink`."""
        return self._done

    def restore(self, change: Change, at_ms: int) -> None:
        """See `Sink`."""
        with self._lock:
            self._take(change)
            self._ended.clear()

    def offer(self, number: int, change: Change | None) -> None:
        """See `Sink`."""
        with self._lock:
            self._seen = max(self._seen, number)
            if change is not None and self.concerns(change):
                self._take(change)
                self._news = True
            elif not self._news:
                self._done = self._seen

    def recheck(self) -> None:
        """See `Sink`."""
        with self._lock:
            self._news = True

    def _take(self, change: Change) -> None:
        if not self.concerns(change):
            return
        event = change.event
        identity, severity = event.data.fingerprint, event.data.severity
        before = self._open.pop(identity, None)
        if before is not None and before.data.severity != severity:
            # Another severity is another alert to Alertmanager.
            self._ended[identity, before.data.severity] = before
        if event.data.status == "firing":
            self._open[identity] = event
            self._ended.pop((identity, severity), None)
        else:
            self._ended[identity, severity] = event

    def step(self) -> float:
        """See `Sink`."""
        now = self._clock()
        if now < self._not_before and self._retry.pause_s:
            return self._not_before - now
        with self._lock:
            if not self._news and now < self._next_s:
                return self._next_s - now
            number, ended, firing = self._seen, dict(self._ended), list(self._open.values())
            self._news = False
            alerts = self._alerts(firing, list(ended.values()), now)
        # First the silences, so that Alertmanager notifies nobody of what is suppressed.
        silenced = self._silences.sync(firing, ended.values(), self.suppression, int(now * 1000))
        self._silences_failed = not silenced.delivered
        if self._silences_failed:  # posted nevertheless: rather one notification too many than none
            log.warning("notify %s: not silenced: %s", self.target.name, silenced.words)
        if alerts:
            answer = self._post(
                f"{self.target.url}/api/v2/alerts",
                msgspec.json.encode(alerts),
                {"Content-Type": "application/json"},
            )
            if not answer.delivered:
                with self._lock:
                    self._news = True
                return self._retry.pause_s
        with self._lock:
            for key, event in ended.items():
                if self._ended.get(key) is event:
                    del self._ended[key]
            self._done = self._seen if not self._news else number
            self._next_s = now + REPOST_S
            return 0.0 if self._news else REPOST_S

    def _alerts(
        self, firing: list[AlertEvent], ended: list[AlertEvent], now: float
    ) -> list[dict[str, Any]]:
        now_ms = int(now * 1000)
        until_ms = now_ms + int(FIRING_FOR_S * 1000)
        return [
            *(alertmanager_alert(event, now_ms, until_ms) for event in firing),
            *(alertmanager_alert(event, now_ms, now_ms) for event in ended),
        ]


def alertmanager_alert(event: AlertEvent, now_ms: int, ends_ms: int) -> dict[str, Any]:
    """An alert of Alertmanager's v2 API, firing until `ends_ms`.

    Severity is a label here, because routes go by it. Times that lie in the future of this clock
    are drawn back: Alertmanager refuses alerts that end before they start.
    """
    data = event.data
    said = data.annotations
    annotations = {
        "summary": said.summary,
        "evidence": said.evidence,
        "action": said.action,
        "runbook_url": said.runbook_url,
        "runbook": "" if said.runbook_url else runbook_command(data.labels.kind),
        "dashboard_url": said.dashboard_url,
        "episode": data.episode,
        "revision": str(data.revision),
        "related": "; ".join(
            f"{related_words(other)} ({other.episode[:8]})" for other in data.related
        ),
        "signals": ", ".join(dict.fromkeys(signal.name for signal in data.signals)),
    }
    alert: dict[str, Any] = {
        "labels": alertmanager_labels(event),
        "annotations": filled(annotations),
        "startsAt": format_time(min(parse_time(data.starts_at), now_ms - 1, ends_ms - 1)),
        "endsAt": format_time(ends_ms),
    }
    if said.dashboard_url.startswith(("http://", "https://")):
        alert["generatorURL"] = printable(said.dashboard_url)
    return alert
