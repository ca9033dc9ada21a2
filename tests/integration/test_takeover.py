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

from stream.client import producer, read_topic
from stream.summaries.message import Progress, decode_message
from tests.integration.worker_kit import Install, Installation, Worker, installer, make_events

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


def flowing(install: Install) -> tuple[Installation, list[Worker]]:
    """Two workers that share the partitions, with short panes: a word every second."""
    site = install({"pane_ms": 1_000, "lateness_ms": 500})
    workers = [site.start(), site.start()]
    for worker in workers:
        site.wait_ready(worker)
    return site, workers


def words(site: Installation) -> dict[int, list[float]]:
    """When each source partition's progress was heard, in seconds."""
    heard: dict[int, list[float]] = {}
    for record in read_topic(site.kafka, site.topics["summaries"]):
        message = decode_message(record.value)
        if isinstance(message, Progress):
            heard.setdefault(message.source.partition, []).append(record.timestamp / 1000)
    return {partition: sorted(times) for partition, times in heard.items()}


def silence(site: Installation, since: float) -> float:
    """The longest time without a word of some partition, from a moment on."""
    return max(
        later - before
        for times in words(site).values()
        for before, later in pairwise(times)
        if later >= since
    )


def heard_again(site: Installation, since: float) -> Callable[[], bool]:
    """Whether every partition has had a word a good while after a moment."""
    return lambda: all(times[-1] > since + STEADY_S for times in words(site).values())


def is_going(site: Installation) -> bool:
    return len(words(site)) == site.partitions


def test_takeover_after_kill_9(install: Install, tell: Callable[[str], None]) -> None:
    site, (victim, _) = flowing(install)
    with flow(site):
        site.wait_for(lambda: is_going(site))
        time.sleep(STEADY_S)
        killed = time.time()
        victim.kill()
        site.wait_for(heard_again(site, killed + PROMISED_S), 90)
    lost = silence(site, killed)
    tell(f"kill -9 of one of two workers: no word of a partition for {lost:.1f} s")
    assert lost < BUSY_S


def test_told_to_stop_a_worker_snapshots_and_is_gone(
    install: Install, tell: Callable[[str], None]
) -> None:
    site, (leaver, _) = flowing(install)
    with flow(site):
        site.wait_for(lambda: is_going(site))
        time.sleep(STEADY_S)
        told = time.time()
        assert leaver.terminate() == 0
        gone = time.time() - told
        site.wait_for(heard_again(site, told), 60)
    lost = silence(site, told)
    tell(f"SIGTERM: gone after {gone:.1f} s, no word of a partition for {lost:.1f} s")
    assert gone < PROMISED_S, "that is held by a timer of the worker's own"
    assert lost < BUSY_S
    assert "no time" not in leaver.said()


def test_a_rolling_restart_of_two_workers(install: Install, tell: Callable[[str], None]) -> None:
    site, workers = flowing(install)
    with flow(site):
        site.wait_for(lambda: is_going(site))
        time.sleep(STEADY_S)
        began = time.time()
        for worker in workers:
            assert worker.terminate() == 0
            site.wait_ready(site.start())
        ended = time.time()
        site.wait_for(heard_again(site, ended), 60)
    lost = silence(site, began)
    tell(f"two workers replaced in {ended - began:.1f} s: no word for {lost:.1f} s at most")
    assert lost < BUSY_S
