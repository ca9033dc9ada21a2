"""The alerts topic with committed positions, and the loop that feeds a dispatcher from it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from stream.alerts.silences import Silence
from stream.client.records import tell_unread
from stream.contracts.errors import NotFoundError
from stream.kafka.access import check_connection, unreachable
from stream.kafka.codecs import bound_kafka_python
from stream.kafka.failed_sockets import close_failed_sockets
from stream.kafka.security import client_options
from stream.kafka.topics import topic_partitions
from stream.kafka.unreadable_batch import SkippingPoll
from stream.notify.dispatcher import Commit, Dispatcher
from stream.notify.notify_status import NotifyStatus
from stream.notify.targets import Target

__all__ = ["run_notify"]

log = logging.getLogger(__name__)
_POLL_MS: Final = 200
_COMMIT_TIMEOUT_MS: Final = 5_000


def run_notify(
    kafka: Mapping[str, object],
    topic: str,
    group: str,
    targets: Sequence[Target],
    stop: threading.Event,
    on_ready: Callable[[int], None] = lambda _open: None,
    clock: Callable[[], float] = time.time,
    silences: Sequence[Silence] = (),
    status: NotifyStatus | None = None,
) -> None:
    """Deliver alerts until `stop` is set. Run one of it: two would both deliver everything.

    Positions are committed under `group`, which has no members. `on_ready` is called with the
    number of open episodes when the topic has been read to its end. `status` gets the dispatcher.

    Raises
    ------
    NotFoundError
        If there is no such topic.
    ConnectionError
        If Kafka cannot be reached at the start, or refuses us. Later it is waited for.
    """
    settings: dict[str, Any] = {
        **client_options(kafka),
        "group_id": group,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "fetch_max_wait_ms": _POLL_MS,
    }
    bound_kafka_python()
    close_failed_sockets()
    check_connection(kafka)
    with _words(kafka):
        consumer = KafkaConsumer(**settings)
    with closing(consumer), _words(kafka):
        found = consumer.partitions_for_topic(topic) or range(topic_partitions(kafka, topic))
        parts = [TopicPartition(topic, p) for p in sorted(found)]
        if not parts:
            raise NotFoundError(
                f"there is no topic {topic}. Check its name, or create it: "
                "driftstream topics --create."
            )
        consumer.assign(parts)
        ends = consumer.end_offsets(parts)
        dispatcher = Dispatcher(
            targets,
            _committed(consumer, parts),
            {tp.partition: ends[tp] for tp in parts},
            clock,
            silences,
        )
        if status is not None:
            status.dispatcher = dispatcher
        consumer.seek_to_beginning(*parts)
        poll = SkippingPoll(consumer, kafka, tell_unread)
        while any(consumer.position(tp) < ends[tp] for tp in parts) and not stop.is_set():
            _feed(consumer, poll, dispatcher)
        dispatcher.start()
        try:
            on_ready(len(dispatcher.open))
            while not stop.is_set():
                _feed(consumer, poll, dispatcher)
                _commit(consumer, topic, dispatcher)
        finally:
            dispatcher.stop()
            _commit(consumer, topic, dispatcher)


@contextmanager
def _words(kafka: Mapping[str, object]) -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        raise unreachable(error, kafka) from error


def _feed(consumer: Any, poll: SkippingPoll, dispatcher: Dispatcher) -> None:
    for tp, records in poll.poll(_POLL_MS).items():
        for record in records:
            dispatcher.feed(tp.partition, record.offset, record.value, record.timestamp)
        dispatcher.end_at(tp.partition, consumer.highwater(tp) or 0)


def _committed(consumer: Any, parts: Sequence[Any]) -> dict[int, Commit]:
    found = {}
    for tp in parts:
        stored = consumer.committed(tp, metadata=True)
        if stored is not None and stored.offset >= 0:
            found[tp.partition] = Commit(stored.offset, stored.metadata or "")
    return found


def _commit(consumer: Any, topic: str, dispatcher: Dispatcher) -> None:
    due = dispatcher.commits()
    if not due:
        return
    offsets = {
        TopicPartition(topic, partition): OffsetAndMetadata(commit.offset, commit.metadata, -1)
        for partition, commit in due.items()
    }
    try:
        consumer.commit(offsets, timeout_ms=_COMMIT_TIMEOUT_MS)
    except KafkaError as error:
        dispatcher.retract(due)
        log.warning("positions were not committed, tried again soon: %r", error)
