"""The thread that brings an outbox to Kafka, and never gives up while it runs.

What was handed to a producer stays in the outbox until the broker has confirmed it. A producer that
fails is thrown away; what it had not confirmed is sent by the next one. Before a topic is used it
is asked for, with automatic creation off: a misspelt name must not become a topic.
"""

from __future__ import annotations

import contextlib
import difflib
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from stream.contracts.errors import SettingError
from stream.kafka.access import explain
from stream.kafka.admin import admin, described
from stream.kafka.failed_sockets import close_failed_sockets
from stream.kafka.security import client_options
from stream.process.retry import Retry
from stream.publishing.notices import Notices
from stream.publishing.outbox import Outbox
from stream.publishing.quiet_kafka import quieten_kafka_python
from stream.text.counted import counted

__all__ = ["Delivery"]

#: So many events are the producer's at a time, at most.
_MAX_ON_WAY: Final = 5_000
#: No confirmation for so long is worth a look, and a word.
_STALLED_S: Final = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0
_CONNECT_S: Final = 5.0
_END_S: Final = 1.0
#: The outbox keeps what is not confirmed; a producer must not count its seconds too.
_NEVER_MS: Final = 2**31 - 1
_TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)


class Delivery:
    """Sends what is in an outbox, from a thread of its own that the first message starts.

    Parameters
    ----------
    kafka : mapping
        Connection settings as in `[kafka]` of a config.
    topics : tuple of str
        All that messages may be for.
    outbox : Outbox
    notices : Notices
    settings : mapping
        Of kafka-python's producer, over ours.
    """

    def __init__(
        self,
        kafka: Mapping[str, object],
        topics: tuple[str, ...],
        outbox: Outbox,
        notices: Notices,
        settings: Mapping[str, Any],
    ) -> None:
        self._kafka, self._topics = kafka, topics
        self._outbox, self._notices = outbox, notices
        self._max_on_way = _MAX_ON_WAY
        self._options: dict[str, Any] = {
            "linger_ms": 20,
            "batch_size": 262_144,
            "acks": "all",
            "enable_idempotence": True,
            "delivery_timeout_ms": _NEVER_MS,
            "max_block_ms": int(_CONNECT_S * 1000),
            "bootstrap_timeout_ms": int(_CONNECT_S * 1000),
            "reconnect_backoff_max_ms": 1_000,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
            **client_options(kafka),
            **settings,
        }
        for name in self._options.keys() - KafkaProducer.DEFAULT_CONFIG.keys():
            raise SettingError(f"producer: {name!r} is no setting of kafka-python's producer.")
        self._servers = ", ".join(self._options["bootstrap_servers"])
        self._start_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._producer: Any = None
        self._broken: BaseException | None = None
        self._stop = threading.Event()
        self._moving_at = self._confirmed_at = self._looked_at = self._hindered_at = 0.0
        #: What was told since the broker confirmed something last.
        self._hindrances: set[str] = set()
        self._eager = False

    def start(self, *, eager: bool = False) -> bool:
        """Start the thread, if it was not; `eager`: connect before there is anything to send."""
        if self._thread is not None:
            return False
        with self._start_lock:
            if self._thread is not None:
                return False
            self._eager = eager
            thread = threading.Thread(target=self._run, name="driftstream-monitor", daemon=True)
            thread.start()
            self._thread = thread
            return True

    def flows(self, within_s: float) -> bool:
        """Whether there is a producer, and what is on its way was confirmed lately."""
        if self._producer is None or self._broken is not None:
            return False
        moved_at = max(self._moving_at, self._confirmed_at)
        return not self._outbox.on_way or time.monotonic() - moved_at < within_s

    def close(self, timeout_s: float) -> int:
        """Send what is queued, for so long, and stop; how many events were not sent."""
        self._outbox.close()
        self._outbox.wait_empty(timeout_s)
        left = self._outbox.abandon()
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_END_S)
        return left

    def disown(self) -> None:
        """In a child of a fork: leave the parent's connection alone, now and at exit.

        The sockets are shared, and so is the selector that watches them: whoever closed them here
        would take them from the parent.
        """
        if self._producer is not None:
            _forget_at_exit(self._producer)
            self._producer._closed = True

    # ---- the thread

    def _run(self) -> None:
        retry = Retry(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        while not self._stop.is_set() and not self._outbox.is_over:
            try:
                if not (self._eager and self._producer is None):
                    self._outbox.wait_for_work(
                        1.0 if self._outbox.on_way else None, self._max_on_way
                    )
                if self._outbox.is_over:
                    break
                if (error := self._broken) is not None:
                    self._give_up_producer()
                    if not isinstance(error, _TOO_LARGE):
                        raise self._failure(error)
                if self._producer is None:
                    self._producer = self._connected()
                if not self._outbox.on_way:
                    self._moving_at = time.monotonic()
                for number, message in self._outbox.take(self._max_on_way):
                    self._send(number, message)
                self._look_for_progress()
                if self._broken is None:
                    retry.succeeded()
                continue
            except _NotNowError as trouble:
                self._hindered(trouble.kind, f"{trouble} {self._waiting()}")
            except Exception as error:
                self._broken = error
                self._hindered(f"bug {type(error).__name__}", f"sending failed: {error!r}.")
            self._stop.wait(retry.next_pause())
        self._say_if_over()
        self._give_up_producer()

    def _connected(self) -> Any:
        """A producer, once the broker answers and has all topics.

        Raises
        ------
        _NotNowError
        """
        self._look()
        try:
            producer = KafkaProducer(**self._options)
        except (KafkaError, OSError) as error:
            raise _NotNowError("away", self._away(error)) from error
        _forget_at_exit(producer)  # it would throw away in a second what we may still send
        self._notices.over(f"Kafka at {self._servers} answers again.", "away")
        return producer

    def _look(self) -> None:
        """Raise what is in the way: nobody answers, we may not, or a topic is not there."""
        close_failed_sockets()
        quieten_kafka_python()
        try:
            with admin(self._kafka, timeout_s=_CONNECT_S) as client:
                there = described(client, self._topics)
                missing = [topic for topic in self._topics if topic not in there]
                names = client.list_topics() if missing else []
        except (KafkaError, OSError, ValueError) as error:
            known = explain(error, self._kafka) if isinstance(error, KafkaError) else None
            raise _NotNowError("away", str(known or self._away(error))) from error
        for topic in missing:
            near = difflib.get_close_matches(topic, [n for n in names if n[:1] != "_"], 1)
            hint = (
                f"Did you mean {near[0]!r}?" if near else "Create it: driftstream topics --create."
            )
            raise _NotNowError(
                "no topic", f"there is no topic {topic!r} at {self._servers}. {hint}"
            )
        self._notices.over(f"all topics are there now: {', '.join(self._topics)}.", "no topic")

    def _send(self, number: int, message: Any) -> None:
        if self._broken is not None:
            return
        try:
            future = self._producer.send(
                message.topic, message.value, key=message.key, headers=message.headers
            )
        except Exception as error:
            self._broken = error
        else:
            future.add_callback(self._confirmed, number)
            future.add_errback(self._failed, self._producer, number)

    def _confirmed(self, number: int, _: object) -> None:
        self._confirmed_at = time.monotonic()
        self._outbox.done(number)

    def _failed(self, producer: Any, number: int, error: BaseException) -> None:
        # After the first failure all others follow from it: what they are of is sent again.
        if producer is not self._producer or self._broken is not None:
            return
        self._broken = error
        if isinstance(error, _TOO_LARGE):
            self._notices.warn(
                "too_large",
                "an event was dropped: the broker takes no message of its size. Lower "
                "max_message_bytes here, or raise the topic's max.message.bytes.",
            )
            self._outbox.done(number, "too_large")

    def _look_for_progress(self) -> None:
        """Say why nothing is confirmed, if nothing was for long; and that it is over."""
        self._say_if_over()
        if not self._outbox.is_crowded:
            self._notices.over("there is room in the queue again.", "queue_full")
        now = time.monotonic()
        last = max(self._moving_at, self._confirmed_at, self._looked_at)
        if self._outbox.on_way and now - last > _STALLED_S:
            self._looked_at = now  # and not moving: `flows` must not take a look for a confirmation
            self._look()
            self._hindered(
                "stalled",
                f"Kafka at {self._servers} has confirmed nothing for {_STALLED_S:.0f} s. "
                + self._waiting(),
            )

    def _hindered(self, kind: str, words: str) -> None:
        """Tell of trouble that the next confirmation ends."""
        self._hindered_at = time.monotonic()
        self._hindrances.add(kind)
        self._notices.warn(kind, words)

    def _say_if_over(self) -> None:
        """Say that the broker confirms again, to who was told of trouble that it had ended."""
        if self._hindrances and self._confirmed_at >= self._hindered_at:
            words = f"Kafka at {self._servers} confirms events again."
            self._notices.over(words, *self._hindrances)
            self._hindrances.clear()

    def _give_up_producer(self) -> None:
        """Throw the producer away; what it did not confirm waits again."""
        producer, self._producer, self._broken = self._producer, None, None
        if producer is not None:
            _discard(producer)
        self._outbox.put_back()

    def _failure(self, error: BaseException) -> _NotNowError:
        known = explain(error, self._kafka)
        words = str(known) if known else f"sending failed, and begins anew: {error!r}."
        return _NotNowError(f"failed {type(error).__name__}", words)

    def _away(self, error: BaseException) -> str:
        return f"Kafka at {self._servers} does not answer: {str(error).rstrip('.')}."

    def _waiting(self) -> str:
        _, _, queued, _ = self._outbox.counts()
        return f"{counted(queued, 'event')} wait; it is tried again and again."


class _NotNowError(Exception):
    """Nothing can be sent for now; `kind` is what is said once."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


def _forget_at_exit(producer: Any) -> None:
    """Take back what kafka-python would do with a producer when the interpreter ends."""
    producer._unregister_cleanup()


def _discard(producer: Any) -> None:
    """End a producer at once."""
    try:
        producer.close(timeout=0)
    except Exception:  # it has unsent messages, and then ends by force only
        with contextlib.suppress(Exception):
            producer._sender.force_close()
            producer._closed = True
