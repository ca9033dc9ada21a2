"""Programs on a real broker under conditions that are nobody's wish: clocks, crowds, dripping."""

from __future__ import annotations

import contextlib
import re
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.client.records import publish
from stream.contracts.alert_event import encode_alert
from stream.devbroker.broker import free_port
from stream.kafka.topics import WantedTopic, create_topics
from tests.integration.worker_kit import ROOT, Install, installer, make_events
from tests.stream.bad_receivers import dripping, listening
from tests.stream.notify_tools import alert

pytestmark = pytest.mark.broker

#: Python imports this at its start: time.time goes wrong, durations stay right, as on such a host.
WRONG_CLOCK = """
import time
true, true_ns = time.time, time.time_ns
time.time = lambda: true() + {ahead_s}
time.time_ns = lambda: true_ns() + {ahead_s} * 1_000_000_000
"""


@pytest.fixture
def install(kafka: dict[str, object], topic_prefix: str, tmp_path: Path) -> Iterator[Install]:
    with installer(kafka, topic_prefix, tmp_path, {"snapshot_interval": "500ms"}) as make:
        yield make


def test_workers_whose_clocks_disagree_alert_as_one_process(install: Install) -> None:
    site = install()
    events = make_events(40_000, 20_000)
    expected = site.expected_alerts(events)
    assert expected
    workers = []
    for ahead_s in (3_600, -3_600):
        workers.append(site.start(first=f"exec({WRONG_CLOCK.format(ahead_s=ahead_s)!r})"))
    for worker in workers:
        site.wait_ready(worker)
    logged = [re.search(r"^\S+ (\d\d):", w.said(), re.M)[1] for w in workers]  # type: ignore[index]
    assert (int(logged[0]) - int(logged[1])) % 24 in (1, 2, 3), "their clocks do disagree"
    site.produce(events)
    site.wait_for(lambda: len(site.alerts()) >= len(expected))
    assert [w.terminate() for w in workers] == [0, 0]
    assert site.alerts() == expected


def test_a_crowd_that_drips_takes_no_file_from_a_worker(install: Install) -> None:
    port = free_port()
    site = install(metrics_address=f"127.0.0.1:{port}")
    events = make_events(40_000, 20_000)
    expected = site.expected_alerts(events)
    worker = site.start()
    resource.prlimit(worker.process.pid, resource.RLIMIT_NOFILE, (128, 128))
    site.wait_ready(worker)
    with contextlib.ExitStack() as stack:
        for _ in range(120):
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            stack.enter_context(client).sendall(b"GET /metrics HT")
        site.produce(events)
        site.wait_for(lambda: len(site.alerts()) >= len(expected))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=20) as page:
            assert page.status == 200
    assert worker.terminate() == 0
    assert site.alerts() == expected


def test_sigterm_does_not_wait_for_a_receiver_that_drips(
    kafka: dict[str, object], topic_prefix: str, tmp_path: Path
) -> None:
    topic, port = f"{topic_prefix}alerts", free_port()
    create_topics(kafka, [WantedTopic(topic, 1, {"cleanup.policy": "delete"})])
    event = alert()
    publish(kafka, topic, [(event.data.fingerprint.encode(), encode_alert(event), ())])
    config, log = tmp_path / "config.toml", tmp_path / "notify.log"
    with listening(dripping(b"")) as receiver, log.open("wb") as out:
        config.write_text(
            f'[kafka]\nbootstrap_servers = "{kafka["bootstrap_servers"]}"\n'
            f'[worker]\ngroup = "{topic_prefix}group"\n[topics]\nalerts = "{topic}"\n'
            '[[models]]\nname = "fraud"\nreference = "not-read.json"\n'
            '[[notify]]\ntype = "webhook"\nname = "pager"\ntimeout = "1h"\n'
            f'url = "http://127.0.0.1:{receiver}/hook"\n'
        )
        command = [
            sys.executable,
            "-m",
            "stream.cli",
            "notify",
            "-c",
            str(config),
            "--metrics-address",
            f"127.0.0.1:{port}",
        ]
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)

        def ready() -> str:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as page,
            ):
                words: str = page.read().decode()
                return words
            return ""

        try:
            end = time.monotonic() + 60
            while "slow to answer: pager" not in ready():
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0, "and not after its hour"
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
    assert log.read_text().count("Traceback") == 0
