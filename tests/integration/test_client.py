"""Publishing and reading on a real broker; plans cut into parts and put together again."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from itertools import count

import numpy as np
import pytest

from detectors import fit_reference
from stream.client.alert_log import latest_alerts, read_alerts
from stream.client.plan_topic import publish_plan, read_plans
from stream.client.records import DeliveryError, publish, read_topic
from stream.contracts import alert_event as alerts
from stream.contracts.moments import MINUS_INFINITY
from stream.devbroker.broker import Broker
from stream.kafka.connection import connection_arguments
from stream.kafka.topics import WantedTopic, create_topics, wanted_topics
from stream.plans.parts import PART_BYTES, plan_parts
from stream.plans.plan import Plan
from stream.worker.snapshot_store import read_partition
from tests.driftstream.test_library_page import KAFKA

pytestmark = pytest.mark.broker

StartBroker = Callable[..., Broker]


@pytest.fixture
def topic(kafka: dict[str, object], topic_prefix: str) -> str:
    name = f"{topic_prefix}events"
    create_topics(kafka, [WantedTopic(name, 3, {"cleanup.policy": "delete"})])
    return name


@pytest.fixture
def plans_topic(kafka: dict[str, object], topic_prefix: str) -> str:
    name = f"{topic_prefix}plans"
    create_topics(kafka, [WantedTopic(name, 1, {"cleanup.policy": "compact"})])
    return name


def _plan(version: str = "*", features: int = 2, **settings: object) -> Plan:
    rng = np.random.default_rng(1)
    columns = {f"feature_{i:04d}": rng.normal(i, 1.0, 500) for i in range(features)}
    reference = fit_reference(columns, model="m", roles={}, times_ms=None)
    return Plan(model="m", version=version, reference=reference, **settings)


def _alert(fingerprint: str, opened_ms: int, revision: int) -> alerts.AlertEvent:
    episode = alerts.episode_id(fingerprint, opened_ms)
    at = alerts.format_time(opened_ms)
    data = alerts.AlertData(
        status="firing",
        severity="info",
        revision=revision,
        fingerprint=alerts.fingerprint("m", "", "data_drift"),
        episode=episode,
        labels=alerts.AlertLabels("DataDrift", "m", "", "data_drift"),
        annotations=alerts.Annotations("m drifted", "investigate_features", "", ""),
        starts_at=at,
        ends_at=alerts.NOT_ENDED,
        signals=[],
        joined=[],
        left=[],
        window=alerts.AlertWindow(at, at, 0),
        reference="",
        config="",
        budget=alerts.AlertBudget(1.0, 0.0),
        offsets={},
    )
    return alerts.AlertEvent(
        specversion="1.0",
        id=alerts.event_id(episode, revision),
        source="driftstream/test",
        type="io.driftstream.alert.v1",
        subject="m//data_drift",
        time=at,
        datacontenttype="application/json",
        data=data,
    )


def test_what_is_published_is_read(kafka: dict[str, object], topic: str) -> None:
    sent = [(b"k%d" % i, b"v%d" % i, [("n", b"%d" % i)]) for i in range(2_500)]
    progress: list[int] = []
    assert publish(kafka, topic, sent, on_sent=progress.append) == 2_500
    assert progress[-1] == 2_500
    records = list(read_topic(kafka, topic))
    assert sorted((r.key, r.value, list(r.headers)) for r in records) == sorted(sent)
    assert {r.partition for r in records} == {0, 1, 2}
    for part in range(3):
        offsets = [r.offset for r in records if r.partition == part]
        assert offsets == list(range(len(offsets)))
    assert list(read_topic(kafka, topic, from_beginning=False)) == []


def test_following_sees_what_comes_later(kafka: dict[str, object], topic: str) -> None:
    publish(kafka, topic, [(None, b"old", ())], partition=1)
    polls = count()

    def once_reading() -> bool:
        # Asked before each poll: the end offset is known by then, so this is not missed.
        if next(polls) == 0:
            threading.Thread(target=publish, args=(kafka, topic, [(None, b"new", ())])).start()
        return False

    reading = read_topic(kafka, topic, from_beginning=False, follow=True, stop=once_reading)
    assert next(reading).value == b"new"
    reading.close()
    assert list(read_topic(kafka, topic, follow=True, stop=lambda: True)) == []


def test_failures_name_the_message(kafka: dict[str, object], topic: str) -> None:
    messages = [(None, b"x", ()), (None, b"x" * 3_000_000, ())]
    with pytest.raises(DeliveryError, match=rf"{topic}\[2\]: message 2 was not delivered: .*Large"):
        publish(kafka, topic, messages, partition=2)
    # The broker refuses what the producer would send.
    with pytest.raises(DeliveryError, match="message 2 was not delivered"):
        publish(kafka, topic, messages, max_request_size=10_000_000)
    with pytest.raises(LookupError, match=f"no topic {topic}-not"):
        publish(kafka, f"{topic}-not", [(None, b"x", ())])
    with pytest.raises(LookupError, match=f"no topic {topic}-not"):
        next(read_topic(kafka, f"{topic}-not"))


def test_a_plan_is_published_once(kafka: dict[str, object], plans_topic: str) -> None:
    first, second = _plan(), _plan(window_events=2_000)
    assert read_plans(kafka, plans_topic) == []
    assert publish_plan(kafka, plans_topic, first) == (True, MINUS_INFINITY, "")
    assert publish_plan(kafka, plans_topic, first) == (False, MINUS_INFINITY, "")
    new, since, _ = publish_plan(kafka, plans_topic, second, clock=lambda: 1_000_003.0)
    assert new
    # Six minutes on, at the next start of a pane.
    assert since == 1_000_370_000
    assert not publish_plan(kafka, plans_topic, second).new
    # The first was superseded: whoever comes with it does not bring it back ...
    for _ in range(2):
        refused = publish_plan(kafka, plans_topic, first)
        assert refused == (False, 1_000_370_000, second.hash)
    assert len(read_plans(kafka, plans_topic)) == 2
    # ... unless told to: published anew, and after the one that is on its way.
    back = publish_plan(kafka, plans_topic, first, again=True, clock=lambda: 0.0)
    assert back == (True, 1_000_380_000, "")
    assert publish_plan(kafka, plans_topic, second).superseded_by == first.hash
    got = [(plan.hash, since) for plan, since in read_plans(kafka, plans_topic)]
    assert got == [
        (first.hash, MINUS_INFINITY),
        (second.hash, 1_000_370_000),
        (first.hash, 1_000_380_000),
    ]
    # A version's own plan is later than the one of all versions that held for it.
    assert publish_plan(kafka, plans_topic, _plan("3"), clock=lambda: 0.0).effective_from_ms > 0


def test_a_large_plan_travels_in_parts(
    kafka: dict[str, object], plans_topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    plan = _plan(features=700)
    parts = plan_parts(plan)
    assert len(parts) > 1
    assert max(len(value) for _, value in parts) <= PART_BYTES
    # A publisher that died halfway, then one that did not; other programs write nonsense.
    publish(kafka, plans_topic, [(key, value, ()) for key, value in parts[:-1]])
    publish(kafka, plans_topic, [(b"nonsense", b"x", ())])
    with caplog.at_level(logging.WARNING):
        assert read_plans(kafka, plans_topic) == []
    assert f"{len(parts) - 1} of {len(parts)} parts; ignored" in caplog.text
    assert publish_plan(kafka, plans_topic, plan).new
    [(read, since)] = read_plans(kafka, plans_topic)
    assert (read.hash, since) == (plan.hash, MINUS_INFINITY)


def test_plans_and_state_are_compacted(restartable_broker: StartBroker) -> None:
    broker = restartable_broker(log__cleaner__backoff__ms=100)
    kafka: dict[str, object] = {"bootstrap_servers": broker.bootstrap}
    compaction_keeps_plans_whole(kafka)
    the_state_topic_is_compacted_as_it_is_written(kafka)


def compaction_keeps_plans_whole(kafka: dict[str, object]) -> None:
    eager = {
        "cleanup.policy": "compact",
        "segment.bytes": str(1024 * 1024),
        "min.cleanable.dirty.ratio": "0.01",
    }
    create_topics(kafka, [WantedTopic("plans", 1, eager)])
    plan = _plan(features=700)
    parts = [(key, value, ()) for key, value in plan_parts(plan)]
    for _ in range(4):  # the same parts over and over, and a plan that was never completed
        publish(kafka, "plans", [*parts, (b"m/other#1#x#0/2", b"y" * 300_000, ())])
    written = 4 * (len(parts) + 1)
    end = time.monotonic() + 60
    while len(records := list(read_topic(kafka, "plans"))) == written:
        assert time.monotonic() < end, "the broker's cleaner did not run"
        time.sleep(0.2)
    assert {r.key for r in records} >= {key for key, _, _ in parts}
    assert [read.hash for read, _ in read_plans(kafka, "plans")] == [plan.hash]


def the_state_topic_is_compacted_as_it_is_written(kafka: dict[str, object]) -> None:
    """A worker that starts reads all of it: a few times the state, and not an hour of rounds."""
    topics = {topic.name: topic for topic in wanted_topics(partitions=1)}
    create_topics(kafka, [topics["driftstream.state"]])
    rounds = 100
    for number in range(rounds):
        publish(kafka, "driftstream.state", [(b"block", b"%900000d" % number, ())])
    end = time.monotonic() + 60
    while len(records := list(read_topic(kafka, "driftstream.state"))) > 40:
        assert time.monotonic() < end, f"{len(records)} of {rounds} rounds are still there"
        time.sleep(0.5)
    newest = asyncio.run(read_partition(connection_arguments(kafka), "driftstream.state", 0))
    assert newest == {b"block": b"%900000d" % (rounds - 1)}


def test_alerts_are_read_once_each(kafka: dict[str, object], topic: str) -> None:
    first, second = _alert("f", 0, 1), _alert("f", 0, 2)
    other = _alert("f", 10_000, 1)
    # A restarted worker sends revisions again, and somebody else writes what is no alert.
    for event in (first, second, first, second, other):
        publish(kafka, topic, [(b"f", alerts.encode_alert(event), ())], partition=0)
    publish(kafka, topic, [(None, b"{}", ()), (b"f", None, ())], partition=0)
    read = list(read_alerts(kafka, topic))
    assert [event.id for event in read] == [first.id, second.id, other.id]
    latest = latest_alerts(kafka, topic)
    assert {e: event.data.revision for e, event in latest.items()} == {
        first.data.episode: 2,
        other.data.episode: 1,
    }


def test_the_example_of_the_library_page_runs(
    kafka: dict[str, object], topic_prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"predictions": f"{topic_prefix}predictions", "driftstream.alerts": f"{topic_prefix}a"}
    create_topics(
        kafka, [WantedTopic(name, 1, {"cleanup.policy": "delete"}) for name in names.values()]
    )
    alert = _alert("f" * 32, 1_000_000, 1)
    publish(kafka, names["driftstream.alerts"], [(b"f", alerts.encode_alert(alert), ())])
    (block,) = KAFKA
    block = block.replace("localhost:9092", str(kafka["bootstrap_servers"]))
    block = block.replace('"predictions"', repr(names["predictions"]))
    block = block.replace(
        "read_alerts(kafka)", f"read_alerts(kafka, {names['driftstream.alerts']!r})"
    )
    exec(compile(block, "docs/library.md", "exec"), {"__name__": "example"})
    assert alert.data.annotations.summary in capsys.readouterr().out
    (event,) = read_topic(kafka, names["predictions"])
    assert b'"amount":12.5' in (event.value or b"")
