"""A topic that a broker does not know yet: looked for during a while, then said to be missing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from stream.client.plan_topic import publish_plan
from stream.contracts.topic_names import TopicNames
from stream.kafka import sources
from stream.kafka.connection import connection_arguments
from stream.kafka.skips import SkipBook
from stream.kafka.sources import SourceChangedError, event_topics, source_topics
from stream.kafka.topics import WantedTopic, create_topics, delete_topics
from stream.metrics import MetricsCollector
from stream.plans.plan import PlanBook
from stream.worker import plans_feed
from stream.worker.plans_feed import PlansFeed
from stream.worker.settings import WorkerSettings
from stream.worker.worker import Worker
from tests.integration.tools import letters, run
from tests.integration.worker_kit import Install, installer, make_events, make_plan

pytestmark = pytest.mark.broker


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"snapshot_interval": "500ms"}) as make:
        yield make


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


def test_topics_that_only_former_plans_read_have_no_models() -> None:
    book = PlanBook()
    book.add(make_plan("old"))
    book.add(make_plan("new"), 10**13)
    book.add(make_plan("new", "churn"), 0)
    book.add(make_plan("gone", "loans"), 0)
    assert event_topics(book) == {"gone": ["loans"], "new": ["churn", "fraud"], "old": []}


def test_a_model_whose_topic_is_gone_takes_no_other_along(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan outlives the config that named it, and the topic that it reads."""
    monkeypatch.setattr(sources, "PATIENCE_S", 1.0)
    site = install()
    gone = site.prefix + "gone"
    publish_plan(site.kafka, site.topics["plans"], make_plan(gone, "retired"))
    site.produce(make_events(4_000, None))
    settings = WorkerSettings(
        kafka=site.kafka,
        group=site.prefix + "group",
        topics=TopicNames(**site.topics),
        sources_interval_s=0.5,
        snapshot_interval_s=0.5,
    )
    failed: list[BaseException] = []

    def look() -> None:
        try:
            make_it()
        except BaseException as error:
            failed.append(error)
            worker.stop()

    def make_it() -> None:
        site.wait_for(lambda: sorted(site.through().values()) == [1_000] * 4)
        words = worker.status.ready()
        assert words[0]
        assert words[1].endswith(f"; no topic {gone}, which the plan of retired reads")
        metrics = generate_latest(MetricsCollector(worker.status)).decode()
        assert f'driftstream_topic_absent{{model="retired",topic="{gone}"}} 1.0' in metrics
        checked = run("check", "-c", site.config())
        assert f"no topic {gone}, which the plan of retired reads: nothing" in checked.stdout
        assert "and not in this config" in checked.stdout
        create_topics(site.kafka, [WantedTopic(gone, 1, {"cleanup.policy": "delete"})])

    worker = Worker(settings)
    person = threading.Thread(target=look)
    with pytest.raises(SourceChangedError, match=f"topic {gone} was not there"):
        asyncio.run(asyncio.wait_for(worker.run(lambda _: person.start()), 60))
    person.join()
    assert not failed

    # Started again it reads it; of a model without a topic at all it says so.
    worker = Worker(settings)
    asyncio.run(asyncio.wait_for(worker.run(lambda _: worker.stop()), 180))
    assert not worker.status.absent
    assert letters(site) == []
    delete_topics(site.kafka, [gone, site.plan.topic])
    with pytest.raises(LookupError, match=f"no topic {site.plan.topic}, which the plan of fraud"):
        asyncio.run(asyncio.wait_for(Worker(settings).run(), 180))
