"""Messages that wait for the broker, and those on their way: bounded together."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

__all__ = ["POLICIES", "Message", "Outbox", "WhenFull"]

#: What gives way where there is no room: the oldest that waits, the new one, or the caller.
WhenFull: TypeAlias = Literal["drop_oldest", "drop_newest", "block"]
POLICIES: Final = ("drop_oldest", "drop_newest", "block")
#: What a message takes beside its value.
_OVERHEAD: Final = 200


class Message(NamedTuple):
    """What is sent: to a topic, so many events in it.

    `on_end` is told once what became of it: "" if the broker has it, else why it was dropped.
    """

    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    events: int = 1
    on_end: Callable[[str], None] | None = None


class Outbox:
    """A queue between any number of callers and one sender.

    Messages that were taken stay here, by number, until they are `done`; `put_back` makes all of
    them wait again, in front and in their order, when a connection is given up.

    Parameters
    ----------
    max_events, max_bytes : int
        Of all messages, waiting and on their way.
    when_full : str
        One of `POLICIES`.
    """

    def __init__(self, max_events: int, max_bytes: int, when_full: WhenFull) -> None:
        self.max_events, self.max_bytes, self._when_full = max_events, max_bytes, when_full
        self._changed = threading.Condition(threading.Lock())
        self._waiting: deque[Message] = deque()
        self._on_way: dict[int, Message] = {}
        self._number = 0
        self._events = self._bytes = self._way_events = 0
        self._closed = False
        self._sender_sleeps = self._callers_wait = 0
        self._logged = self._sent = 0
        self._dropped: Counter[str] = Counter()

    # ---- callers

    def put(self, message: Message, *, may_block: bool = True) -> str:
        """Queue a message.

        Returns
        -------
        str
            "" if it was queued, "made_room" if others were dropped for it, "full" if it would have
            to wait and may not, else why it was dropped.
        """
        given_up: list[Message] = []
        with self._changed:
            if not self._closed and not self._room_for(message):
                if self._when_full == "block" and self._could_fit(message):
                    if not may_block:
                        return "full"
                    self._wait_for_room(message)
                elif self._when_full == "drop_oldest" and self._could_fit(message):
                    given_up = self._make_room(message)
            self._logged += message.events
            if self._closed or not self._room_for(message):
                reason = "closed" if self._closed else "queue_full"
                self._dropped[reason] += message.events
                return reason
            self._waiting.append(message)
            self._events += message.events
            self._bytes += len(message.value) + _OVERHEAD
            if self._sender_sleeps:
                self._changed.notify_all()
        _tell(given_up, "queue_full")
        return "made_room" if given_up else ""

    def refuse(self, reason: str, events: int = 1) -> None:
        """Count events that never became a message."""
        with self._changed:
            self._logged += events
            self._dropped[reason] += events

    def counts(self) -> tuple[int, int, int, dict[str, int]]:
        """Events logged, sent and queued, and dropped by reason, at one moment."""
        with self._changed:
            return self._logged, self._sent, self._events, dict(self._dropped)

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until everything is sent."""
        with self._changed:
            self._callers_wait += 1
            try:
                return self._changed.wait_for(lambda: not self._events, timeout_s)
            finally:
                self._callers_wait -= 1

    def withdraw(self, messages: list[Message]) -> int:
        """Take back those of the messages that still wait; how many. They were never logged."""
        with self._changed:
            wanted = {id(message) for message in messages}
            found = [message for message in self._waiting if id(message) in wanted]
            if found:
                self._waiting = deque(m for m in self._waiting if id(m) not in wanted)
            for message in found:
                self._release(message)
                self._logged -= message.events
            return len(found)

    def close(self) -> None:
        """Take no more messages; what is here is still sent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> int:
        """Give up what is left; how many events that were."""
        with self._changed:
            left = self._events
            if left:
                self._dropped["unsent_at_close"] += left
            given_up = [*self._on_way.values(), *self._waiting]
            self._waiting.clear()
            self._on_way.clear()
            self._events = self._bytes = self._way_events = 0
            self._changed.notify_all()
        _tell(given_up, "unsent_at_close")
        return left

    # ---- the sender

    def wait_for_work(self, timeout_s: float | None, max_on_way: int) -> None:
        """Sleep until something may be taken, or all is over, or for so long."""
        with self._changed:
            self._sender_sleeps += 1
            try:
                self._changed.wait_for(
                    lambda: self.is_over or (self._waiting and self._way_events < max_on_way),
                    timeout_s,
                )
            finally:
                self._sender_sleeps -= 1

    def take(self, max_on_way: int) -> list[tuple[int, Message]]:
        """Messages to send, while so many events are on their way."""
        with self._changed:
            taken = []
            while self._waiting and self._way_events < max_on_way:
                message = self._waiting.popleft()
                self._number += 1
                self._on_way[self._number] = message
                self._way_events += message.events
                taken.append((self._number, message))
            return taken

    def done(self, number: int, dropped_as: str = "") -> None:
        """Forget a message that the broker has, or will never take."""
        with self._changed:
            message = self._on_way.pop(number, None)
            if message is None:  # given up, or put back and on its way again
                return
            self._way_events -= message.events
            self._release(message)
            if dropped_as:
                self._dropped[dropped_as] += message.events
            else:
                self._sent += message.events
            if self._callers_wait or self._sender_sleeps:
                self._changed.notify_all()
        _tell([message], dropped_as)

    def put_back(self) -> None:
        """Make everything that is on its way wait again."""
        with self._changed:
            self._waiting.extendleft(reversed(self._on_way.values()))
            self._on_way.clear()
            self._way_events = 0

    @property
    def on_way(self) -> int:
        """Events that the producer has."""
        return self._way_events

    @property
    def is_crowded(self) -> bool:
        """More than half full."""
        return 2 * self._events > self.max_events or 2 * self._bytes > self.max_bytes

    @property
    def is_over(self) -> bool:
        """Closed, and nothing left."""
        return self._closed and not self._events

    # ---- with the lock held

    def _room_for(self, message: Message) -> bool:
        return (
            self._events + message.events <= self.max_events
            and self._bytes + len(message.value) + _OVERHEAD <= self.max_bytes
        )

    def _could_fit(self, message: Message) -> bool:
        return (
            message.events <= self.max_events and len(message.value) + _OVERHEAD <= self.max_bytes
        )

    def _make_room(self, message: Message) -> list[Message]:
        given_up = []
        while self._waiting and not self._room_for(message):
            oldest = self._waiting.popleft()
            self._release(oldest)
            self._dropped["queue_full"] += oldest.events
            given_up.append(oldest)
        return given_up

    def _wait_for_room(self, message: Message) -> None:
        self._callers_wait += 1
        try:
            self._changed.wait_for(lambda: self._closed or self._room_for(message))
        finally:
            self._callers_wait -= 1

    def _release(self, message: Message) -> None:
        self._events -= message.events
        self._bytes -= len(message.value) + _OVERHEAD


def _tell(messages: list[Message], what: str) -> None:
    for message in messages:
        if message.on_end is not None:
            message.on_end(what)
