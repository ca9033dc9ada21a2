"""Damage to what stands in front of a batch and is in no checksum: its length and its offset.

A broker cannot find its way past it: it answers with an error, or with nothing.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from stream.client.records import publish, read_topic
from stream.contracts.unread import Unread
from stream.devbroker.broker import Broker, free_port
from stream.kafka.topics import create_topics, wanted_topics
from stream.kafka.unreadable_batch import find_unreadable_batch
from tests.integration.raw_log import Stored, damage, overwrite, stored_batches
from tests.integration.tools import letters, own_log, page, run, sealed_panes, send, sender
from tests.integration.worker_kit import (
    Install,
    Installation,
    installer,
    make_events,
)

pytestmark = pytest.mark.broker
HUGE = {"window_events": 10_000_000}
LENGTH, OFFSET, LAST_DELTA = 8, 0, 23


def length(n: int) -> tuple[int, bytes]:
    return LENGTH, struct.pack(">i", n)


DAMAGE = {
    "far too long": length(2**31 - 1),
    "longer than what follows": length(10**6),
    "zero": length(0),
    "negative": length(-5),
    "shorter than a header": length(30),
    "shorter": length(2_000),
    "an offset far away": (OFFSET, struct.pack(">q", 2**40)),
    "an end far away": (LAST_DELTA, struct.pack(">i", 2**24)),
}


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"session_timeout": "6s"}) as make:
        yield make


def eight_batches(kafka: Mapping[str, object], topic: str, partition: int, folder: Path) -> Stored:
    """The fourth of eight batches of a hundred records."""
    for _ in range(8):
        send(sender(kafka, "none"), topic, partition, [b"x" * 90 + b"%d" % i for i in range(100)])
    batches = stored_batches(folder, topic, partition)
    assert [batch.first for batch in batches] == list(range(0, 800, 100))
    return batches[3]


def test_what_is_found_is_where_reading_can_go_on(
    kafka: dict[str, object], topic_prefix: str, broker: Broker
) -> None:
    """No more than the batch behind it is out of reach, and what is read there is what was sent."""
    folder, topic = own_log(broker), topic_prefix + "t"
    wanted = wanted_topics(predictions=[topic], partitions=1, prediction_partitions=len(DAMAGE) + 1)
    create_topics(kafka, [one for one in wanted if one.name == topic])
    for p, (at, raw) in enumerate(DAMAGE.values()):
        torn = eight_batches(kafka, topic, p, folder)
        overwrite(torn, at, raw)
        assert find_unreadable_batch(kafka, topic, p, 150) is None, "what is before it can be read"
        unread = find_unreadable_batch(kafka, topic, p, torn.first)
        assert unread is not None
        assert (unread.offset, unread.reason) == (torn.first, "corrupt")
        assert torn.last <= unread.last <= torn.last + 100
        assert find_unreadable_batch(kafka, topic, p, unread.last + 1) is None
    # All of it is passed over by a reader that goes on, by kafka-python.
    skipped: dict[int, Unread] = {}
    got: dict[int, list[int]] = {}
    low = len(DAMAGE)  # nothing stands still there
    overwrite(eight_batches(kafka, topic, low, folder), OFFSET, bytes(8))
    for record in read_topic(kafka, topic, on_unread=lambda _, p, u: skipped.update({p: u})):
        got.setdefault(record.partition, []).append(record.offset)
        assert record.value == b"x" * 90 + b"%d" % (record.offset % 100)
    assert skipped.keys() == set(range(low))
    for p in range(low + 1):
        assert got[p] == [*range(300), *range(skipped[p].last + 1 if p < low else 400, 800)]


def test_a_tail_that_is_damaged_is_found_to_the_end_of_the_log(
    kafka: dict[str, object], topic_prefix: str, broker: Broker
) -> None:
    folder, topic = own_log(broker), topic_prefix + "t"
    wanted = wanted_topics(predictions=[topic], partitions=1, prediction_partitions=1)
    create_topics(kafka, [one for one in wanted if one.name == topic])
    eight_batches(kafka, topic, 0, folder)
    tail = stored_batches(folder, topic, 0)[-1]
    overwrite(tail, *length(-1))
    unread = find_unreadable_batch(kafka, topic, 0, tail.first)
    assert unread is not None
    assert (unread.offset, unread.last) == (700, 799)


def sent(site: Installation, events: list[bytes]) -> None:
    for p in range(4):
        for part in range(4):  # four batches at least in each partition
            mine = events[p::4][250 * part : 250 * (part + 1)]
            send(sender(site.kafka, "none"), site.plan.topic, p, mine)


def sample(metrics: str, name: str, **labels: str) -> float:
    inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    whole = name + (re.escape("{" + inside + "}") if labels else "")
    found = re.search(rf"^{whole} (\S+)$", metrics, re.M)
    return float(found[1]) if found else 0.0


def test_a_worker_stops_that_partition_alone_and_a_skip_gets_past_it(
    install: Install, broker: Broker
) -> None:
    folder, port = own_log(broker), free_port()
    site = install(HUGE, idle_after="1s", metrics_address=f"127.0.0.1:{port}")
    topic = site.plan.topic
    sent(site, make_events(4_000, None))
    torn = {p: stored_batches(folder, topic, p)[1] for p in range(4)}
    kinds = ("longer than what follows", "zero", "an offset far away")
    for p, kind in enumerate(kinds):
        overwrite(torn[p], *DAMAGE[kind])
    overwrite(torn[3], OFFSET, bytes(8))  # the broker passes over it: nothing is there to stop at
    worker = site.start()
    for p in range(3):
        place = f"stopped {topic}[{p}]: the batch at offset {torn[p].first} is damaged"
        site.wait_for(lambda place=place: place in worker.said())
    hole = f"{topic}[3]: the log has no offsets {torn[3].first} to {torn[3].last}"
    site.wait_for(lambda: hole in worker.said())
    site.wait_for(lambda: sealed_panes(site) > 0)
    assert site.through()[3] == 999, "what is not damaged goes on"
    assert all(site.through()[p] < torn[p].first for p in range(3))
    status, words = page(port, "/readyz")
    assert status == 503
    assert page(port, "/healthz")[0] == 200
    metrics = page(port, "/metrics")[1]
    assert sample(metrics, "driftstream_declared_loss_total") == 1
    for p in range(3):
        assert f"driftstream skip {topic} {p} {torn[p].first}" in words
        labels = {"topic": topic, "partition": str(p), "reason": "corrupt"}
        assert sample(metrics, "driftstream_partition_stopped_offset", **labels) == torn[p].first
        done = run("skip", topic, p, torn[p].first, "--by", "ada", "-c", site.config())
        assert done.returncode == 0, done.stderr
    site.wait_for(lambda: [site.through().get(p) for p in range(4)] == [999] * 4)
    site.wait_for(lambda: len(letters(site)) == 3)
    for letter in letters(site):
        batch = torn[int(letter["partition"])]
        assert letter["reason"] == "batch_skipped"
        assert int(letter["offset"]) == batch.first
        assert batch.last <= int(letter["last-offset"]) <= batch.last + 250
    assert page(port, "/readyz")[0] == 200
    worker.kill()
    fresh = site.start()  # from the committed offsets: it comes to the same places another way
    site.wait_ready(fresh)
    site.wait_for(lambda: fresh.said().count("batch_skipped (skipped by ada") >= 3)
    assert f"stopped {topic}" not in fresh.said()


def test_damaged_summaries_stop_their_partition_and_a_skip_declares_the_loss(
    install: Install, broker: Broker
) -> None:
    folder, port = own_log(broker), free_port()
    site = install(HUGE, idle_after="1s", metrics_address=f"127.0.0.1:{port}")
    summaries = site.topics["summaries"]
    first = site.start("summarise")
    for n in (2_000, 4_000):
        site.produce(make_events(n, None)[n - 2_000 :], close=False)
        site.wait_for(lambda n=n: sum(site.through().values()) >= n - 4)
    assert first.terminate() == 0
    site.running.clear()
    held = {p: stored_batches(folder, summaries, p) for p in range(2)}
    damage(held[0][1], 61 + 9, 0x55, sealed=False)
    overwrite(held[1][1], *length(0))
    worker = site.start()
    for p in range(2):
        place = f"stopped {summaries}[{p}]: the batch at offset {held[p][1].first} is damaged"
        site.wait_for(lambda place=place: place in worker.said())
    for p in range(2):
        advice = f"driftstream skip {summaries} {p} {held[p][1].first}"
        assert advice in page(port, "/readyz")[1]
        done = run("skip", summaries, p, held[p][1].first, "-c", site.config())
        assert done.returncode == 0, done.stderr
    site.wait_for(lambda: page(port, "/readyz")[0] == 200)
    loss = "driftstream_declared_loss_total"
    site.wait_for(lambda: sample(page(port, "/metrics")[1], loss) > 0)
    assert worker.process.poll() is None


def rebuilt(site: Installation, whole: np.ndarray) -> bool:
    """Whether the latest snapshots hold all that they held before."""
    try:
        return bool((site.counts() == whole).all())
    except KeyError:  # a model has no open window yet
        return False


def test_damaged_state_is_not_waited_for_and_there_is_nothing_to_skip(
    install: Install, broker: Broker
) -> None:
    folder = own_log(broker)
    site = install(HUGE, idle_after="1s")
    state = site.topics["state"]
    first = site.start()
    site.produce(make_events(4_000, None))
    site.wait_for(lambda: sealed_panes(site) > 0)
    assert first.terminate() == 0
    whole = site.counts()
    for p in range(2):
        batches = stored_batches(folder, state, p)
        assert batches
        at = min(1, len(batches) - 1)
        if p:
            damage(batches[at], 61 + 9, 0x55, sealed=False)
        else:
            overwrite(batches[at], *length(0))
    refused = run("skip", state, 0, 0, "-c", site.config())
    assert refused.returncode == 1
    assert "There is nothing to skip" in refused.stderr
    again = site.start()
    site.wait_ready(again)
    assert f"{state}[0]: unread: offset" in again.said()
    site.wait_for(lambda: rebuilt(site, whole))  # it is ready before it has read all of them
    assert again.terminate() == 0
    assert (site.counts() == whole).all(), "rebuilt from the summaries"
    listed = run("state", "list", "-c", site.config())
    for p in range(2):
        assert f"passed over: {state}[{p}]: offset" in listed.stderr


def test_damaged_plans_are_said_and_skipped(install: Install, broker: Broker) -> None:
    folder = own_log(broker)
    site = install(HUGE)
    plans = site.topics["plans"]
    for i in range(3):
        publish(site.kafka, plans, [(b"skip:none[0]@%d" % i, None, ())])
    torn = stored_batches(folder, plans, 0)[1]
    overwrite(torn, *length(0))
    worker = site.start()
    assert worker.process.wait(90) == 1
    advice = f"driftstream skip {plans} 0 {torn.first}"
    assert advice in worker.said()
    site.running.clear()
    listed = run("plan", "list", "-c", site.config())
    assert listed.returncode == 1
    assert advice in listed.stderr
    done = run("skip", plans, 0, torn.first, "-c", site.config())
    assert done.returncode == 0, done.stderr
    listed = run("plan", "list", "-c", site.config())
    assert listed.returncode == 0, listed.stderr
    assert "fraud" in listed.stdout
    site.wait_ready(site.start())
