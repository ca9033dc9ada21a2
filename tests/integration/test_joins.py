"""Labels that come later, on another topic, joined by workers that die."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Producer

from stream.client.records import read_topic
from stream.contracts.summary_message import SummaryBatch, decode_message
from stream.join.joiner import JoinCounts
from stream.join.partition import PartitionJoin
from stream.kafka.topics import WantedTopic, create_topics
from stream.plans.plan import PlanBook
from stream.stage2.snapshot import best_snapshot
from tests.integration.worker_kit import Installation
from tests.stream.join.log_world import N, Said, naive, plan, replayed, said, truths_in

pytestmark = pytest.mark.broker
LABELS = 2


def send(site: Installation, events: list[tuple[str, Said]], *, close: bool) -> None:
    """Deal events to partitions in turn; records of labels have the times that they came at."""
    settings = {key.replace("_", "."): value for key, value in site.kafka.items()}
    producer = Producer(settings)
    n = {site.plan.topic: site.partitions, site.plan.outcome_labels: LABELS}
    for i, (topic, event) in enumerate(events):
        producer.produce(topic, event.event, partition=i % n[topic], timestamp=event.at_s * 1_000)
        producer.poll(0)
    for topic, last in zip(n, (each[-1] for each in said()), strict=True) if close else ():
        for partition in range(n[topic]):
            producer.produce(topic, last.event, partition=partition, timestamp=last.at_s * 1_000)
    assert producer.flush(60) == 0


def joins(site: Installation) -> list[PartitionJoin]:
    """As the snapshots have them."""
    book = PlanBook()
    book.add(site.plan)
    stored: dict[int, list[tuple[bytes, bytes | None]]] = {}
    for record in read_topic(site.kafka, site.topics["pairs_state"], on_unread=lambda *_: None):
        stored.setdefault(record.partition, []).append((record.key, record.value))
    found = []
    for partition, records in stored.items():
        if (best := best_snapshot(partition, records)) is not None:
            join = PartitionJoin(book, "", partition, site.summaries_partitions)
            join.restore(*best)
            found.append(join)
    return found


def counts(site: Installation) -> JoinCounts:
    total: Counter[str] = Counter()
    for partition in joins(site):
        for join in partition.joins.values():
            for name in JoinCounts.__slots__:
                total[name] += getattr(join.joiner.counts, name)
            total["unmatched"] += join.joiner.lone
    return JoinCounts(**{name: total[name] for name in JoinCounts.__slots__})


@pytest.fixture
def site(kafka: dict[str, object], topic_prefix: str, tmp_path: Path):
    watched = plan(topic=topic_prefix + "events", outcome_labels=topic_prefix + "labels")
    kept = {"cleanup.policy": "delete", "retention.ms": "-1"}  # of records with times long ago
    create_topics(kafka, [WantedTopic(watched.outcome_labels, LABELS, kept, ours=False)])
    # Without idleness all that is decided is a function of the events (law 3).
    worker = {"snapshot_interval": "300ms", "idle_after": "10m"}
    site = Installation(kafka, topic_prefix, tmp_path, watched, worker=worker)
    yield site
    site.stop_all()


def test_kill_9_in_the_middle_joins_the_same(site: Installation) -> None:
    made, known = said()
    expected = replayed(site.plan)
    assert expected
    both = [(site.plan.topic, e) for e in made[:-1]]
    both += [(site.plan.outcome_labels, e) for e in known[:-1]]
    both.sort(key=lambda event: event[1].at_s)
    half = len(both) // 2
    victim = site.start()
    site.wait_ready(victim)
    send(site, both[:half], close=False)
    site.wait_for(lambda: sum(len(j.joins) for j in joins(site)) and counts(site).labelled > 100)
    victim.kill()
    send(site, both[half:], close=True)
    for stage in ("summarise", "join", "monitor"):  # what one worker began, three go on with
        site.start(stage)
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert site.alerts() == expected
    found, truths = naive()
    site.wait_for(lambda: counts(site).predictions >= N and counts(site).known >= found.known)
    after = counts(site)
    after.again = 0
    assert after == found
    messages = [decode_message(r.value) for r in read_topic(site.kafka, site.topics["summaries"])]
    batches = [message for message in messages if isinstance(message, SummaryBatch)]
    assert truths_in(site.plan, batches) == truths
