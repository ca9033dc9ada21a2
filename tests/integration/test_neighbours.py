"""Neighbours that break while a worker runs: it waits and says so, or ends and says why."""

from __future__ import annotations

import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from stream.client.records import publish
from stream.contracts.topic_names import TopicNames
from stream.devbroker.broker import Broker, free_port
from stream.kafka.admin import admin
from stream.kafka.topics import create_topics, delete_topics, wanted_topics
from tests.integration.worker_kit import ROOT, Install, Installation, Worker, installer, make_events

pytestmark = pytest.mark.broker
HUGE = {"window_events": 10**9, "window_max_age_ms": 10**12}
AWAY_S = 20.0
#: A topic is looked for for 40 s, twice.
IMPATIENT = (
    "from stream.worker.sender import Sender; "
    "Sender.__init__.__kwdefaults__['request_timeout_s'] = 3.0"
)


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"snapshot_interval": "300ms"}) as make:
        yield make


def page(address: str, path: str) -> tuple[int, str]:
    """Status and body of a page of the worker."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def connections_to(bootstrap: str, pid: int) -> bool:
    """Whether a process has a connection to the broker."""
    port = int(bootstrap.rpartition(":")[2])
    return any(
        one.raddr and one.raddr.port == port for one in psutil.Process(pid).net_connections("tcp")
    )


def to_one(site: Installation, events: list[bytes], partition: int = 0) -> None:
    """Events to one partition alone: the others are idle, and wait for nobody."""
    publish(site.kafka, site.plan.topic, ((None, e, ()) for e in events), partition=partition)


def is_ready(address: str) -> bool:
    return page(address, "/readyz")[0] == 200


def counted(site: Installation, events: list[bytes]) -> Callable[[], bool]:
    """Whether every event is in the snapshots."""
    return lambda: site.counts()[0] >= len(events)


def test_a_broker_that_is_away_is_waited_for(
    restartable_broker: Callable[..., Broker], topic_prefix: str, tmp_path: Path
) -> None:
    """By one that works, by one that starts meanwhile, and by one that had just begun to start.

    Longer than sessions and requests last, with partitions that were just called idle.
    """
    broker = restartable_broker()
    kafka: dict[str, object] = {"bootstrap_servers": broker.bootstrap}
    address, another = (f"127.0.0.1:{free_port()}" for _ in range(2))
    settings = {
        "snapshot_interval": "300ms", "metrics_address": address, "idle_after": "1s",
    }  # fmt: skip
    with installer(kafka, topic_prefix, tmp_path, settings) as make:
        site = make(HUGE)
        events = make_events(20_000, None)
        worker = site.start()
        site.wait_ready(worker)
        assert is_ready(address)
        to_one(site, events[:10_000])
        site.wait_for(lambda: "nothing more to read" in worker.said())
        broker.kill()
        gone = time.monotonic()
        site.worker["metrics_address"] = another
        late = site.start()
        site.wait_for(lambda: not is_ready(address))
        site.wait_for(lambda: f"no broker answers at {broker.bootstrap}" in late.said())
        for place in (address, another):
            assert "no broker answers" in page(place, "/readyz")[1]
            assert page(place, "/healthz")[0] == 200, "it waits: nobody should start it again"
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - gone)))
        broker = restartable_broker()
        site.wait_for(lambda: is_ready(address) and is_ready(another))
        to_one(site, events[10_000:])
        site.wait_for(counted(site, events))
        assert np.array_equal(site.counts(), site.truth(events))
        assert [w.terminate() for w in (worker, late)] == [0, 0]

        assert broker.process is not None
        broker.process.send_signal(signal.SIGSTOP)  # it takes connections and says nothing
        beginner = site.start()
        site.wait_for(lambda: connections_to(broker.bootstrap, beginner.process.pid))
        broker.kill()
        site.wait_for(lambda: "went away, starting again" in beginner.said())
        restartable_broker()
        site.wait_ready(beginner)
        assert beginner.terminate() == 0


def test_an_alerts_topic_that_vanishes_ends_the_worker_and_loses_no_alert(
    install: Install,
) -> None:
    site = install(snapshot_interval="300ms")
    events = make_events(40_000, 20_000)
    expected = site.expected_alerts(events)
    worker = site.start(first=IMPATIENT)
    site.wait_ready(worker)
    delete_topics(site.kafka, [site.topics["alerts"]])
    site.produce(events)
    assert worker.process.wait(200) == 1
    assert site.topics["alerts"] in worker.said()
    again = site.start()
    assert again.process.wait(180) == 1
    assert f"no topic {site.topics['alerts']}" in again.said()
    site.running.clear()
    create_topics(
        site.kafka, wanted_topics(TopicNames(**site.topics), partitions=site.summaries_partitions)
    )
    site.start()
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert site.alerts() == expected


def test_a_full_disk_does_not_stop_a_worker(install: Install, tmp_path: Path) -> None:
    """No file may grow by a byte: the state is on a topic, and the data directory holds nothing."""
    site = install(HUGE, data_dir=str(tmp_path / "data"), idle_after="1s")
    events = make_events(5_000, None)
    to_one(site, events)
    command = [sys.executable, "-m", "stream.cli", "worker", "-v", "--no-publish"]
    process = subprocess.Popen(
        [*command, "-c", str(site.config())],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    site.running.append(Worker(process, tmp_path / "config.toml"))
    site.wait_for(counted(site, events))
    process.terminate()
    words = process.communicate(timeout=30)[1].decode()
    assert process.returncode == 0, words


def test_readers_that_never_read_block_nobody(install: Install) -> None:
    address = f"127.0.0.1:{free_port()}"
    site = install(HUGE, metrics_address=address, idle_after="1s")
    worker = site.start()
    site.wait_ready(worker)
    host, _, port = address.rpartition(":")
    readers = []
    for _ in range(40):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        reader.connect((host, int(port)))
        reader.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        readers.append(reader)
    try:
        events = make_events(10_000, None)
        to_one(site, events)
        site.wait_for(counted(site, events))
        assert is_ready(address)
        assert "driftstream_events_total" in page(address, "/metrics")[1]
    finally:
        for reader in readers:
            reader.close()
    assert worker.terminate() == 0


def test_an_events_topic_made_again_or_grown(install: Install) -> None:
    """A worker that runs ends when its topic is another; one with more partitions reads them."""
    site = install(HUGE, idle_after="1s")
    events = make_events(10_000, None)
    worker = site.start()
    site.wait_ready(worker)
    to_one(site, events[:5_000])
    site.wait_for(counted(site, events[:5_000]))
    assert worker.terminate() == 0
    delete_topics(site.kafka, [site.plan.topic])
    site.wait_for(lambda: not exists(site, site.plan.topic))
    create_topics(
        site.kafka,
        wanted_topics(
            TopicNames(**site.topics), predictions=[site.plan.topic], prediction_partitions=3
        ),
    )
    again = site.start()
    site.wait_ready(again)
    with admin(site.kafka) as client:
        client.create_partitions({site.plan.topic: 5})
    more = site.start()  # joins: the group looks at the topic anew
    site.wait_ready(more)
    to_one(site, events[5_000:8_000])
    site.wait_for(counted(site, events[:8_000]))
    to_one(site, events[8_000:], partition=4)
    site.wait_for(counted(site, events))
    assert np.array_equal(site.counts(), site.truth(events))
    assert [w.terminate() for w in (again, more)] == [0, 0]


def test_an_events_topic_made_again_ends_a_worker_that_runs(install: Install) -> None:
    site = install()
    code = (
        "import sys\n"
        "from stream.worker.app import run_worker\n"
        "from stream.contracts.topic_names import TopicNames\n"
        "from stream.worker.settings import WorkerSettings\n"
        f"settings = WorkerSettings(kafka={site.kafka!r}, group={site.prefix + 'group'!r},\n"
        f"    topics=TopicNames(**{site.topics!r}), sources_interval_s=0.5)\n"
        "say = lambda view: print('ready: ', file=sys.stderr, flush=True)\n"
        "sys.exit(run_worker(settings, say))\n"
    )
    log = site.directory / "again.log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=out)
    worker = Worker(process, log)
    site.running.append(worker)
    site.wait_ready(worker)
    delete_topics(site.kafka, [site.plan.topic])
    while exists(site, site.plan.topic):
        time.sleep(0.1)
    create_topics(
        site.kafka, wanted_topics(TopicNames(**site.topics), predictions=[site.plan.topic])
    )
    assert process.wait(180) == 1
    assert f"topic {site.plan.topic} was deleted and made again while the worker" in worker.said()


def exists(site: Installation, topic: str) -> bool:
    with admin(site.kafka) as client:
        return any(t["name"] == topic and not t["error_code"] for t in client.describe_topics())
