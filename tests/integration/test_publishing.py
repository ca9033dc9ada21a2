"""`Monitor` on a real broker: away, lost, back, without the topic; forks, exits, threads."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stream.client.records import read_topic
from stream.decode import NativeDecoder
from stream.devbroker.broker import Broker
from stream.kafka.admin import admin
from stream.kafka.topics import WantedTopic, create_topics, topic_partitions
from stream.plans.plan import PlanBook
from stream.publishing import DroppedEventError, Monitor
from tests.stream.decode_tools import plan

pytestmark = pytest.mark.broker

StartBroker = Callable[..., Broker]
Kafka = dict[str, object]


@pytest.fixture
def topic(kafka: Kafka, topic_prefix: str) -> str:
    name = f"{topic_prefix}predictions"
    create_topics(kafka, [WantedTopic(name, 3, {"cleanup.policy": "delete"})])
    return name


def ids_on(kafka: Kafka, topic: str) -> Counter[str]:
    return Counter(json.loads(r.value or b"")["prediction_id"] for r in read_topic(kafka, topic))


def wait_until(true: Callable[[], bool], timeout_s: float = 120.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def lines_of_kafka_python(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name.startswith("kafka")]


def test_what_is_logged_is_on_the_topic(kafka: Kafka, topic: str) -> None:
    with Monitor("fraud", "3", kafka=kafka, topic=topic) as monitor:
        assert monitor.log(
            {"amount": 12.5, "country": "DE", "age": None},
            "ok",
            score=0.93,
            prediction_id="3f0c",
            segments={"region": "eu"},
            latency_seconds=0.012,
            timestamp="2026-03-01T12:00:00Z",
        )
        assert monitor.log_actual("3f0c", "fraud", timestamp="2026-03-08T09:30:00Z")
        assert monitor.flush()
        assert monitor.stats().sent == 2
    first, second = read_topic(kafka, topic)  # of one key, so in one partition
    assert first.key == second.key == b"3f0c"
    assert dict(first.headers)["content-type"].endswith(b"prediction.v1+json")
    assert json.loads(first.value or b"") == {
        "schema": "driftstream.prediction.v1",
        "model": {"name": "fraud", "version": "3"},
        "timestamp": "2026-03-01T12:00:00Z",
        "prediction_id": "3f0c",
        "features": {"amount": 12.5, "country": "DE", "age": None},
        "prediction": {"label": "ok", "score": 0.93},
        "segments": {"region": "eu"},
        "latency_seconds": 0.012,
    }
    late = json.loads(second.value or b"")
    assert late["actual"] == {"label": "fraud", "timestamp": "2026-03-08T09:30:00Z"}
    assert late.keys() == {"schema", "model", "timestamp", "prediction_id", "actual"}


def test_a_truth_repeats_its_prediction_alone_and_in_frames(kafka: Kafka, topic: str) -> None:
    made = "2026-03-01T12:00:00Z"
    frame = {"said": ["ok", "ok"], "truth": ["fraud", None], "made": [made, None]}
    at = ["2026-03-08T09:30:00Z"] * 2
    roles: dict[str, Any] = {
        "prediction": "said", "actual": "truth", "prediction_timestamp": "made", "timestamp": at
    }  # fmt: skip
    with Monitor("fraud", "3", kafka=kafka, topic=topic) as monitor:
        assert monitor.log_actual("a", "fraud", prediction="ok", prediction_timestamp=made)
        assert not monitor.log_actual("a", "fraud", prediction="ok")
        assert "prediction_timestamp" in monitor.stats().last_error
        assert monitor.log_batch(frame, **roles) == 2
        assert monitor.log_batch(pa.table(frame), **roles) == 2
        assert monitor.log_batch({**frame, "made": ["yesterday", None]}, **roles) == 1
        assert monitor.flush()
        assert monitor.stats().dropped == {"invalid": 2}
    plans = PlanBook()
    plans.add(plan(topic=topic))
    decoded = NativeDecoder(plans).decode(list(read_topic(kafka, topic)))
    assert not decoded.rejects
    (group,) = decoded.groups
    assert group.predicted_ms is not None
    assert group.truths is not None
    assert group.predicted_ms[group.truths].tolist() == [1_772_366_400_000.0] * 3
    assert group.truths.size == 6


def test_away_at_start_without_a_topic_lost_and_back(
    restartable_broker: StartBroker, caplog: pytest.LogCaptureFixture
) -> None:
    broker = restartable_broker()
    kafka: Kafka = {"bootstrap_servers": broker.bootstrap}
    broker.kill()
    monitor = Monitor("m", kafka=kafka, topic="predictions")
    numbers = iter(range(10**6))

    def log(n: int) -> None:
        for _ in range(n):
            assert monitor.log({"x": 1.0}, prediction_id=str(next(numbers)))

    log(500)
    wait_until(lambda: "does not answer" in monitor.stats().last_error)
    assert monitor.stats().queued == 500

    broker = restartable_broker()
    wait_until(lambda: "there is no topic 'predictions'" in monitor.stats().last_error)
    assert topic_partitions(kafka, "predictions") == 0  # asking did not create it
    create_topics(kafka, [WantedTopic("predictions", 3, {"cleanup.policy": "delete"})])
    assert monitor.flush(60)

    log(500)
    broker.kill()
    log(2_000)
    wait_until(lambda: "does not answer" in monitor.stats().last_error)
    log(1_000)
    assert monitor.stats().dropped == {}
    broker = restartable_broker()
    assert monitor.flush(120)
    assert monitor.close() == 0
    assert monitor.stats().sent == monitor.stats().logged == 4_000
    assert ids_on(kafka, "predictions") == Counter(map(str, range(4_000)))  # and none twice
    ours = [r.getMessage() for r in caplog.records if r.name == "driftstream"]
    assert len([line for line in ours if "does not answer" in line]) == 2
    assert len([line for line in ours if "there is no topic" in line]) == 1
    assert any("answers again" in line for line in ours)
    assert len(ours) < 10
    assert len(lines_of_kafka_python(caplog)) < 60  # several a second, else


def test_a_misspelt_topic_is_named_once_and_never_made(
    kafka: Kafka, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = topic[:-1]
    monitor = Monitor("m", kafka=kafka, topic=wrong, max_events=100)
    for i in range(250):
        assert monitor.log({"x": i})
    wait_until(lambda: "there is no topic" in monitor.stats().last_error)
    stats = monitor.stats()
    assert (stats.queued, stats.dropped) == (100, {"queue_full": 150})
    monitor.close(timeout=0)
    assert monitor.stats().dropped == {"queue_full": 150, "unsent_at_close": 100}
    told = [r.getMessage() for r in caplog.records if r.name == "driftstream"]
    warned = [line for line in told if "there is no topic" in line and "closed with" not in line]
    assert len(warned) == 1
    assert f"Did you mean {topic!r}?" in warned[0]
    with admin(kafka) as client:
        assert wrong not in client.list_topics()


def test_a_strict_monitor_raises_for_what_is_left(kafka: Kafka, topic_prefix: str) -> None:
    monitor = Monitor("m", kafka=kafka, topic=f"{topic_prefix}none", strict=True)
    assert monitor.log({"x": 1})
    with pytest.raises(DroppedEventError, match="closed with 1 event unsent"):
        monitor.close(timeout=0.1)


def test_what_the_broker_takes_not_is_dropped_and_the_rest_sent(
    kafka: Kafka, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    topic = f"{topic_prefix}small"
    create_topics(kafka, [WantedTopic(topic, 1, {"max.message.bytes": "2000"})])
    with Monitor("m", kafka=kafka, topic=topic) as monitor:
        monitor.log({"x": 1}, prediction_id="small")
        monitor.flush()
        monitor.log({"text": "x" * 5_000}, prediction_id="large")
        monitor.log({"x": 2}, prediction_id="after")
        assert monitor.flush(30)
        monitor.log({"x": 3}, prediction_id="last")
    assert monitor.stats().sent == 3
    assert monitor.stats().dropped == {"too_large": 1}
    assert len([r for r in caplog.records if "no message of its size" in r.getMessage()]) == 1
    assert ids_on(kafka, topic) == Counter(["small", "after", "last"])


def test_many_threads_and_a_loop(kafka: Kafka, topic: str) -> None:
    monitor = Monitor("m", kafka=kafka, topic=topic, max_events=500, when_full="block")

    def work(who: str) -> None:
        for i in range(500):
            monitor.log({"x": i}, prediction_id=f"{who}{i}")

    async def serve() -> None:
        async with asyncio.TaskGroup() as tasks:
            for i in range(200):
                tasks.create_task(monitor.alog({"x": i}, prediction_id=f"loop{i}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    asyncio.run(serve())
    for thread in threads:
        thread.join()
    assert asyncio.run(monitor.aclose(60)) == 0
    expected = [f"{who}{i}" for who in "abcd" for i in range(500)]
    assert ids_on(kafka, topic) == Counter([*expected, *(f"loop{i}" for i in range(200))])


def run_script(text: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", text, *words],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


FORKS = """
import os, sys
from stream.publishing import Monitor

monitor = Monitor("m", bootstrap_servers=sys.argv[1], topic=sys.argv[2])
for i in range(300):
    monitor.log({"x": i}, prediction_id=f"parent{i}")
if sys.argv[3] == "connected":
    assert monitor.flush(60)
    for i in range(300, 600):
        monitor.log({"x": i}, prediction_id=f"parent{i}")
children = []
for child in range(2):
    pid = os.fork()
    if not pid:
        assert monitor.stats().logged == 0
        for i in range(100):
            monitor.log({"x": i}, prediction_id=f"child{child}-{i}")
        sys.exit()
    children.append(pid)
for i in range(600, 700):
    monitor.log({"x": i}, prediction_id=f"parent{i}")
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
assert monitor.flush(60)
monitor.log({"x": 0}, prediction_id="last")
"""


@pytest.mark.parametrize("when", ["before", "connected"])
def test_a_fork_sends_its_own_and_the_parent_its_own(kafka: Kafka, topic: str, when: str) -> None:
    run_script(FORKS, str(kafka["bootstrap_servers"]), topic, when)
    parent = [*range(300), *(range(300, 600) if when == "connected" else ()), *range(600, 700)]
    expected = [f"parent{i}" for i in parent] + ["last"]
    expected += [f"child{child}-{i}" for child in range(2) for i in range(100)]
    assert ids_on(kafka, topic) == Counter(expected)


EXITS = """
import multiprocessing, sys
from stream.publishing import Monitor

monitor = Monitor("m", bootstrap_servers=sys.argv[1], topic=sys.argv[2], exit_timeout=60)

def work(name):
    monitor.log({"x": 1}, prediction_id=name)

monitor.log({"x": 1}, prediction_id="main")
child = multiprocessing.get_context("fork").Process(target=work, args=("child",))
child.start()
child.join()
"""


def test_the_end_of_a_process_sends_what_is_queued(kafka: Kafka, topic: str) -> None:
    run_script(EXITS, str(kafka["bootstrap_servers"]), topic)
    assert ids_on(kafka, topic) == Counter(["main", "child"])
