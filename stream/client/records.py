"""What programs beside the worker do with Kafka: publish events, read topics.

Built on kafka-python, which needs no event loop. `kafka` is always `[kafka]` of the config: a
mapping with librdkafka's names.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final, NamedTuple, Protocol

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from stream.contracts.errors import DriftstreamError, NotFoundError
from stream.contracts.unread import Unread
from stream.kafka.access import check_connection, explain, unreachable
from stream.kafka.codecs import bound_kafka_python
from stream.kafka.failed_sockets import close_failed_sockets
from stream.kafka.security import client_options
from stream.kafka.topics import topic_partitions
from stream.kafka.unreadable_batch import SkippingPoll, UnreadableError

__all__ = [
    "DeliveryError",
    "KafkaRecord",
    "TimedMessage",
    "producer",
    "publish",
    "read_topic",
    "tell_unread",
]

log = logging.getLogger(__name__)

Headers = Sequence[tuple[str, bytes]]
#: (key, value, headers); the broker stamps the time.
Message = tuple[bytes | None, bytes | None, Headers]


class TimedMessage(NamedTuple):
    """A message to a topic of its own, with a time of its own."""

    key: bytes | None
    value: bytes
    headers: Headers
    topic: str
    timestamp_ms: int


_POLL_MS: Final = 200


class KafkaRecord(Protocol):
    """A record as kafka-python gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class DeliveryError(DriftstreamError, RuntimeError):
    """Records were not delivered; the message says where, the first of them and why."""


@contextmanager
def producer(kafka: Mapping[str, object], **settings: Any) -> Iterator[Any]:
    """Give a kafka-python producer set for throughput; flushed and closed at the end.

    Waiting 20 ms for larger batches more than doubles what it sends; `acks=all` and idempotence
    keep the order and every record through a broker's restart.

    Raises
    ------
    ConnectionError
        If no broker answers, or one refuses the connection or a right (`AccessError`).
    """
    options: dict[str, Any] = {
        "linger_ms": 20,
        "batch_size": 262_144,
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": None,
        **client_options(kafka),
        **settings,
    }
    with _words(kafka), closing(KafkaProducer(**options)) as client:
        yield client


def publish(
    kafka: Mapping[str, object],
    topic: str,
    messages: Iterable[Message | TimedMessage],
    *,
    partition: int | None = None,
    on_sent: Callable[[int], None] | None = None,
    **settings: Any,
) -> int:
    """Send every message and wait until the broker has them all; return how many.

    `messages` is pulled as fast as the broker takes them: pace them there. `on_sent` is called
    with the number handed over so far, about every thousand messages. `settings` are those of
    kafka-python's producer and go over ours.

    Raises
    ------
    NotFoundError
        If there is no such topic.
    DeliveryError
        As soon as a failure is known; earlier messages may have been delivered.
    ConnectionError
        If no broker answers, or one refuses the connection or a right (`AccessError`).
    """
    failures: list[tuple[int, BaseException]] = []
    where = topic if partition is None else f"{topic}[{partition}]"
    count = 0
    if not topic_partitions(kafka, topic):  # the producer itself would look for it for a minute
        raise _no_topic(kafka, topic)
    with producer(kafka, **settings) as client:
        for message in messages:
            key, value, headers = message[:3]
            to, at_ms = topic, None
            if isinstance(message, TimedMessage):
                to, at_ms = message.topic, message.timestamp_ms
            try:
                sent = client.send(
                    to,
                    value,
                    key=key,
                    headers=list(headers),
                    partition=partition,
                    timestamp_ms=at_ms,
                )
            except KafkaError as error:
                raise _undelivered(kafka, where, count, error) from error
            sent.add_errback(_note(failures, count))
            count += 1
            if not count & 1023:
                if failures:
                    break
                if on_sent is not None:
                    on_sent(count)
        client.flush()
    if failures:
        first, reason = min(failures, key=lambda failure: failure[0])
        raise _undelivered(kafka, where, first, reason) from reason
    if on_sent is not None:
        on_sent(count)
    return count


def read_topic(
    kafka: Mapping[str, object],
    topic: str,
    *,
    from_beginning: bool = True,
    follow: bool = False,
    stop: Callable[[], bool] | None = None,
    on_unread: Callable[[str, int, Unread], None] | None = None,
    on_ends: Callable[[dict[int, int]], None] | None = None,
) -> Iterator[KafkaRecord]:
    """Read a topic's records, a partition's in their order.

    Without `follow` it ends where the topic ended at the call; with it, when `stop()` is true
    (asked at least five times a second) or the caller stops iterating. Nothing is committed.
    `on_unread` is told (topic, partition, batch) of what cannot be read, and may raise or return:
    then reading goes on behind it. `on_ends` is told where each partition ends at the call.

    Raises
    ------
    NotFoundError
        If there is no such topic.
    UnreadableError
        Without `on_unread`, if a batch cannot be read.
    """
    bound_kafka_python()
    unread_handler = on_unread or _refuse_unread
    options = client_options(kafka)
    settings = {"enable_auto_commit": False, "auto_offset_reset": "earliest", **options}
    settings |= {"max_poll_records": 4000, "fetch_max_wait_ms": _POLL_MS}
    with _words(kafka), closing(KafkaConsumer(**settings)) as consumer:
        found = consumer.partitions_for_topic(topic) or range(topic_partitions(kafka, topic))
        if not found:
            raise _no_topic(kafka, topic)
        parts = [TopicPartition(topic, p) for p in sorted(found)]
        consumer.assign(parts)
        ends = consumer.end_offsets(parts)
        if on_ends is not None:
            on_ends({part.partition: end for part, end in ends.items()})
        if from_beginning:
            consumer.seek_to_beginning(*parts)
        else:
            for part in parts:
                consumer.seek(part, ends[part])
        poll = SkippingPoll(consumer, kafka, unread_handler)
        while follow or any(consumer.position(part) < ends[part] for part in parts):
            if stop is not None and stop():
                return
            polled = poll.poll(_POLL_MS)
            for part, records in polled.items():
                for record in records:
                    if follow or record.offset < ends[part]:
                        yield record


def tell_unread(topic: str, partition: int, unread: Unread) -> None:
    """Warn of a batch that is passed over."""
    log.warning("passed over: %s", _of_unread(topic, partition, unread))


def _refuse_unread(topic: str, partition: int, unread: Unread) -> None:
    raise UnreadableError(_of_unread(topic, partition, unread) + ".")


def _of_unread(topic: str, partition: int, unread: Unread) -> str:
    words = f"{topic}[{partition}]: {unread} cannot be read"
    return f"{words} ({unread.reason}: {unread.error.rstrip('.')})"


def _note(failures: list[tuple[int, BaseException]], number: int) -> Callable[..., None]:
    def failed(error: BaseException) -> None:
        failures.append((number, error))

    return failed


def _no_topic(kafka: Mapping[str, object], topic: str) -> NotFoundError:
    servers = ", ".join(client_options(kafka)["bootstrap_servers"])
    return NotFoundError(
        f"there is no topic {topic} at {servers}. Check its name, or create it: "
        "driftstream topics --create."
    )


def _undelivered(
    kafka: Mapping[str, object], where: str, number: int, reason: BaseException
) -> ConnectionError | DeliveryError:
    return explain(reason, kafka) or DeliveryError(
        f"{where}: message {number + 1:,} was not delivered: {reason or type(reason).__name__}. "
        "Check that the topic exists, that it takes messages of this size, and the broker's log."
    )


@contextmanager
def _words(kafka: Mapping[str, object]) -> Iterator[None]:
    """Say who could not be reached or what is not allowed; kafka-python's words do not help."""
    check_connection(kafka)
    close_failed_sockets()
    try:
        yield
    except KafkaError as error:
        raise unreachable(error, kafka) from error
