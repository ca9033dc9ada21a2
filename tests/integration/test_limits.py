"""Limits: what is beyond them is counted, said now and then, and holds nobody up."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from faust.types import TP

from stream.client.alert_log import read_alerts
from stream.client.records import publish, read_topic
from stream.contracts.alert_event import AlertEvent
from stream.contracts.summary_message import Source
from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord
from stream.join.partition import PartitionJoin
from stream.plans.plan import PlanBook
from stream.stage1.chunk_counts import MAX_SEGMENTS
from stream.stage1.stats import Stage1Stats
from stream.stage1.summarise import MAX_REJECT_BYTES, Summariser
from stream.stage2.monitor import PartitionMonitor
from stream.worker.limit_log import LimitLog
from tests.fuzz.mutate import mutate
from tests.integration.worker_kit import BASE_MS, Install, identity, installer, make_events
from tests.stream.harness import START_S, make_plan
from tests.stream.harness import make_events as few_events


def summariser() -> Summariser:
    book = PlanBook()
    book.add(make_plan())
    return Summariser(Source("id", "predictions", 0, 1), book, NativeDecoder(book))


def test_refused_bytes_are_not_held_for_a_whole_chunk() -> None:
    reader = summariser()
    garbage = b"{" + b"x" * 500_000
    held = sent = 0
    for offset in range(200):  # 100 MB, and no event that would complete a pane
        flushes = reader.add([FileRecord(offset, START_S * 1000, garbage)])
        held += 1
        for flush in flushes:
            sent += len(flush.rejects)
            assert flush.commit is None  # a chunk ends where it always ends
            held = 0
        assert held * len(garbage) <= MAX_REJECT_BYTES + len(garbage)
    assert sent + held == 200
    assert reader.stats.last_reject["undecodable"][0] == 199


def test_segments_beyond_the_limit_are_counted() -> None:
    reader = summariser()
    for offset, event in enumerate(few_events(1, 2_600)):
        value = msgspec.json.decode(event)
        value["segments"] = {"region": f"r{offset}" if offset else "x" * 300}
        value["timestamp"] = START_S
        reader.add([FileRecord(offset, START_S * 1000, msgspec.json.encode(value))])
    assert reader.stats.segments_folded == 2_600 - MAX_SEGMENTS


def test_limits_are_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    stats, now = Stage1Stats(), 0.0
    monitor = PartitionMonitor(PlanBook())
    joins = PartitionJoin(PlanBook(), "", 0, 1)
    said = LimitLog(
        lambda: [(TP("events", 3), stats)],
        lambda: [(TP("pairs", 2), joins)],
        lambda: [(TP("summaries", 1), monitor)],
        lambda: now,
    )

    def check() -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            asyncio.run(said.check())
        return [record.getMessage() for record in caplog.records]

    assert check() == []
    stats.rejected["too_large"] = 5
    stats.last_reject["too_large"] = (17, "Expected at most 7 bytes\n100 % of it")
    stats.unjoinable["fraud", "prediction_without_id"] = 4
    joins.refused["undecodable"] = 3
    monitor.refused |= {"versions": 2, "duplicate": 9}
    assert check() == [
        "events[3]: 5 records refused as too_large and put on the dead-letter topic; the last at "
        "offset 17: Expected at most 7 bytes\\n100 % of it",
        "events[3]: 4 predictions have no id, so no label finds them (fraud)",
        "pairs[2]: 3 messages of pairs refused as undecodable",
        "summaries[1]: 2 summaries refused as versions",
    ]
    stats.rejected["too_large"] = 1_005
    stats.segments_folded = 4
    now = 30.0
    assert [line.split(":")[1] for line in check()] == [
        " 4 values of segments are counted together as __other__"
    ]
    stats.versions_folded["fraud\n"] = 7
    now = 45.0
    [line] = check()
    assert "7 events of fraud\\n are counted together as version __other__: more than 100" in line
    now = 61.0
    [line] = check()
    assert "events[3]: 1000 records refused as too_large" in line
    now = 300.0
    assert check() == []
    stats.rejected["too_large"] = 3  # the partition was away, and its counters began anew
    assert "3 records refused" in check()[0]


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"snapshot_interval": "300ms"}) as make:
        yield make


@pytest.mark.broker
def test_poison_between_good_events_changes_nothing(install: Install) -> None:
    """A third of the log is garbage, with clocks that jump: told of, and the drift is the same."""
    site = install()
    n = 20_000
    events = make_events(n, n // 2)
    expected = site.expected_alerts(events)
    worker = site.start()
    site.wait_ready(worker)
    rng = random.Random(3)
    seeds = [e.replace(b'"fraud"', b'"zebra"') for e in events[:20]]
    jumps = [  # 1970, 2100, the year 9999, before the epoch, and no time at all
        events[0].replace(str(BASE_MS).encode(), wrong)
        for wrong in (b"-1", b"4102444800000", b"253402300799000", b"1e308", b'"yesterday"')
    ]
    poisoned: list[bytes] = []
    for event in events:
        poisoned.append(event)
        if rng.random() < 0.3:
            bad = mutate(seeds, rng) if rng.random() < 0.9 else rng.choice(jumps)
            poisoned.append(bad)
    n_bad = len(poisoned) - len(events)
    # Good events are dealt to the partitions as they are without the bad ones.
    for p in range(site.partitions):
        mine, turn = [], -1
        good = set(map(id, events))
        for value in poisoned:
            turn += id(value) in good
            if turn % site.partitions == p:
                mine.append(value)
        publish(site.kafka, site.plan.topic, ((None, v, ()) for v in mine), partition=p)
    site.produce([])

    def told(system: bool) -> list[AlertEvent]:
        alerts = read_alerts(site.kafka, site.topics["alerts"])
        return [a for a in alerts if (a.data.labels.kind == "system") == system]

    site.wait_for(lambda: len(told(system=False)) >= len(expected))
    assert [identity(alert) for alert in told(system=False)] == expected
    assert {s.name for alert in told(system=True) for s in alert.data.signals} == {"clock_ahead"}
    site.wait_for(lambda: "put on the dead-letter topic; the last at offset" in worker.said())
    assert worker.terminate() == 0
    letters = list(read_topic(site.kafka, site.topics["dead_letter"]))
    assert len(letters) == n_bad
    lines = [line for line in worker.said().splitlines() if "records refused as" in line]
    assert 0 < len(lines) < 40  # of thousands
