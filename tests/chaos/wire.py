"""To the broker and back, fast: a paced publisher and topics that are followed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)

from tests.chaos.traffic import Message

__all__ = ["Publisher", "Topic"]

_TIMEOUT_S: Final = 60.0
#: What a broker answers that leads a partition no longer, or not yet.
_LEADER_MOVED: Final = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
)


class Publisher:
    """Sends a stream of slices in a thread of its own, no further than it is allowed to.

    Idempotent and without a limit of time, so an outage of the broker neither loses a message nor
    changes the order within a partition.
    """

    def __init__(self, servers: str, topic: str, slices: Iterable[list[Message]]) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                # With more, a batch was found behind later ones after the broker's kill.
                "max.in.flight.requests.per.connection": 1,
                "message.timeout.ms": 0,
                "queue.buffering.max.messages": 100_000,
                "log_level": 0,
            }
        )
        self._topic = topic
        self._slices: Iterator[list[Message]] = iter(slices)
        self._error: BaseException | None = None
        self._go = threading.Semaphore(0)
        self.sent = 0
        self.finished = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def allow(self, n_slices: int) -> None:
        """Let this many more slices out."""
        if n_slices > 0:
            self._go.release(n_slices)

    def wait(self, timeout_s: float = 300.0) -> None:
        """Return when all slices are acknowledged; it may take long, but not stand still."""
        before = -1
        while not self.finished.wait(timeout_s):
            if self.sent == before:
                raise TimeoutError(f"{self.sent} messages sent, none of them in {timeout_s} s")
            before = self.sent
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            for messages in self._slices:
                self._go.acquire()
                for message in messages:
                    self._send(message)
                self.sent += len(messages)
            while self._producer.flush(1.0):
                pass
        except BaseException as error:
            self._error = error
        self.finished.set()

    def _send(self, message: Message) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    message.value,
                    partition=message.partition,
                    timestamp=message.arrival_ms,
                    on_delivery=self._delivered,
                )
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)

    def _delivered(self, error: Any, _: Any) -> None:
        if error is not None:
            self._error = RuntimeError(f"not delivered: {error}")


class Topic:
    """Reads a topic from its beginning to what is its end at each call of `more`."""

    def __init__(self, servers: str, topic: str) -> None:
        self._topic = topic
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "reader",
                "enable.auto.commit": False,
                "log_level": 0,
                "fetch.message.max.bytes": 4_000_000,
            }
        )
        parts = self._consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions
        self._next = dict.fromkeys(sorted(parts), 0)
        self._consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in self._next])

    def end(self, partition: int) -> int:
        """The log's end as of now; asked again where its leader has just moved."""
        tp = TopicPartition(self._topic, partition)
        until = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                return int(self._consumer.get_watermark_offsets(tp, timeout=_TIMEOUT_S)[1])
            except KafkaException as error:
                if error.args[0].code() not in _LEADER_MOVED or time.monotonic() > until:
                    raise
            time.sleep(0.2)

    def more(self) -> Iterator[Any]:
        """Records that were not given yet."""
        ends = {p: self.end(p) for p in self._next}
        until = time.monotonic() + _TIMEOUT_S
        while any(self._next[p] < end for p, end in ends.items()):
            for record in self._consumer.consume(10_000, timeout=0.5):
                if record.error():
                    continue
                self._next[record.partition()] = record.offset() + 1
                until = time.monotonic() + _TIMEOUT_S
                yield record
            # Compaction may have taken the last records away.
            for tp in self._consumer.position([TopicPartition(self._topic, p) for p in self._next]):
                self._next[tp.partition] = max(self._next[tp.partition], tp.offset)
            if time.monotonic() > until:
                raise TimeoutError(f"{self._topic} could not be read to its end {ends}")

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()
