"""How long nobody works when a worker ends: told to, killed, or replaced by another.

Default settings. Times are printed, and bounded generously: the machine may be busy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from stream.client.records import producer, read_topic
from stream.contracts.summary_message import Progress, decode_message
from tests.integration.worker_kit import Install, Installation, installer, make_events

pytestmark = pytest.mark.broker
#: What is promised, and what a busy machine is given.
PROMISED_S = 10.0
BUSY_S = 3.0 * PROMISED_S
STEADY_S = 3.0


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {}) as make:
        yield make


@contextmanager
def flow(site: Installation) -> Iterator[None]:
    """Events of now into every partition, a hundred a second, while the block runs."""
    over = threading.Event()
    template = make_events(1, None)[0]
    begins = template.index(b":") + 1
    rest = template[template.index(b",") :]

    def run() -> None:
        with producer(site.kafka, linger_ms=0) as client:
            while not over.wait(0.01 * site.partitions):
                now = str(int(time.time() * 1000)).encode()
                for partition in range(site.partitions):
                    value = template[:begins] + now + rest
                    client.send(site.plan.topic, value, partition=partition)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def words(site: Installation) -> dict[int, list[float]]:
    """When each source partition's progress was heard, in seconds."""
    heard: dict[int, list[float]] = {}
    for record in read_topic(site.kafka, site.topics["summaries"]):
        message = decode_message(record.value)
        if isinstance(message, Progress):
            heard.setdefault(message.source.partition, []).append(record.timestamp / 1000)
    return {partition: sorted(times) for partition, times in heard.items()}


def silence(site: Installation, since: float, until: float) -> float:
    """The longest time without a word of some partition that has a part between two moments."""
    return max(
        later - before
        for times in words(site).values()
        for before, later in pairwise(times)
        if later >= since and before <= until
    )


def heard_again(site: Installation, since: float) -> Callable[[], bool]:
    """Whether every partition has had a word a good while after a moment."""
    return lambda: all(times[-1] > since + STEADY_S for times in words(site).values())


def is_going(site: Installation) -> bool:
    return len(words(site)) == site.partitions


def test_nobody_works_for_no_longer_than_promised(
    install: Install, tell: Callable[[str], None]
) -> None:
    """Two workers, with short panes: a word every second. One is killed, then both are replaced."""
    site = install({"pane_ms": 1_000, "lateness_ms": 500})
    victim, leaver = site.start(), site.start()
    for worker in (victim, leaver):
        site.wait_ready(worker)
    with flow(site):
        site.wait_for(lambda: is_going(site))
        time.sleep(STEADY_S)
        killed = time.time()
        victim.kill()
        site.wait_for(heard_again(site, killed + PROMISED_S))

        other = site.start()
        site.wait_ready(other)
        site.wait_for(heard_again(site, time.time()))
        began = time.time()
        assert leaver.terminate() == 0
        gone = time.time() - began
        site.wait_ready(site.start())
        assert other.terminate() == 0
        site.wait_ready(site.start())
        ended = time.time()
        site.wait_for(heard_again(site, ended))
    after_kill = silence(site, killed, killed + PROMISED_S)
    replacing = silence(site, began, ended + STEADY_S)
    tell(f"kill -9 of one of two workers: no word of a partition for {after_kill:.1f} s")
    tell(f"SIGTERM: gone after {gone:.1f} s")
    tell(f"two workers replaced in {ended - began:.1f} s: no word for {replacing:.1f} s at most")
    assert gone < PROMISED_S, "that is held by a timer of the worker's own"
    assert "no time" not in leaver.said()
    assert max(after_kill, replacing) < BUSY_S
