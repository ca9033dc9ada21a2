"""Workers that die: nothing is lost, nothing invented."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stream.client.records import publish, read_topic
from stream.stage2.snapshot import SnapshotWriter
from tests.integration.worker_kit import Install, installer, make_events

pytestmark = pytest.mark.broker


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"snapshot_interval": "300ms"}) as make:
        yield make


def test_kill_9_in_the_middle_gives_the_same_alerts(install: Install) -> None:
    site = install()
    events = make_events(100_000, 50_000)
    expected = site.expected_alerts(events)
    assert expected
    site.produce(events)
    for killed_after in (10_000, 60_000):
        victim = site.start()
        site.wait_for(lambda n=killed_after: sum(site.through().values()) > n)
        victim.kill()
        site.start()
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert site.alerts() == expected


def test_kill_9_of_one_of_two_moves_its_partitions(install: Install) -> None:
    site = install({"window_events": 10**9, "window_max_age_ms": 10**12})
    events = make_events(40_000, None)
    victim, other = site.start(), site.start()
    site.wait_ready(victim)
    site.wait_ready(other)
    site.produce(events[:20_000], close=False)
    victim.kill()
    site.produce(events[20_000:])
    truth = site.truth(events)
    site.wait_for(lambda: site.counts()[0] >= truth[0])
    assert np.array_equal(site.counts()[1:], truth[1:])


def test_a_woken_zombie_does_no_harm(install: Install) -> None:
    site = install()
    events = make_events(60_000, 30_000)
    expected = site.expected_alerts(events)
    zombie, other = site.start(), site.start()
    site.wait_ready(zombie)
    site.wait_ready(other)
    site.produce(events[:30_000], close=False)
    zombie.signal(signal.SIGSTOP)
    site.produce(events[30_000:])
    # Its partitions move after the session timeout; until then the frontier stands still.
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    zombie.signal(signal.SIGCONT)
    site.wait_ready(zombie)
    time.sleep(2)  # whatever it still publishes arrives now
    assert [w.terminate() for w in (zombie, other)] == [0, 0]
    assert site.alerts() == expected
    assert sum(m.refused.get("shrunk", 0) for m in site.restored().values()) == 0


def test_a_restart_begins_at_the_last_chunk(install: Install) -> None:
    site = install()
    site.produce(make_events(68_000, None))
    first = site.start()
    site.wait_for(lambda: sorted(site.through().values()) == [17_000] * site.partitions)
    assert first.terminate() == 0
    second = site.start()
    site.wait_ready(second)
    positions = [
        int(line.rpartition(" at ")[2])
        for line in second.said().splitlines()
        if "first chunk at" in line
    ]
    assert positions == [16_384] * site.partitions


def test_a_round_that_broke_off_is_ignored(install: Install) -> None:
    site = install()
    events = make_events(40_000, 20_000)
    expected = site.expected_alerts(events)
    half = len(events) // 2
    first = site.start()
    site.wait_ready(first)
    site.produce(events[:half], close=False)
    site.wait_for(lambda: sum(m.fence for m in site.restored().values()) > 10)
    assert first.terminate() == 0
    fences = {partition: monitor.fence for partition, monitor in site.restored().items()}
    for partition, monitor in site.restored().items():
        # Higher fences than any complete round, but the first block never arrived.
        monitor.fence += 1_000
        torn = monitor.take_round(SnapshotWriter(partition, "dead"))
        assert torn is not None
        records = [*torn.blocks[1:], torn.manifest]
        state = site.topics["state"]
        publish(site.kafka, state, ((k, v, ()) for k, v in records), partition=partition)
    second = site.start()
    site.wait_ready(second)
    said = second.said()
    for partition, fence in fences.items():
        assert f"summaries[{partition}]: restored at {fence} " in said
    site.produce(events[half:])
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert site.alerts() == expected
    keys = {r.key for r in read_topic(site.kafka, site.topics["state"]) if r.value is None}
    assert any(b"|dead|" in key for key in keys), "keys of other writers are deleted"
