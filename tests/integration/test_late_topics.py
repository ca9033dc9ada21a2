"""A topic that a broker does not know yet: looked for during a while, then said to be missing."""

from __future__ import annotations

import asyncio
import threading

import pytest

from stream.kafka import plans_feed, sources
from stream.kafka.connection import connection_arguments
from stream.kafka.plans_feed import PlansFeed
from stream.kafka.sources import source_topics
from stream.kafka.topics import WantedTopic, create_topics
from stream.skips import SkipBook

pytestmark = pytest.mark.broker


async def read_to_end(kafka: dict[str, object], topic: str) -> None:
    feed = PlansFeed(connection_arguments(kafka), topic, lambda key, value: None, SkipBook())
    try:
        await feed.start()
    finally:
        await feed.stop()


def test_a_topic_that_is_known_a_moment_later_is_waited_for(
    kafka: dict[str, object], topic_prefix: str
) -> None:
    topic = f"{topic_prefix}plans"
    made = WantedTopic(topic, 1, {"cleanup.policy": "compact"})
    later = threading.Timer(1.5, create_topics, (kafka, [made]))
    later.start()

    async def both() -> dict[str, tuple[str, int]]:
        found, _ = await asyncio.gather(source_topics(kafka, [topic]), read_to_end(kafka, topic))
        return found

    found = asyncio.run(both())
    later.join()
    assert found[topic][1] == 1


def test_one_that_is_never_known_is_said_to_be_missing(
    kafka: dict[str, object], topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sources, plans_feed):
        monkeypatch.setattr(module, "PATIENCE_S", 1.0)
    with pytest.raises(LookupError, match=f"no topic {topic_prefix}absent on this Kafka"):
        asyncio.run(source_topics(kafka, [f"{topic_prefix}absent"]))
    with pytest.raises(LookupError, match=f"plans topic {topic_prefix}absent does not exist"):
        asyncio.run(read_to_end(kafka, f"{topic_prefix}absent"))
