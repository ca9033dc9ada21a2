"""Workers on a real broker: what they count and decide is what one process does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stream.client.plan_topic import publish_plan
from stream.client.records import publish, read_topic
from stream.contracts.topic_names import TopicNames
from stream.kafka.admin import admin
from stream.kafka.sources import SourceChangedError
from stream.worker.settings import WorkerSettings
from stream.worker.worker import Worker
from tests.integration.worker_kit import Install, installer, last_event, make_events, make_plan

pytestmark = pytest.mark.broker
HUGE = {"window_events": 10**9, "window_max_age_ms": 10**12}


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"snapshot_interval": "500ms"}) as make:
        yield make


@pytest.mark.parametrize("workers", [1, 2])
def test_counts_equal_the_truth(install: Install, workers: int) -> None:
    site = install(HUGE)
    events = make_events(40_000, None)
    site.produce(events)
    for _ in range(workers):
        site.start()
    truth = site.truth([*events, *[last_event()] * site.partitions])
    # The last events' panes are not complete: they come with the idle flush or not at all.
    before = site.truth(events)
    site.wait_for(lambda: site.counts()[0] >= before[0])
    got = site.counts()
    assert np.array_equal(got, before) or np.array_equal(got, truth)


def test_two_workers_alert_as_one_process(install: Install) -> None:
    site = install()
    events = make_events(50_000, 25_000)
    expected = site.expected_alerts(events)
    assert expected, "the change must be found for the test to say anything"
    workers = [site.start(), site.start()]
    for worker in workers:
        site.wait_ready(worker)
    site.produce(events)
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert [w.terminate() for w in workers] == [0, 0]
    assert site.alerts() == expected


def test_stages_on_their_own_and_rebalances(install: Install) -> None:
    site = install()
    events = make_events(45_000, 20_000)
    expected = site.expected_alerts(events)
    summarise = site.start("summarise")
    site.wait_ready(summarise)
    third = len(events) // 3
    site.produce(events[:third], close=False)
    monitor = site.start("monitor")  # joins: a rebalance
    site.wait_ready(monitor)
    both = site.start("all")  # and another
    site.produce(events[third : 2 * third], close=False)
    site.wait_ready(both)
    began = time.monotonic()
    assert summarise.terminate() == 0  # and a leave
    assert time.monotonic() - began < 10, "told to stop, a worker must be gone within 10 s"
    site.produce(events[2 * third :])
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert site.alerts() == expected


def test_refused_records_go_to_the_dead_letters_and_the_rest_is_counted(install: Install) -> None:
    site = install(HUGE)
    good = make_events(200, None)
    bad = [b"\xff\xfe", b"", b"{}", b'{"model": {"name": "nobody"}, "timestamp": 1767225600}']
    publish(site.kafka, site.plan.topic, ((b"k", v, [("h", b"1")]) for v in bad), partition=0)
    site.produce(good)
    site.start()
    site.wait_for(lambda: site.counts()[0] >= len(good))
    letters = list(read_topic(site.kafka, site.topics["dead_letter"]))
    assert sorted(r.value for r in letters) == sorted(bad)
    for letter in letters:
        headers = dict(letter.headers)
        assert letter.key == b"k"
        assert headers["h"] == b"1"
        assert headers["driftstream.dlq.topic"].decode() == site.plan.topic
        assert {"reason", "error", "partition", "offset", "timestamp"} <= {
            name.rpartition(".")[2] for name in headers
        }


def test_a_silent_partition_does_not_hold_back_the_others(install: Install) -> None:
    site = install(HUGE, idle_after="1s")
    events = make_events(2_000, None)
    publish(site.kafka, site.plan.topic, ((None, e, ()) for e in events), partition=0)
    site.start()
    # Partitions 1 to 3 never hold anything: only their idle records let panes be sealed.
    site.wait_for(
        lambda: any(
            s.panes_sealed > 0 for m in site.restored().values() for s in m.subjects.values()
        )
    )


def test_a_plan_published_later_is_taken_up(install: Install) -> None:
    site = install(HUGE)
    site.wait_ready(site.start())
    later = make_plan(site.plan.topic, "churn", **HUGE)
    assert publish_plan(site.kafka, site.topics["plans"], later).new
    site.wait_for(lambda: "plan churn/*" in site.running[0].said())
    events = [e.replace(b'"fraud"', b'"churn"') for e in make_events(2_000, None)]
    site.produce(events)  # ends with an event of the other model in each partition
    site.wait_for(
        lambda: {str(s) for m in site.restored().values() for s in m.subjects} >= {"churn/3"}
    )
    assert list(read_topic(site.kafka, site.topics["dead_letter"])) == []


def test_a_worker_without_plans_says_so(install: Install) -> None:
    site = install()
    site.topics = {**site.topics, "plans": site.plan.topic}  # a topic that holds none
    worker = site.start()
    assert worker.process.wait(180) == 1
    said = worker.said()
    assert "holds no plan" in said
    assert "driftstream plan publish" in said


def test_a_missing_topic_is_named(install: Install) -> None:
    site = install()
    site.topics = {**site.topics, "summaries": "nowhere.summaries"}
    worker = site.start()
    assert worker.process.wait(180) == 1
    assert "no topic nowhere.summaries" in worker.said()


def test_a_summaries_topic_that_grows_ends_the_worker(install: Install) -> None:
    site = install()
    settings = WorkerSettings(
        kafka=site.kafka,
        group=site.prefix + "group",
        topics=TopicNames(**site.topics),
        sources_interval_s=0.5,
    )

    def grow(_: object) -> None:
        with admin(site.kafka) as client:
            client.create_partitions({site.topics["summaries"]: 3})

    worker = Worker(settings)
    with pytest.raises(SourceChangedError, match=r"summaries has 3 partitions, 2 when .* started"):
        asyncio.run(asyncio.wait_for(worker.run(grow), 180))
    assert "SourceChangedError" in worker.status.healthy()[1]
    assert not worker.status.ready()[0]
