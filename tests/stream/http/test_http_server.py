"""The metrics port among slow, rude and very many clients, on real sockets."""

from __future__ import annotations

import contextlib
import http.client
import logging
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.registry import CollectorRegistry

from stream.http import bounded_server
from stream.http.server import PLAIN, Page, PageServer, Request
from stream.metrics import serve

BIG = b"x" * 40_000_000


def pages() -> dict[str, Callable[[Request], Page]]:
    def fails(request: Request) -> Page:
        raise RuntimeError("a bug of ours")

    return {
        "/ok": lambda _: Page(HTTPStatus.OK, PLAIN, b"fine\n"),
        "/big": lambda _: Page(HTTPStatus.OK, PLAIN, BIG),
        "/accept": lambda request: Page(HTTPStatus.OK, PLAIN, request.accept.encode()),
        "/fails": fails,
    }


@contextlib.contextmanager
def serving(**settings: Any) -> Iterator[PageServer]:
    server = PageServer("127.0.0.1:0", pages(), **settings)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with serving() as server:
        yield server


def connect(server: PageServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def say(server: PageServer, request: bytes) -> bytes:
    """All that is answered to these bytes."""
    with connect(server) as connection:
        connection.sendall(request)
        return everything(connection)


def everything(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def ask(server: PageServer, path: str = "/ok", method: str = "GET", **headers: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def wait_for_workers(server: PageServer, count: int) -> None:
    """Until so many pages are being made, or waited for."""
    end = time.monotonic() + 20
    while len(server._server._working) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


# ---- what is no request


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /ok HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"GET /nowhere HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /ok HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"405 Method Not Allowed"),
        (b"\x1b[31mBREW /ok HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"nonsense\r\n\r\n", b"400 Bad Request"),
        (b"GET /ok FTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"GET /ok HTTP/9.1\r\n\r\n", b"505 HTTP Version Not Supported"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"414 "),
        (b"GET /ok HTTP/1.1\r\nA: " + b"a" * 100_000 + b"\r\n\r\n", b"431 "),
        (b"GET /ok HTTP/1.1\r\n" + b"A: a\r\n" * 101 + b"\r\n", b"431 "),
        (b"GET /ok HTTP/1.1\r\n" + (b"A: " + b"a" * 999 + b"\r\n") * 99 + b"\r\n", b"431 "),
        (b"GET /fails HTTP/1.1\r\n\r\n", b"500 Internal Server Error"),
    ],
)
def test_every_request_gets_one_answer_in_plain_words(
    server: PageServer, request_: bytes, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = say(server, request_)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 " + status)
    assert b"Connection: close" in head
    assert int(head.partition(b"Content-Length: ")[2].split()[0]) == len(body)
    assert (b"Allow: GET, HEAD" in head) == status.startswith(b"405")
    assert b"\x1b" not in answer
    assert ("a bug of ours" in caplog.text) == status.startswith(b"500")


def test_head_is_get_without_the_body(server: PageServer) -> None:
    for path in ("/ok", "/nowhere"):
        status, headers, body = ask(server, path)
        status_of_head, headers_of_head, nothing = ask(server, path, "HEAD")
        assert status == status_of_head
        assert headers_of_head["Content-Length"] == headers["Content-Length"] == str(len(body))
        assert nothing == b""


def test_requests_behind_the_first_are_dropped_and_the_first_is_answered(
    server: PageServer,
) -> None:
    answer = say(server, b"GET /ok HTTP/1.1\r\nConnection: keep-alive\r\n\r\n" * 5)
    assert answer.count(b"HTTP/1.0 200 OK") == answer.count(b"fine\n") == 1


# ---- the Accept header


class Nothing:
    def healthy(self) -> tuple[bool, str]:
        return True, "alive"

    ready = healthy

    def collect(self) -> list[Any]:
        return []


@pytest.fixture(scope="module")
def metrics() -> Iterator[PageServer]:
    server = serve("127.0.0.1:0", CollectorRegistry(), Nothing())
    try:
        yield server
    finally:
        server.close()


TYPES = st.sampled_from(["application/openmetrics-text", "text/plain", "*/*", "text/html"])
VERSIONS = st.one_of(
    st.sampled_from(["1.0.0", "0.0.4", "2.0.0", "1", "", "x", "1.0.0.0", "9" * 5_000, "²"]),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20),
)
ACCEPTS = st.one_of(
    st.builds("{};version={};escaping={}".format, TYPES, VERSIONS, VERSIONS),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=200),
)


@given(st.lists(ACCEPTS, max_size=3))
def test_any_accept_header_gets_the_page(metrics: PageServer, accepts: list[str]) -> None:
    header = ",".join(accepts).encode("latin-1")
    answer = say(metrics, b"GET /metrics HTTP/1.1\r\nAccept: " + header + b"\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK")
    assert b"process_cpu_seconds" in body
    assert all(line.isascii() and line.decode().isprintable() for line in head.split(b"\r\n"))


def test_what_prometheus_asks_for_is_what_it_gets(metrics: PageServer) -> None:
    asked = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    assert ask(metrics, "/metrics", Accept=asked)[1]["Content-Type"].startswith(
        "application/openmetrics-text; version=1.0.0"
    )
    plain = "text/plain; version=0.0.4; charset=utf-8"
    assert (
        ask(metrics, "/metrics", Accept="application/openmetrics-text;version=one")[1][
            "Content-Type"
        ]
        == plain
    )


# ---- time


def drip(connection: socket.socket, stop: threading.Event) -> None:
    """A byte again and again, and never the end of a request."""
    with contextlib.suppress(OSError):
        connection.sendall(b"GET /ok HTTP/1.1\r\nA: ")
        while not stop.wait(0.02):
            connection.sendall(b"a")


def test_who_drips_is_hung_up_on_when_the_time_is_over() -> None:
    stop = threading.Event()
    with serving(deadline_s=0.3) as server, connect(server) as slow:
        thread = threading.Thread(target=drip, args=(slow, stop))
        thread.start()
        try:
            assert everything(slow) == b"", "the end, though it never stopped to send"
        finally:
            stop.set()
            thread.join()
        assert ask(server)[0] == 200


def test_who_does_not_read_is_hung_up_on() -> None:
    with serving(deadline_s=0.5) as server, connect(server) as slow:
        slow.sendall(b"GET /big HTTP/1.1\r\n\r\n")
        time.sleep(1)  # meanwhile the time is over
        with contextlib.suppress(ConnectionResetError):
            assert len(everything(slow)) < len(BIG)
        assert len(ask(server, "/big")[2]) == len(BIG), "who reads gets all of it"


def test_a_handshake_that_never_ends_holds_nobody_up(certificates: tuple[str, str]) -> None:
    with serving(deadline_s=0.5, tls=certificates) as server:
        trusting = ssl.create_default_context(cafile=certificates[0])
        with contextlib.ExitStack() as stack:
            silent = [stack.enter_context(connect(server)) for _ in range(20)]
            for each in silent[10:]:
                each.sendall(b"\x16\x03\x01\x02\x00")  # a hello begins
            connection = http.client.HTTPSConnection(
                "127.0.0.1", server.port, timeout=10, context=trusting
            )
            with contextlib.closing(connection):
                connection.request("GET", "/ok")
                assert connection.getresponse().read() == b"fine\n"
            for each in silent:
                assert each.recv(1) == b"", "hung up on when the time was over"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    crt, key = str(folder / "crt.pem"), str(folder / "key.pem")
    command = [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-out", crt, "-keyout", key),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make certificates with")
    return crt, key


# ---- numbers


def test_the_slowest_makes_room(caplog: pytest.LogCaptureFixture) -> None:
    with serving(max_open=4) as server, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(server)) for _ in range(12)]
        for each in slow:
            each.sendall(b"GET /ok HT")
        assert ask(server)[0] == 200
        assert slow[0].recv(1) == b""
        assert "hung up on the slowest" in caplog.text
        assert caplog.text.count("hung up") == 1, "once a minute"


def test_who_waits_for_us_is_not_the_slowest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_server, "_GRACE_S", 0.0)
    release = threading.Event()

    def long_one(_: Request) -> Page:
        release.wait(10)
        return Page(HTTPStatus.OK, PLAIN, b"at last\n")

    server = PageServer("127.0.0.1:0", {**pages(), "/long": long_one}, max_open=2)
    try:
        with connect(server) as waiting, connect(server) as slow:
            waiting.sendall(b"GET /long HTTP/1.1\r\n\r\n")
            wait_for_workers(server, 1)
            slow.sendall(b"GET")
            assert ask(server)[0] == 200
            release.set()
            assert everything(waiting).endswith(b"at last\n")
    finally:
        release.set()
        server.close()


def test_five_hundred_at_once_are_all_served(server: PageServer) -> None:
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connect(server)) for _ in range(500)]
        for each in crowd:
            each.sendall(b"GET /ok HTTP/1.1\r\n\r\n")
        assert all(everything(each).endswith(b"fine\n") for each in crowd)


def test_a_crowd_shares_a_page() -> None:
    made = 0
    release = threading.Event()

    def slow(_: Request) -> Page:
        nonlocal made
        made += 1
        release.wait(10)
        return Page(HTTPStatus.OK, PLAIN, b"%d" % made)

    server = PageServer("127.0.0.1:0", {"/slow": slow}, max_open=50)
    try:
        with contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(connect(server)) for _ in range(40)]
            for each in crowd:
                each.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
            wait_for_workers(server, 40)
            release.set()
            answers = {everything(each)[-1:] for each in crowd}
        assert answers == {b"1", b"2"}
        # Never one that was begun before it was asked for.
        assert ask(server, "/slow")[2] == b"3"
    finally:
        release.set()
        server.close()


CROWDED = """
import contextlib, http.client, resource, socket, sys, threading
from http import HTTPStatus
from stream.http.server import PLAIN, Page, PageServer

port, free = int(sys.argv[1]), int(sys.argv[2])
page = Page(HTTPStatus.OK, PLAIN, b"fine")
server = PageServer(f"127.0.0.1:{port}", {"/ok": lambda _: page})
print(server._server.max_open, flush=True)
taken = []
if not free:
    with contextlib.suppress(OSError):
        while True:
            taken.append(open("/dev/null"))
    print("full", flush=True)
for line in sys.stdin:
    with contextlib.suppress(IndexError):
        taken.pop().close()
    with open("/dev/null"):  # there is room for a file beside all connections
        print("room", flush=True)
"""


@contextlib.contextmanager
def crowded(free: bool) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that may open 128 files and serves pages; without `free` it has opened them all."""
    from stream.devbroker.broker import free_port

    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", CROWDED, str(port), str(int(free))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)),
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "32\n"
        yield process, port
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def get(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", "/ok")
        return connection.getresponse().read()


def test_dripping_clients_leave_files_for_the_rest() -> None:
    with crowded(free=True) as (process, port), contextlib.ExitStack() as stack:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(120):
            each = socket.create_connection(("127.0.0.1", port), timeout=10)
            stack.enter_context(each).sendall(b"GET /ok HT")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "room\n"
        assert get(port) == b"fine"
        assert process.poll() is None


def test_without_a_free_file_it_goes_on_when_there_is_one() -> None:
    with crowded(free=False) as (process, port):
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "full\n"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as waiting:
            waiting.sendall(b"GET /ok HTTP/1.1\r\n\r\n")
            waiting.settimeout(0.3)
            with pytest.raises(TimeoutError):
                waiting.recv(1)
            for _ in range(3):
                process.stdin.write("\n")
                process.stdin.flush()
                assert process.stdout.readline() == "room\n"
            waiting.settimeout(10)
            assert everything(waiting).endswith(b"fine")


def test_the_end_hangs_up_on_everybody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with serving() as server:
        open_ones = [connect(server) for _ in range(3)]
        ask(server)
    for each in open_ones:
        with each:
            assert each.recv(1) == b""
    assert not caplog.records
