"""Sinks: how alert events are delivered to a target; here those that deliver them one by one.

A sink is offered every record of the topic by number. A failed delivery is tried again, and all
records up to number `done` are delivered or do not concern the target: they may be committed.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from stream.contracts.alert_event import SEVERITIES, AlertEvent
from stream.notify.answer import Answer
from stream.notify.delivery_stats import DeliveryStats
from stream.notify.open_episodes import Change
from stream.notify.suppression import Suppression
from stream.process.retry import Retry

if TYPE_CHECKING:
    from stream.notify.targets.contract import Target

__all__ = ["CHECK_S", "QueueSink", "Sink"]

log = logging.getLogger(__name__)
#: Seconds between two checks of an idle sink whether a suppression has ended.
CHECK_S: Final = 60.0
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
#: No receiver may put off an event for longer at a time, so that a day has many tries.
LONGEST_PUT_OFF_S: Final = 3_600.0
#: A receiver that takes longer to answer is named on /readyz.
STALLED_S: Final = 3.0
#: An event that nobody took for so long is given up; it stays on the topic.
GIVE_UP_S: Final = 86_400.0


class Sink(ABC):
    """What all sinks have in common: which events concern a target, and when to try again."""

    gives_up = False  # whether an event that is refused for good is dropped

    def __init__(
        self, target: Target, clock: Callable[[], float], suppression: Suppression | None = None
    ) -> None:
        self.target = target
        # Late, for urllib3: the config reads targets where no notifier is installed.
        from stream.notify.http import Client

        self.client = Client(target.timeout_s, target.ca_file)
        self.suppression = suppression or Suppression()
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = -1
        self.stats = DeliveryStats()
        self._retry = Retry(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._not_before = 0.0

    @property
    def failing(self) -> bool:
        """Whether the last request was not taken."""
        return self._retry.pause_s > 0

    @property
    def stalled(self) -> bool:
        """Whether the receiver has been slow to answer for a while."""
        return self.client.waiting_s > STALLED_S

    @property
    @abstractmethod
    def done(self) -> int:
        """Every record up to this number is delivered, or does not concern the target."""

    @abstractmethod
    def restore(self, change: Change, at_ms: int) -> None:
        """Note an event that was delivered before this process began, or held back.

        `at_ms` is when it was published.
        """

    @abstractmethod
    def offer(self, number: int, change: Change | None) -> None:
        """Take the record of this number; None if it is no news."""

    def recheck(self) -> None:  # noqa: B027 - sinks that check by themselves need no call
        """Check again what is suppressed: an episode was acknowledged."""

    @property
    def kept(self) -> dict[str, int]:
        """What it must know after a restart, the newest last; it is committed with positions."""
        return {}

    def recall(self, kept: Mapping[str, int]) -> None:  # noqa: B027 - most keep nothing
        """Take what an earlier run kept."""

    @abstractmethod
    def step(self) -> float:
        """Do what is due, one request at most; seconds until there is more to do."""

    def concerns(self, change: Change) -> bool:
        """Whether the target wants to know."""
        target, labels = self.target, change.event.data.labels
        if target.models and labels.model not in target.models:
            return False
        return SEVERITIES.index(change.peak) >= SEVERITIES.index(target.min_severity)

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        target = self.target
        if target.token:
            headers = headers | {"Authorization": f"Bearer {target.token}"}
        return self._judge(self.client.post(url, body, headers))

    def _judge(self, answer: Answer) -> Answer:
        """Note when to try again after an answer."""
        target = self.target
        if answer.delivered:
            if self._retry.pause_s:
                log.warning("notify %s: delivered again", target.name)
            self._retry.succeeded()
            self.stats.delivered += 1
            self.stats.last_s = self._clock()
            return answer
        self.stats.failed += 1
        pause_s = self._retry.next_pause(min(answer.wait_s, LONGEST_PUT_OFF_S))
        self._not_before = self._clock() + pause_s
        longer = answer.wait_s > LONGEST_PUT_OFF_S
        log.warning(
            "notify %s: not delivered: %s. %s",
            target.name,
            answer.words,
            "Given up: it would be refused again."
            if answer.final and self.gives_up
            else f"Next try in {pause_s:g} s"
            + (f", and not only in the {answer.wait_s:.0f} s that it asks for." if longer else "."),
        )
        return answer


class QueueSink(Sink):
    """Every event that is a step once, or every one, in order.

    While an episode is suppressed its newest revision is kept, and delivered when the suppression
    ends if it still fires. The end of an episode of which nothing was delivered is not delivered.
    """

    gives_up = True

    def __init__(
        self, target: Target, clock: Callable[[], float], suppression: Suppression | None = None
    ) -> None:
        super().__init__(target, clock, suppression)
        self._queue: deque[tuple[int, AlertEvent, float]] = deque()
        self._suppressed: dict[str, AlertEvent] = {}  # by fingerprint
        self._unannounced: dict[
            str, str
        ] = {}  # fingerprint -> episode of which nothing was delivered

    @property
    def done(self) -> int:
        """See `Sink`."""
        with self._lock:
            return self._queue[0][0] - 1 if self._queue else self._seen

    def offer(self, number: int, change: Change | None) -> None:
        """See `Sink`."""
        with self._lock:
            self._seen = max(self._seen, number)
            if change is None or not self.concerns(change):
                return
            if change.step or self.target.revisions == "all":
                self._queue.append((number, change.event, self._clock()))
            elif change.event.data.fingerprint in self._suppressed:  # the newest is due
                self._suppressed[change.event.data.fingerprint] = change.event

    def restore(self, change: Change, at_ms: int) -> None:
        """See `Sink`."""
        if self.concerns(change):
            with self._lock:
                self._suppress(change.event, at_ms)

    def _suppress(self, event: AlertEvent, now_ms: int) -> bool:
        """Whether an event is not delivered now; if it may be delivered later it is kept."""
        data = event.data
        known = self._unannounced.get(data.fingerprint) == data.episode
        if data.status == "resolved":
            self._suppressed.pop(data.fingerprint, None)
            self._unannounced.pop(data.fingerprint, None)
            return known
        if self.suppression.until(event, now_ms) is None:
            self._suppressed.pop(data.fingerprint, None)
            self._unannounced.pop(data.fingerprint, None)
            return False
        self._suppressed[data.fingerprint] = event
        if known or data.revision == 1:
            self._unannounced[data.fingerprint] = data.episode
        return True

    def _release(self, now_ms: int) -> None:
        """Queue what is not suppressed any more."""
        for identity, event in list(self._suppressed.items()):
            if self.suppression.until(event, now_ms) is None:
                del self._suppressed[identity]
                self._queue.append((self._seen, event, now_ms / 1000))

    def step(self) -> float:
        """See `Sink`."""
        now = self._clock()
        now_ms = int(now * 1000)
        with self._lock:
            self._release(now_ms)
            while self._queue and self._suppress(self._queue[0][1], now_ms):
                self._queue.popleft()
            first = self._queue[0] if self._queue else None
        if first is None:
            return CHECK_S
        if now < self._not_before:
            return self._not_before - now
        _, event, since = first
        answer = self._deliver(event)
        if answer.delivered or answer.final or self._clock() - since > GIVE_UP_S:
            if not answer.delivered:
                log.error("notify %s: event %s was never delivered", self.target.name, event.id)
                self._not_before = 0.0  # it is not tried again
                self._retry.succeeded()
                self.stats.given_up += 1
            with self._lock:
                self._queue.popleft()
        return 0.0

    @abstractmethod
    def _deliver(self, event: AlertEvent) -> Answer:
        """Send one event, by `_post` or as `_judge` takes the answer."""
