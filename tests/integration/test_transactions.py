"""Transactions of producers: one that is open is waited for, an aborted one is no lag."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from stream.devbroker.broker import free_port
from tests.integration.tools import page
from tests.integration.worker_kit import Install, installer, make_events

pytestmark = pytest.mark.broker


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"snapshot_interval": "500ms"}) as make:
        yield make


def begin(producer: Producer, topic: str, values: list[bytes]) -> None:
    """Open a transaction, and write into partition 0."""
    producer.begin_transaction()
    send(producer, topic, values, [0])


def send(producer: Producer, topic: str, values: list[bytes], partitions: list[int]) -> None:
    """Deal to partitions in turn, all at once: a pause between them would count as silence."""
    for i, value in enumerate(values):
        producer.produce(topic, value, partition=partitions[i % len(partitions)])
    assert producer.flush(60) == 0


def test_a_transaction_is_waited_for_and_an_aborted_one_is_no_lag(install: Install) -> None:
    port = free_port()
    site = install(idle_after="5s", metrics_address=f"127.0.0.1:{port}")
    topic = site.plan.topic
    worker = site.start()
    site.wait_ready(worker)
    events = make_events(6_000, 3_000)

    def says(words: str) -> bool:
        return words in page(port, "/metrics")[1]

    def lag(records: int) -> bool:
        return says(f'consumer_lag_records{{partition="0",topic="{topic}"}} {records}.0')

    first, second = events[:2_000], events[2_000:]
    settings = {"bootstrap.servers": site.kafka["bootstrap_servers"], "log_level": 0}
    plain, producer = Producer(settings), Producer({**settings, "transactional.id": topic})
    producer.init_transactions(60)
    site.produce(first, close=False)
    begin(producer, topic, make_events(500, 0, seed=2))
    producer.abort_transaction(60)
    site.wait_for(lambda: len(site.through()) == 4 and lag(0))

    waits = worker.said().count("a transaction is open at")
    send(plain, topic, second[:1], [0])
    # The other partitions, which that woke, have not said yet that they are idle again.
    site.wait_for(lambda: f"{topic}[0]: nothing more to read at 1002" in worker.said())
    begin(producer, topic, second[4::4])
    send(plain, topic, [e for i, e in enumerate(second) if i % 4], [1, 2, 3])
    site.wait_for(lambda: lag(999))
    # When it would be called silent.
    site.wait_for(lambda: worker.said().count("a transaction is open at") > waits)
    assert lag(999)
    producer.commit_transaction(60)
    site.produce([], close=True)
    expected = site.expected_alerts(events)
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert expected
    assert site.alerts() == expected
