"""How a target is served: event by event in order, or as the state of all that fires.

A sink is offered every record of the topic by number. What it has not delivered it tries again, and
`done` says up to which number all is delivered: that is what may be committed.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from stream.alerts import AlertEvent
from stream.notify.http import Answer, post
from stream.notify.open_episodes import Change
from stream.notify.render import alertmanager_alert, slack_message, webhook_request
from stream.notify.targets import SEVERITY_ORDER, Target

__all__ = ["AlertmanagerSink", "QueueSink", "Sink", "make_sink"]

log = logging.getLogger(__name__)
#: Alertmanager lets an alert lapse that is not posted again in time: often enough to lose a few.
REPOST_S: Final = 60.0
FIRING_FOR_S: Final = 300.0
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0
#: An event that nobody took for so long is given up; it stays on the topic.
GIVE_UP_S: Final = 86_400.0

Post = Callable[..., Answer]


class Sink(ABC):
    """What both kinds have in common: which events concern a target, and when to try again."""

    gives_up = False  # whether an event that is refused for good is dropped

    def __init__(self, target: Target, clock: Callable[[], float], send: Post = post) -> None:
        self.target = target
        self._clock, self._send = clock, send
        self._lock = threading.Lock()
        self._seen = -1
        self._wait_s = 0.0  # after a failure
        self._not_before = 0.0

    @property
    @abstractmethod
    def done(self) -> int:
        """Every record up to this number is delivered, or does not concern the target."""

    def restore(self, change: Change) -> None:  # noqa: B027 - not every kind has to know
        """Note an event that was delivered before this process began."""

    @abstractmethod
    def offer(self, number: int, change: Change | None) -> None:
        """Take the record of this number; None if it is no news."""

    @abstractmethod
    def step(self) -> float:
        """Do what is due, one request at most; seconds until there is more to do."""

    def concerns(self, change: Change) -> bool:
        """Whether the target wants to know."""
        target, labels = self.target, change.event.data.labels
        if target.models and labels.model not in target.models:
            return False
        return SEVERITY_ORDER.index(change.peak) >= SEVERITY_ORDER.index(target.min_severity)

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        target = self.target
        if target.token:
            headers = headers | {"Authorization": f"Bearer {target.token}"}
        answer = self._send(url, body, headers, target.timeout_s)
        if answer.delivered:
            if self._wait_s:
                log.warning("notify %s: delivered again", target.name)
            self._wait_s = 0.0
            return answer
        self._wait_s = min(max(self._wait_s * 2, _FIRST_WAIT_S), _LONGEST_WAIT_S)
        self._wait_s = min(max(self._wait_s, answer.wait_s), GIVE_UP_S)
        self._not_before = self._clock() + self._wait_s
        log.warning(
            "notify %s: not delivered: %s. %s", target.name, answer.words,
            "Given up: it would be refused again." if answer.final and self.gives_up
            else f"Next try in {self._wait_s:g} s.",
        )  # fmt: skip
        return answer


class QueueSink(Sink):
    """Every event once, in order: webhooks and Slack."""

    gives_up = True

    def __init__(self, target: Target, clock: Callable[[], float], send: Post = post) -> None:
        super().__init__(target, clock, send)
        self._queue: deque[tuple[int, AlertEvent, float]] = deque()

    @property
    def done(self) -> int:
        """See `Sink`."""
        with self._lock:
            return self._queue[0][0] - 1 if self._queue else self._seen

    def offer(self, number: int, change: Change | None) -> None:
        """See `Sink`."""
        with self._lock:
            self._seen = max(self._seen, number)
            if change is not None and self.concerns(change):
                self._queue.append((number, change.event, self._clock()))

    def step(self) -> float:
        """See `Sink`."""
        with self._lock:
            first = self._queue[0] if self._queue else None
        now = self._clock()
        if first is None:
            return REPOST_S
        if now < self._not_before:
            return self._not_before - now
        _, event, since = first
        answer = self._post(*self._request(event))
        if answer.delivered or answer.final or self._clock() - since > GIVE_UP_S:
            if not answer.delivered:
                log.error("notify %s: event %s was never delivered", self.target.name, event.id)
                self._not_before = 0.0
            with self._lock:
                self._queue.popleft()
        return 0.0

    def _request(self, event: AlertEvent) -> tuple[str, bytes, dict[str, str]]:
        target = self.target
        if target.kind == "slack":
            return target.url, slack_message(event), {"Content-Type": "application/json"}
        body, headers = webhook_request(event, target.secret, int(self._clock()), target.template)
        return target.url, body, headers


class AlertmanagerSink(Sink):
    """All that fires, posted again every minute, and what ended until that was taken."""

    def __init__(self, target: Target, clock: Callable[[], float], send: Post = post) -> None:
        super().__init__(target, clock, send)
        self._open: dict[str, AlertEvent] = {}
        self._ended: dict[tuple[str, str], AlertEvent] = {}  # by fingerprint and severity
        self._done = -1
        self._news = True
        self._next_s = 0.0

    @property
    def done(self) -> int:
        """See `Sink`."""
        return self._done

    def restore(self, change: Change) -> None:
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
        if now < self._not_before and self._wait_s:
            return self._not_before - now
        with self._lock:
            if not self._news and now < self._next_s:
                return self._next_s - now
            number, ended = self._seen, dict(self._ended)
            self._news = False
            alerts = self._alerts(list(self._open.values()), list(ended.values()), now)
        if alerts:
            answer = self._post(
                f"{self.target.url}/api/v2/alerts",
                msgspec.json.encode(alerts),
                {"Content-Type": "application/json"},
            )
            if not answer.delivered:
                with self._lock:
                    self._news = True
                return self._wait_s
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


def make_sink(target: Target, clock: Callable[[], float]) -> Sink:
    """Make the sink that a target of this kind needs."""
    return (AlertmanagerSink if target.kind == "alertmanager" else QueueSink)(target, clock)
