"""A backlog of an hour: its partitions stay together, and memory does not grow with it."""

from __future__ import annotations

import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.client.records import publish
from stream.devbroker.broker import free_port
from tests.integration.worker_kit import (
    BASE_MS,
    STEP_MS,
    Install,
    Installation,
    installer,
    make_events,
)

pytestmark = pytest.mark.broker
PER_PARTITION = 60_000
HOUR_MS = 3_600_000
#: A fetch brings at most 4 MiB of a partition; one is counted, one waits, one is on its way.
FETCHES = 3 * 4 * 2**20
_WATERMARK = re.compile(r"^driftstream_watermark_timestamp_seconds\{.*\} (\S+)$", re.MULTILINE)
_MEMORY = re.compile(r"^process_resident_memory_bytes (\S+)$", re.MULTILINE)


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"snapshot_interval": "1s"}) as make:
        yield make


def test_an_upload_to_partitions_that_were_all_silent_is_not_late(install: Install) -> None:
    """A day goes to one partition after the other; the first is read before the last has any."""
    site = install(
        {"window_events": 10**9, "window_max_age_ms": 10**12},
        idle_after="5s",
        snapshot_interval="300ms",
    )
    worker = site.start()
    site.wait_ready(worker)
    site.wait_for(lambda: worker.said().count("nothing more to read at 0") == site.partitions)
    events = make_events(86_400_000 // STEP_MS // 2_000, None)  # and as far apart as makes a day
    events = [
        event.replace(b"%d" % (BASE_MS + i * STEP_MS), b"%d" % (BASE_MS + i * STEP_MS * 2_000))
        for i, event in enumerate(events)
    ]
    site.produce(events, close=False)
    last = {p: len(events[p :: site.partitions]) - 1 for p in range(site.partitions)}
    site.wait_for(lambda: site.through() == last)
    site.wait_for(lambda: worker.said().count("nothing more to read at") > site.partitions)
    site.produce([])  # what is held is sealed
    site.wait_for(lambda: site.counts()[0] + late_events(site) >= len(events))
    assert late_events(site) == 0
    assert worker.terminate() == 0


def late_events(site: Installation) -> int:
    """Events that no window has, by the snapshots."""
    return sum(
        subject.late_total
        for monitor in site.restored().values()
        for subject in monitor.subjects.values()
    )


def test_partitions_of_a_backlog_stay_together(install: Install) -> None:
    address = f"127.0.0.1:{free_port()}"
    site = install({"window_events": 10**9, "window_max_age_ms": 10**12}, metrics_address=address)
    template = make_events(1, None)[0] + b" " * 200
    begins, ends = template.index(b":") + 1, template.index(b",")
    for partition in range(site.partitions):
        values = (
            template[:begins] + b"%d" % (BASE_MS + i * HOUR_MS // PER_PARTITION) + template[ends:]
            for i in range(PER_PARTITION)
        )
        publish(site.kafka, site.plan.topic, ((None, v, ()) for v in values), partition=partition)
    worker = site.start()
    looks: list[tuple[float, float]] = []  # how long each took, and how far apart partitions were
    memory = []
    end = time.monotonic() + 200
    while True:
        assert time.monotonic() < end, worker.said()[-1000:]
        asked = time.monotonic()
        try:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
                page = answer.read().decode()
        except OSError:
            time.sleep(0.1)
            continue
        times = [float(value) for value in _WATERMARK.findall(page)]
        if len(times) == site.partitions:
            looks.append((time.monotonic() - asked, max(times) - min(times)))
            memory.append(float(_MEMORY.findall(page)[0]) / 2**20)
            if min(times) * 1000 >= BASE_MS + HOUR_MS - 2 * HOUR_MS // PER_PARTITION:
                break
        time.sleep(0.02)
    # Partitions are read one after the other: a slow look sees them at different moments.
    quick = sorted(looks)[: max(1, len(looks) // 2)]
    apart = max(seconds for _, seconds in quick)
    bound = FETCHES / len(template) / PER_PARTITION * HOUR_MS / 1000
    print(
        f"a backlog of an hour in {site.partitions} partitions: at most {apart:.0f} s apart "
        f"(bound {bound:.0f} s), {max(memory):.0f} MB at most, {memory[-1]:.0f} MB at its end"
    )
    assert apart <= bound
    assert worker.terminate() == 0
