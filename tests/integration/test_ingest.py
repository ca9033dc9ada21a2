"""`driftstream ingest` on a real broker that goes away and comes back, and its end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from stream.client.records import read_topic
from stream.devbroker.broker import Broker
from stream.http.server import PageServer
from stream.ingest import IngestService, Rules
from stream.ingest.metrics import IngestCollector
from stream.kafka.topics import WantedTopic, create_topics
from stream.metrics import serve
from stream.publishing import delivery
from tests.stream.decode_tools import event, plan

pytestmark = pytest.mark.broker

StartBroker = Callable[..., Broker]
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "ingest.md"


def start(
    kafka: Mapping[str, object], topic: str, confirm_s: float
) -> tuple[IngestService, PageServer]:
    service = IngestService(
        kafka, (topic,), Rules([plan(topic=topic)], 10**12), confirm_s=confirm_s
    )
    server = serve(
        "127.0.0.1:0",
        IngestCollector(service),
        service,
        posts={"/v1/events": service},
        max_body=1_000_000,
        deadline_s=60.0,
    )
    return service, server


@pytest.fixture
def running(kafka: dict[str, object], topic_prefix: str) -> Iterator[tuple[str, str]]:
    topic = f"{topic_prefix}predictions"
    create_topics(kafka, [WantedTopic(topic, 2, {"cleanup.policy": "delete"})])
    service, server = start(kafka, topic, 60.0)
    wait_ready(server.url)
    yield server.url, topic
    server.close()
    assert service.close(0) == 0


def post(
    url: str, sent: bytes, kind: str = "application/json"
) -> tuple[int, Any, Mapping[str, str]]:
    request = urllib.request.Request(f"{url}v1/events", sent, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            return answer.status, json.loads(answer.read()), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), error.headers


def readyz(url: str) -> int:
    try:
        with urllib.request.urlopen(f"{url}readyz", timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def wait_ready(url: str, expected: int = 200) -> None:
    end = time.monotonic() + 120
    while readyz(url) != expected:
        assert time.monotonic() < end
        time.sleep(0.1)


def lines(names: list[str]) -> bytes:
    return b"\n".join(json.dumps(event(prediction_id=name)).encode() for name in names)


def ids(kafka: Mapping[str, object], topic: str) -> Counter[str]:
    return Counter(json.loads(r.value or b"")["prediction_id"] for r in read_topic(kafka, topic))


def test_what_is_accepted_is_on_the_topic_and_what_is_wrong_is_said(
    kafka: dict[str, object], running: tuple[str, str]
) -> None:
    url, topic = running
    assert post(url, lines(["a", "b"]), "application/x-ndjson")[:2] == (202, {"accepted": 2})
    assert ids(kafka, topic) == Counter(["a", "b"])
    wrong = [event(prediction_id="c"), event(timestamp="yesterday"), event(model={"name": "x"})]
    status, answer, _ = post(url, json.dumps(wrong).encode())
    assert (status, answer["accepted"], answer["refused_total"]) == (400, 0, 2)
    assert [(one["event"], one["reason"]) for one in answer["refused"]] == [
        (1, "bad_timestamp"),
        (2, "unknown_model"),
    ]
    assert "1 that are right were not sent either" in answer["others"]
    assert ids(kafka, topic) == Counter(["a", "b"])
    with urllib.request.urlopen(f"{url}metrics", timeout=60) as page:
        text = page.read().decode()
    assert "driftstream_ingest_events_total 2.0" in text
    assert 'driftstream_ingest_refused_total{reason="bad_timestamp"} 1.0' in text


def test_a_broker_that_goes_away_is_429_and_nothing_said_202_is_lost(
    restartable_broker: StartBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_STALLED_S", 0.5)  # it looks for the broker again and again
    broker = restartable_broker()
    kafka: dict[str, object] = {"bootstrap_servers": broker.bootstrap}
    create_topics(kafka, [WantedTopic("predictions", 2, {"cleanup.policy": "delete"})])
    service, server = start(kafka, "predictions", 3.0)
    try:
        wait_ready(server.url)
        accepted = []
        assert post(server.url, lines(["before"]))[0] == 202
        accepted.append("before")
        broker.kill()
        status, answer, headers = post(server.url, lines(["lost"]))
        assert (status, headers["Retry-After"]) == (429, "5")
        assert "may still arrive" in answer["error"]
        assert readyz(server.url) == 503
        status, answer, _ = post(server.url, lines(["never"]))
        assert (status, answer["error"]) == (429, "the broker is slow or away; nothing was taken")
        looked_until = time.monotonic() + 2.0
        while time.monotonic() < looked_until:  # a look for the broker is no word from it
            assert readyz(server.url) == 503
        broker = restartable_broker()
        wait_ready(server.url)
        tries = 1
        while post(server.url, lines(["after"]))[0] == 429:  # a slow machine: sent again
            tries += 1
            assert tries < 20
        accepted.append("after")
        found = ids(kafka, "predictions")
        assert set(accepted) <= found.keys() <= {*accepted, "lost"}
        assert found["before"] == 1
        assert found["lost"] <= 1
        assert found["after"] <= tries
    finally:
        server.close()
        service.close(0)


CONFIG = """
[kafka]
bootstrap_servers = "{servers}"
[ingest]
address = "127.0.0.1:0"
tokens_file = "tokens"
[[models]]
name = "fraud"
topic = "{topic}"
signals = "auto"
"""


def test_the_command_answers_and_ends_well(
    kafka: dict[str, object], topic_prefix: str, tmp_path: Path
) -> None:
    topic = f"{topic_prefix}predictions"
    create_topics(kafka, [WantedTopic(topic, 2, {"cleanup.policy": "delete"})])
    config = tmp_path / "driftstream.toml"
    config.write_text(CONFIG.format(servers=kafka["bootstrap_servers"], topic=topic))
    command = [sys.executable, "-m", "stream.cli", "ingest", "-c", str(config)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert refused.returncode == 2
    assert "ingest.tokens_file" in refused.stderr
    (tmp_path / "tokens").write_text("token-of-the-test-suite")
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert running.stderr is not None
        ready = next(line for line in running.stderr if line.startswith("ready: POST "))
        url = ready.split()[2].removesuffix(";").removesuffix("v1/events")
        wait_ready(url)
        assert post(url, lines(["a"]))[0] == 401
        example = re.search(r"-d '(.*?)'", PAGE.read_text(), re.S)
        assert example is not None
        request = urllib.request.Request(
            f"{url}v1/events",
            example[1].encode(),
            {"Content-Type": "application/json", "Authorization": "Bearer token-of-the-test-suite"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 202
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.wait()
        running.stderr.close()  # type: ignore[union-attr]
    (record,) = read_topic(kafka, topic)
    assert json.loads(record.value or b"") == json.loads(example[1])
