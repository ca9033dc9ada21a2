"""`driftstream ingest` without a broker: forms, rules, tokens, limits."""

from __future__ import annotations

import base64
import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream.contracts.prediction_event import (
    ARROW_CONTENT_TYPE,
    BATCH_CONTENT_TYPE,
    EVENT_CONTENT_TYPE,
)
from stream.decode import FormatDecoder, NativeDecoder, SourceOptions
from stream.decode.formats.contract import Mapped
from stream.http.server import PageServer
from stream.ingest import IngestService, Rules, Tokens
from stream.ingest.bodies import BodyError, Incoming, messages_of
from stream.ingest.metrics import IngestCollector
from stream.ingest.tokens import TokenError
from stream.metrics import serve
from tests.stream.decode_tools import NOW, NOW_MS, Rec, book, decode, event, plan

TOKEN = "0123456789abcdef0123"


def body(document: Any) -> bytes:
    return json.dumps(document).encode()


def cloud(data: Any, **members: Any) -> dict[str, Any]:
    head = {"specversion": "1.0", "type": "predicted", "source": "/a", "id": "1"}
    return head | ({} if data is None else {"data": data}) | members


# ---- bodies


def test_every_form_carries_the_same_event() -> None:
    one = event()
    timeless = event(timestamp=...)
    stamp = "2026-03-01T12:00:00Z"
    forms: list[tuple[dict[str, str], bytes]] = [
        ({}, body(one)),
        ({"content-type": "application/json; charset=utf-8"}, body(one)),
        ({"content-type": "application/json"}, body([one])),
        ({"content-type": "application/x-ndjson"}, body(one) + b"\n\n"),
        ({"content-type": "application/cloudevents+json"}, body(cloud(one))),
        ({"content-type": "application/cloudevents+json"}, body(cloud(timeless, time=stamp))),
        ({"content-type": "application/cloudevents-batch+json"}, body([cloud(one)])),
        ({"content-type": "application/json", "ce-time": stamp, "ce-id": "1"}, body(timeless)),
        (
            {"content-type": "application/cloudevents+json"},
            body(cloud(None, data_base64=base64.b64encode(body(one)).decode())),
        ),
    ]
    expected = decode(one)
    for headers, sent in forms:
        (incoming,) = messages_of(headers, sent)
        found = decode(Rec(incoming.value))
        assert found.time_ms.tolist() == expected.time_ms.tolist() == [NOW_MS], headers
        assert (found.groups[0].numeric == expected.groups[0].numeric).all()
        assert (found.groups[0].codes == expected.groups[0].codes).all()


def test_the_own_time_of_an_event_is_not_replaced() -> None:
    headers = {"content-type": "application/cloudevents+json"}
    (one,) = messages_of(headers, body(cloud(event(), time="2020-01-01T00:00:00Z")))
    assert json.loads(one.value)["timestamp"] == NOW


def test_batches_and_arrow_go_as_they_are() -> None:
    for kind in (BATCH_CONTENT_TYPE, ARROW_CONTENT_TYPE):
        assert messages_of({"content-type": kind}, b"x") == [Incoming(b"x", kind)]


@pytest.mark.parametrize(
    ("headers", "sent", "status", "words"),
    [
        ({}, b"  ", 400, "the body is empty"),
        ({}, b"[1, ", 400, "no JSON array"),
        ({}, b"[]", 400, "the list is empty"),
        ({"content-type": "text/html"}, b"x", 415, "'text/html' is not read. Send one of"),
        ({"content-encoding": "gzip"}, b"x", 415, "content-encoding is not read"),
    ],
)
def test_bodies_that_are_none(
    headers: dict[str, str], sent: bytes, status: int, words: str
) -> None:
    with pytest.raises(BodyError, match=words) as raised:
        messages_of(headers, sent)
    assert raised.value.status == status


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"specversion": ...}, "Expected a CloudEvent with `specversion`"),
        ({"data": ...}, "Expected `data` or `data_base64`"),
        ({"datacontenttype": "text/xml"}, "'text/xml' is not read"),
        ({"data": ..., "data_base64": "?"}, "Not base64"),
    ],
)
def test_cloud_events_that_are_none_say_why(members: dict[str, Any], words: str) -> None:
    document = {k: v for k, v in (cloud(event()) | members).items() if v is not ...}
    (one,) = messages_of({"content-type": "application/cloudevents+json"}, body(document))
    assert words in one.problem


# ---- rules


def test_the_rules_are_those_of_workers() -> None:
    rules = Rules([plan(topic="a"), plan("churn", topic="b")], 60_000)
    bad = [
        {"model": {"name": "fraud"}},
        event(model={"name": "nobody"}),
        event(timestamp="yesterday"),
        event(timestamp=-5),
        event(timestamp="2199-01-01"),
        event(features=..., prediction=...),
        [1],
        {"model": {"name": "fraud"}, "columns": {"timestamp": [NOW], "features": {"amount": []}}},
    ]
    expected = {r.index: (r.reason, r.error) for r in decode(*bad, plans=None).rejects}
    incoming = [Incoming(body(document), "application/json") for document in bad]
    checked = rules.check(incoming)
    assert checked.messages == []
    assert {one.event: one.reason for one in checked.refused} == {
        i: reason for i, (reason, _) in expected.items()
    }
    assert all(one.error for one in checked.refused)
    good = rules.check(
        [
            Incoming(body(event(model={"name": name})), "application/json")
            for name in ("fraud", "churn")
        ]
    )
    assert not good.refused
    assert [(m.topic, m.events) for m in good.messages] == [("a", 1), ("b", 1)]


def test_the_id_is_the_key_and_a_batch_has_all_its_events() -> None:
    rules = Rules([plan()], 60_000)
    columns = {"timestamp": [NOW, NOW], "features": {"amount": [1.0, 2.0]}}
    batch = Incoming(body({"model": {"name": "fraud"}, "columns": columns}), BATCH_CONTENT_TYPE)
    single = Incoming(body(event()), "application/vnd.driftstream.prediction.v1+json")
    checked = rules.check([batch, single])
    assert [(m.key, m.events) for m in checked.messages] == [(None, 2), (b"3f0c", 1)]


# ---- tokens


def test_tokens_may_be_replaced_while_it_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"# of the shop\n{TOKEN}\n\n")
    tokens = Tokens(path)
    assert tokens.allow(f"Bearer {TOKEN}")
    for wrong in (
        "",
        TOKEN,
        f"Basic {TOKEN}",
        "Bearer",
        f"Bearer {TOKEN[:-1]}",
        "Bearer # of the shop",
    ):
        assert not tokens.allow(wrong)
    path.write_text("another-token-of-the-shop\n")
    assert not tokens.allow(f"Bearer {TOKEN}")
    assert tokens.allow("bearer another-token-of-the-shop")
    path.write_text("short")
    assert tokens.allow("Bearer another-token-of-the-shop")
    assert "stay in force" in caplog.text
    path.unlink()
    assert tokens.allow("Bearer another-token-of-the-shop")
    path.write_text(TOKEN)
    assert tokens.allow(f"Bearer {TOKEN}")


def test_a_file_of_tokens_that_protects_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    with pytest.raises(TokenError, match="cannot be read: No such file"):
        Tokens(path)
    for text in ("", "# only words\n", "short\n"):
        path.write_text(text)
        with pytest.raises(TokenError, match="at least 16 characters"):
            Tokens(path)


# ---- the endpoint, where no broker is


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    (tmp_path / "tokens").write_text(TOKEN)
    kafka = {"bootstrap_servers": "127.0.0.1:1"}
    service = IngestService(
        kafka, ("predictions",), Rules([plan()], 60_000), Tokens(tmp_path / "tokens")
    )
    served = serve(
        "127.0.0.1:0",
        IngestCollector(service, environment="tests"),
        service,
        posts={"/v1/events": service},
        max_body=10_000,
    )
    yield served
    served.close()
    service.close(0)


def ask(
    server: PageServer, method: str, path: str, sent: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, sent, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read().decode()
    connection.close()
    return found


def test_what_is_answered_without_a_broker(server: PageServer) -> None:
    status, headers, words = ask(server, "POST", "/v1/events", body(event()))
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    allowed = {"Authorization": f"Bearer {TOKEN}"}
    status, headers, words = ask(server, "POST", "/v1/events", body(event()), **allowed)
    assert (status, headers["Retry-After"]) == (429, "5")
    assert json.loads(words)["accepted"] == 0
    status, _, words = ask(server, "POST", "/v1/events", b"x" * 10_001, **allowed)
    assert (status, words) == (
        413,
        "at most 10000 bytes a request; got 10001. Send less at a time\n",
    )
    assert ask(server, "POST", "/metrics", b"x")[0] == 405
    assert ask(server, "GET", "/v1/events")[0] == 404
    assert ask(server, "GET", "/healthz")[0] == 200
    assert ask(server, "GET", "/readyz")[0] == 503
    page = ask(server, "GET", "/metrics")[2]
    assert 'environment="tests"' in page, "the dashboards choose processes by it"
    assert 'driftstream_ingest_requests_total{status="401"} 1.0' in page
    assert 'driftstream_ingest_requests_total{status="429"} 1.0' in page
    assert "driftstream_ingest_ready 0.0" in page


CONFIG = """
[kafka]
bootstrap_servers = "127.0.0.1:1"
[ingest]
address = "127.0.0.1:0"
[[models]]
name = "fraud"
topic = "mapped"
signals = "auto"
[[models]]
name = "churn"
topic = "plain"
signals = "auto"
[[sources]]
topic = "plain"
[[sources]]
topic = "mapped"
model = "fraud"
[sources.mapping]
timestamp = "at"
features = "inputs.*"
"""


def test_the_command_says_which_topics_have_another_format(tmp_path: Path) -> None:
    config = tmp_path / "driftstream.toml"
    config.write_text(CONFIG)
    running = subprocess.Popen(
        [sys.executable, "-m", "stream.cli", "ingest", "-c", str(config)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert running.stderr is not None
    try:
        lines = []
        for line in running.stderr:
            lines.append(line)
            if line.startswith("ready: POST "):
                break
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    finally:
        running.kill()
        running.wait()
        running.stderr.close()
    (told,) = [line for line in lines if "[[sources]]" in line]
    assert told.startswith("[[sources]] says mapping of mapped")
    assert "native events are taken, no other" in told


def test_workers_read_what_was_sent_also_on_a_topic_of_another_format() -> None:
    mapping = Mapped(timestamp=("at",), star=("inputs",))
    options = SourceOptions("mapping", model="fraud", mapping=mapping)
    (sent,) = Rules([plan()], 60_000).check([Incoming(body(event()), EVENT_CONTENT_TYPE)]).messages
    decoder = FormatDecoder(NativeDecoder(book(), max_ahead_ms=60_000), options)
    as_sent = decoder.decode([Rec(sent.value, headers=tuple(sent.headers))])
    assert as_sent.time_ms.tolist() == [NOW_MS]
    unmarked = decoder.decode([Rec(sent.value)])  # the mark is what does it
    assert len(unmarked.rejects) == 1


@pytest.mark.parametrize(
    "length",
    [b"", b"Content-Length: -1\r\n", b"Content-Length: x\r\n", b"Transfer-Encoding: chunked\r\n"],
)
def test_a_body_of_unknown_length_is_not_read(server: PageServer, length: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        client.sendall(b"POST /v1/events HTTP/1.1\r\nHost: a\r\n" + length + b"\r\n")
        assert client.recv(100).split()[1] == b"411"
