"""Every codec of Kafka, on every topic, by librdkafka's producer; what cannot be read; bombs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from stream.client.plan_topic import publish_plan
from stream.contracts.topic_names import TopicNames
from stream.devbroker.broker import Broker, free_port
from stream.kafka.topics import create_topics, wanted_topics
from tests.integration.raw_log import PAYLOAD, damage, stored_batches
from tests.integration.tools import letters, own_log, page, run, sealed_panes, send, sender
from tests.integration.worker_kit import (
    Install,
    Worker,
    installer,
    last_event,
    make_events,
    make_plan,
)

pytestmark = pytest.mark.broker
CODECS = ("gzip", "snappy", "lz4", "zstd")
#: Events as they are sent, then summaries, plans, alerts, dead letters and state.
OF_TOPICS = ("producer", "zstd", "lz4", "gzip", "snappy", "snappy")
HUGE = {"window_events": 10_000_000}


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"session_timeout": "6s"}) as make:
        yield make


def make_topics(
    kafka: Mapping[str, object], prefix: str, settings: Callable[[int], Mapping[str, str]]
) -> None:
    """The topics of an installation before it makes them; `settings` of the number of each."""
    names = ("summaries", "plans", "alerts", "dead_letter", "state")
    wanted = wanted_topics(
        TopicNames(**{name: prefix + name for name in names}),
        predictions=[prefix + "events"],
        partitions=2,
    )
    create_topics(
        kafka, [replace(t, config={**t.config, **settings(i)}) for i, t in enumerate(wanted)]
    )


def test_every_codec_on_every_topic_gives_the_same_alerts(
    install: Install, kafka: dict[str, object], topic_prefix: str
) -> None:
    """Sources by librdkafka, also in transactions; our own compressed because the cluster says."""
    make_topics(kafka, topic_prefix, lambda i: {"compression.type": OF_TOPICS[i]})
    site = install()
    events = make_events(45_000, 20_000)
    expected = site.expected_alerts(events)
    assert expected
    wrong = [e.replace(b'"f1":', b'"f1":9') for e in events[:500]]
    for p, codec in enumerate(CODECS):
        mine = events[p::4]
        plain = sender(kafka, codec)
        send(plain, site.plan.topic, p, mine[:6_000])
        producer = sender(kafka, codec, transactional__id=f"{topic_prefix}{p}")
        producer.init_transactions(30)
        for values, end in (
            (wrong, producer.abort_transaction),
            (mine[6_000:], producer.commit_transaction),
            (wrong, producer.abort_transaction),
            ([last_event()], producer.commit_transaction),
        ):
            producer.begin_transaction()
            send(producer, site.plan.topic, p, values)
            end(30)
    site.wait_ready(site.start())
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert site.alerts() == expected
    assert site.running[0].terminate() == 0
    again = site.start()  # restores its state, and reads its plans
    site.wait_ready(again)
    assert site.alerts() == expected
    assert "no snapshot" not in again.said()
    for words in (("alerts",), ("state", "list"), ("plan", "list")):
        done = run(*words, "-c", site.config())
        assert done.returncode == 0, done.stderr
    assert expected[0][0][:8] in run("alerts", "-c", site.config()).stdout


def test_a_batch_that_cannot_be_read_stops_its_partition_until_it_is_skipped(
    install: Install, broker: Broker
) -> None:
    folder = own_log(broker)
    port = free_port()
    site = install(HUGE, idle_after="1s", metrics_address=f"127.0.0.1:{port}")
    events = make_events(4_000, None)
    for p in range(4):
        for part in range(4):  # four batches at least in each partition
            producer = sender(site.kafka, "zstd" if p % 2 else "none")
            send(producer, site.plan.topic, p, events[p::4][250 * part : 250 * (part + 1)])
    torn = stored_batches(folder, site.plan.topic, 1)[1]
    damage(torn, PAYLOAD + 9, 0x55, sealed=False)
    strange = stored_batches(folder, site.plan.topic, 2)[2]
    damage(strange, 22, 6, sealed=True)
    worker = site.start()
    for p, batch in ((1, torn), (2, strange)):
        place = f"{site.plan.topic}[{p}]: the batch at offset {batch.first} is"
        site.wait_for(lambda place=place: f"stopped {place}" in worker.said())
    # What is not damaged goes on: it is counted, and its panes are sealed.
    site.wait_for(lambda: sealed_panes(site) > 0)
    assert site.through()[0] == site.through()[3] == 999
    assert site.through()[1] < torn.first
    assert site.through()[2] < strange.first
    status, words = page(port, "/readyz")
    assert status == 503
    assert f"driftstream skip {site.plan.topic} 1 {torn.first}" in words
    assert f"driftstream skip {site.plan.topic} 2 {strange.first}" in words
    assert page(port, "/healthz")[0] == 200
    metrics = page(port, "/metrics")[1]
    for p, batch, reason in ((1, torn, "corrupt"), (2, strange, "unknown_codec")):
        labels = f'partition="{p}",reason="{reason}",topic="{site.plan.topic}"'
        found = re.search(
            rf"^driftstream_partition_stopped_offset\{{{labels}\}} ([\d.e+]+)$", metrics, re.M
        )
        assert found
        assert float(found[1]) == batch.first

    refused = run("skip", site.plan.topic, 0, 5, "-c", site.config())
    assert refused.returncode == 1
    assert "offset 5 can be read from here, so nothing is skipped" in refused.stderr
    for p, batch in ((1, torn), (2, strange)):
        done = run("skip", site.plan.topic, p, batch.first, "--by", "ada", "-c", site.config())
        assert done.returncode == 0, done.stderr
        assert "skipped" in done.stderr
    site.wait_for(lambda: [site.through().get(p) for p in range(4)] == [999] * 4)
    site.wait_for(lambda: len(letters(site)) == 2)
    told = sorted(letters(site), key=lambda letter: letter["partition"])
    for letter, batch in zip(told, (torn, strange), strict=True):
        assert letter["reason"] == "batch_skipped"
        assert (int(letter["offset"]), int(letter["last-offset"])) == (batch.first, batch.last)
        assert letter["error"].startswith("skipped by ada at 20")
    assert page(port, "/readyz")[0] == 200
    listed = run("skip", "-c", site.config())
    assert listed.stdout.count("ada") == 2

    worker.kill()
    fresh = site.start()  # from the committed offsets, which are before the skipped batches
    site.wait_ready(fresh)
    site.wait_for(lambda: "first chunk at" in fresh.said())
    assert "stopped" not in fresh.said()


def memory_mb(worker: Worker, field: str) -> float:
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    [kb] = re.findall(rf"^{field}:\s+(\d+) kB", status, re.M)
    return int(kb) / 1024


#: Snappy is unpacked in one piece, by a broker with a small heap too.
BOMBS = {codec: 70_000_000 if codec == "snappy" else 100_000_000 for codec in CODECS}


def test_bombs_are_refused_with_bounded_memory_and_hold_up_nobody(
    install: Install, kafka: dict[str, object], topic_prefix: str
) -> None:
    """Batches of one record, and of many, of more than the cap; honest events all around."""
    make_topics(kafka, topic_prefix, lambda _: {"max.message.bytes": "20000000"})
    site = install()
    events = make_events(45_000, 20_000)
    expected = site.expected_alerts(events)
    worker = site.start()
    site.wait_ready(worker)
    half = len(events) // 2
    site.produce(events[:half], close=False)
    site.wait_for(lambda: sum(n + 1 for n in site.through().values()) >= half - 4 * 500)
    before = memory_mb(worker, "VmHWM")
    bombs = 0
    for p, codec in enumerate(CODECS):
        size = BOMBS[codec]
        producer = sender(
            kafka,
            codec,
            message__max__bytes=size + 10_000_000,
            batch__size=size + 10_000_000,
            batch__num__messages=1_000_000,
            linger__ms=2_000,
            queue__buffering__max__kbytes=1_000_000,
        )
        send(producer, site.plan.topic, p, [bytes(size)])
        send(producer, site.plan.topic, p, [bytes(size // 1_000)] * 1_000)
        bombs += 2
    site.produce(events[half:])
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert site.alerts() == expected
    site.wait_for(lambda: len(letters(site)) >= bombs)
    told = letters(site)
    assert len(told) == bombs
    assert {letter["reason"] for letter in told} == {"batch_too_large"}
    assert all("more than 67,108,864 bytes" in letter["error"] for letter in told)
    spans = {int(letter["last-offset"]) - int(letter["offset"]) for letter in told}
    assert spans == {0, 999}
    assert memory_mb(worker, "VmHWM") - before < 250
    assert "revoked" not in worker.said().lower(), "it lost its place in the group"


def test_large_batches_below_the_limit_are_read_with_bounded_memory(
    install: Install, kafka: dict[str, object], topic_prefix: str
) -> None:
    """Each of the batches may be read; not all of them can be held at once."""
    make_topics(kafka, topic_prefix, lambda _: {"max.message.bytes": "20000000"})
    site = install(HUGE, idle_after="1s")
    worker = site.start()
    site.wait_ready(worker)
    before = memory_mb(worker, "VmHWM")
    padded = [e[:-1] + b',"note":"' + b"x" * 30_000 + b'"}' for e in make_events(1_600, None)]
    producer = sender(
        kafka,
        "zstd",
        batch__size=60_000_000,
        message__max__bytes=60_000_000,
        linger__ms=2_000,
        queue__buffering__max__kbytes=1_000_000,
        batch__num__messages=100_000,
    )
    for p in range(4):
        for _ in range(6):  # 48 MB each, more than a gigabyte
            send(producer, site.plan.topic, p, padded)
    site.wait_for(lambda: [site.through().get(p) for p in range(4)] == [9_599] * 4)
    assert letters(site) == []
    assert memory_mb(worker, "VmHWM") - before < 450


def test_an_unreadable_batch_of_plans_is_said_and_skipped(install: Install, broker: Broker) -> None:
    folder = own_log(broker)
    site = install(HUGE)
    publish_plan(site.kafka, site.topics["plans"], make_plan(site.plan.topic, "churn", **HUGE))
    [_, churn] = stored_batches(folder, site.topics["plans"], 0)
    damage(churn, PAYLOAD + 9, 0x55, sealed=False)
    worker = site.start()
    assert worker.process.wait(180) == 1
    advice = f"driftstream skip {site.topics['plans']} 0 {churn.first}"
    assert advice in worker.said()
    site.running.clear()
    listed = run("plan", "list", "-c", site.config())
    assert listed.returncode == 1
    assert advice in listed.stderr
    done = run("skip", site.topics["plans"], 0, churn.first, "-c", site.config())
    assert done.returncode == 0, done.stderr
    listed = run("plan", "list", "-c", site.config())
    assert listed.returncode == 0, listed.stderr
    assert "fraud" in listed.stdout
    assert "churn" not in listed.stdout
    site.wait_ready(site.start())


def test_an_unreadable_alert_is_passed_over_with_a_warning(
    install: Install, broker: Broker
) -> None:
    folder = own_log(broker)
    site = install()
    for codec, name in zip(CODECS, "abcd", strict=True):
        send(sender(site.kafka, codec), site.topics["alerts"], 0, [json.dumps(name).encode()])
    batch = stored_batches(folder, site.topics["alerts"], 0)[1]
    damage(batch, PAYLOAD + 3, 0x55, sealed=False)
    done = run("alerts", "-c", site.config())
    assert done.returncode == 0
    assert f"{site.topics['alerts']}[0]: offset 1 cannot be read (corrupt" in done.stderr
    assert done.stderr.count("ignored:") == 3, "the others are read, and are no alerts"
