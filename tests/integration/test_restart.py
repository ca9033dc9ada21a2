"""Workers that die: nothing is lost, nothing invented."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stream.client import publish, read_topic
from tests.integration.worker_kit import Install, installer, make_events

pytestmark = pytest.mark.broker


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"snapshot_interval_s": 0.3}) as make:
        yield make


def test_kill_9_in_the_middle_gives_the_same_alerts(install: Install) -> None:
    site = install()
    events = make_events(160_000, 80_000)
    expected = site.expected_alerts(events)
    assert expected
    site.produce(events)
    for killed_after in (60, 200):
        victim = site.start()
        site.wait_for(lambda n=killed_after: site.summaries_end() > n)
        victim.kill()
        victim.wait()
    site.start()
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert site.alerts() == expected


def test_kill_9_of_one_of_two_moves_its_partitions(install: Install) -> None:
    site = install({"window_events": 10**9, "window_max_age_ms": 10**12})
    events = make_events(80_000, None)
    victim, other = site.start(), site.start()
    site.wait_ready(victim)
    site.wait_ready(other)
    site.produce(events[:40_000], close=False)
    victim.kill()
    site.produce(events[40_000:])
    truth = site.truth(events)
    site.wait_for(lambda: site.counts()[0] >= truth[0])
    assert np.array_equal(site.counts()[1:], truth[1:])


def test_a_woken_zombie_does_no_harm(install: Install) -> None:
    site = install()
    events = make_events(120_000, 60_000)
    expected = site.expected_alerts(events)
    zombie, other = site.start(), site.start()
    site.wait_ready(zombie)
    site.wait_ready(other)
    site.produce(events[:60_000], close=False)
    zombie.send_signal(signal.SIGSTOP)
    site.produce(events[60_000:])
    # Its partitions move after the session timeout; until then the frontier stands still.
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    zombie.send_signal(signal.SIGCONT)
    site.wait_ready(zombie)
    time.sleep(2)  # whatever it still publishes arrives now
    assert [site.terminate(w) for w in (zombie, other)] == [0, 0]
    assert site.alerts() == expected
    assert sum(m.refused.get("shrunk", 0) for m in site.restored()) == 0


def test_committed_offsets_are_chunk_starts(install: Install) -> None:
    site = install()
    events = make_events(80_000, None)
    site.produce(events)
    worker = site.start()
    site.wait_for(lambda: site.summaries_end() > 100)
    worker.kill()
    worker.wait()
    again = site.start()
    site.wait_ready(again)
    assert site.terminate(again) == 0
    positions = [
        int(line.rsplit(" at ", 1)[1])
        for line in again.log.read_text().splitlines()  # type: ignore[attr-defined]
        if f"{site.plan.topic}[" in line and " chunk at " in line
    ]
    assert len(positions) == site.partitions
    assert all(position % 16_384 == 0 for position in positions)


def test_a_round_that_broke_off_is_ignored(install: Install) -> None:
    site = install()
    events = make_events(40_000, 20_000)
    expected = site.expected_alerts(events)
    half = len(events) // 2
    first = site.start()
    site.produce(events[:half], close=False)
    site.wait_for(lambda: site.restored() and sum(m.fence for m in site.restored()) > 40)
    assert site.terminate(first) == 0
    # A writer that died between its blocks and its manifest, and one whose manifest names a block
    # that never came: both are newer than the last complete round.
    for record in list(read_topic(site.kafka, site.topics["state"])):
        if record.value is None or not record.key.startswith(b"block|"):
            continue
        key = record.key.replace(b"|0|", b"|0|", 1)
        torn = [(key[:8] + b"x" + key[8:], record.value[:-7], ())]
        publish(site.kafka, site.topics["state"], torn, partition=record.partition)
    second = site.start()
    site.wait_ready(second)
    site.produce(events[half:])
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert site.alerts() == expected
