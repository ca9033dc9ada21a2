"""What a monitor does with an event: it is queued as a message, or counted and told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stream.publishing.errors import DroppedEventError, InvalidEventError
from stream.publishing.events import HEADERS, EventMaker
from stream.publishing.notices import Notices
from stream.publishing.outbox import Message, Outbox

__all__ = ["Intake"]

_WORDS: Final = {
    "too_large": "an event of more than {limit:,} bytes was dropped. Send fewer features, or raise "
    "max_message_bytes here, and the topic's and the workers' limits.",
    "queue_full": "no room for more than {events:,} events or {bytes:,} bytes that wait: an event "
    "was dropped. Kafka is away or slow; raise max_events, or see stats().",
    "made_room": "no room for more than {events:,} events or {bytes:,} bytes that wait: the oldest "
    "are dropped. Kafka is away or slow; raise max_events, or see stats().",
    "closed": "an event was dropped: the monitor was closed before.",
}


class Intake:
    """Makes messages, queues them, and answers for those that it cannot queue.

    Parameters
    ----------
    maker : EventMaker
    outbox : Outbox
    notices : Notices
    begin : callable
        Starts the sender, if it was not.
    max_message_bytes : int
        Larger events are dropped.
    strict : bool
        Raise for events that are invalid or dropped.
    """

    def __init__(
        self,
        maker: EventMaker,
        outbox: Outbox,
        notices: Notices,
        begin: Callable[[], None],
        *,
        max_message_bytes: int,
        strict: bool,
    ) -> None:
        self._maker, self._outbox, self._notices, self._begin = maker, outbox, notices, begin
        self._max_message_bytes, self._strict = max_message_bytes, strict

    def message(
        self,
        topic: str,
        features: Any,
        prediction: Any,
        score: Any,
        actual: Any,
        prediction_id: Any,
        *others: Any,
        **named: Any,
    ) -> Message | None:
        """An event as a message; None, and counted, if it is none.

        The `others` are as `EventMaker.event` takes them, in its order or by name.
        """
        try:
            identity = None if prediction_id is None else self._maker.values.identity(prediction_id)
            value = self._maker.event(
                features, prediction, score, actual, identity, *others, **named
            )
        except Exception as error:
            self.invalid(error)
            return None
        if len(value) > self._max_message_bytes:
            self._outbox.refuse("too_large")
            self.after("too_large")
            return None
        return Message(topic, None if identity is None else identity.encode(), value, HEADERS)

    def put(self, message: Message) -> bool:
        """Queue a message; whether it was queued."""
        return self.after(self._outbox.put(message))

    def after(self, outcome: str) -> bool:
        """Whether an event was queued; start the sender, or say why it was not."""
        self._begin()
        if not outcome:
            return True
        kind = "queue_full" if outcome == "made_room" else outcome
        words = _WORDS[outcome].format(
            limit=self._max_message_bytes,
            events=self._outbox.max_events,
            bytes=self._outbox.max_bytes,
        )
        self._notices.warn(kind, words)
        if self._strict:
            raise DroppedEventError(kind, words)
        return outcome == "made_room"

    def invalid(self, error: Exception, rows: int = 1) -> None:
        """Count an event that is none; only a strict monitor raises."""
        if not isinstance(error, InvalidEventError):
            error = InvalidEventError(f"{type(error).__name__}: {error}")
        self.refuse("invalid", rows, f"an event was dropped: {error}", error)

    def refuse(
        self, reason: str, rows: int, words: str, error: InvalidEventError | None = None
    ) -> None:
        """Count events that cannot be sent; their first words tell their kind."""
        self._outbox.refuse(reason, rows)
        said = words if error is None else str(error)
        self._notices.warn(f"{reason} {said.split(maxsplit=1)[0]}", words)
        if self._strict:
            raise error or DroppedEventError(reason, words)
