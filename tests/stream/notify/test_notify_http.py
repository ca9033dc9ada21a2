"""Deliveries over networks as they are: receivers that drip, proxies, certificates, put-offs."""

from __future__ import annotations

import shutil
import ssl
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from stream.config.load import ConfigError
from stream.contracts.alert_event import encode_alert
from stream.notify import dispatcher as dispatcher_module
from stream.notify import sinks
from stream.notify.dispatcher import Dispatcher
from stream.notify.http import Client
from stream.notify.notify_status import NotifyStatus
from stream.notify.sinks import GIVE_UP_S, LONGEST_PUT_OFF_S
from stream.notify.targets.webhook import WebhookSink, WebhookTarget
from tests.security.secured import make_certificates
from tests.stream.bad_receivers import Proxy, answering, dripping, listening, silent
from tests.stream.notify.test_notify import Clock, news, targets, wait_for
from tests.stream.notify_tools import alert, hook

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BODY_FOLLOWS = b"Content-Length: 100000\r\n\r\n"
SHORT_S = 0.4


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


# ---- the whole exchange has a time


@pytest.mark.parametrize(
    ("at_once", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_an_answer_that_drips_is_no_answer(at_once: bytes, drop: bytes) -> None:
    with listening(dripping(at_once, drop)) as port:
        answer = Client(SHORT_S).post(f"http://127.0.0.1:{port}/secret", b"{}", {})
    assert not answer.delivered
    assert not answer.final
    assert answer.words == f"127.0.0.1: no whole answer in {SHORT_S:g} s"


def test_a_status_that_came_counts_though_its_text_drips() -> None:
    cases = {
        b"HTTP/1.1 200 OK\r\n" + BODY_FOLLOWS: (True, False, "delivered"),
        b"HTTP/1.1 503 Busy\r\n" + BODY_FOLLOWS: (False, False, "127.0.0.1 answered 503 Busy"),
        b"HTTP/1.1 400 Bad\r\n" + BODY_FOLLOWS: (False, True, "127.0.0.1 answered 400 Bad"),
    }
    for at_once, expected in cases.items():
        with listening(dripping(at_once)) as port:
            answer = Client(SHORT_S).post(f"http://127.0.0.1:{port}", b"{}", {})
        assert (answer.delivered, answer.final) == expected[:2]
        assert answer.words.startswith(expected[2])


def test_silence_before_and_within_tls_ends_too(tmp_path: Path) -> None:
    for scheme in ("http", "https"):
        with listening(silent) as port:
            words = Client(SHORT_S).post(f"{scheme}://127.0.0.1:{port}", b"{}", {}).words
        late = (f"no whole answer in {SHORT_S:g} s", "timed out")  # while it connects
        assert words in [f"127.0.0.1: {each}" for each in late]


def test_an_answer_without_end_is_not_kept() -> None:
    flood = b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 4_100_000
    with listening(dripping(flood, b" " * 65_536)) as port:
        answer, content = Client(10).request("GET", f"http://127.0.0.1:{port}", b"", {})
    assert (answer.delivered, content) == (False, b"")
    assert answer.words == "127.0.0.1 answered 200 OK and more than 4,000,000 bytes"
    with listening(answering(OK)) as port:
        assert Client(10).request("GET", f"http://127.0.0.1:{port}", b"", {})[1] == b"ok"


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_is_said_without_the_address(raw: bytes) -> None:
    with listening(answering(raw)) as port:
        words = Client(5).post(f"http://127.0.0.1:{port}/secret", b"{}", {}).words
    assert words.startswith("127.0.0.1: ")
    assert "secret" not in words


def test_no_log_has_the_address_or_raw_words_of_a_receiver(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """urllib3 warns of such headers: with the address, which is a secret, and a traceback."""
    with listening(answering(b"HTTP/1.1 200 OK\r\nno header \x1b[31m\r\n\r\n")) as port:
        answer = Client(5.0).post(f"http://127.0.0.1:{port}/secret", b"{}", {})
    assert answer.delivered
    assert caplog.records == []


def test_nobody_there_and_no_such_name() -> None:
    with listening(silent) as port:
        pass
    refused = Client(5).post(f"http://127.0.0.1:{port}/secret", b"{}", {}).words
    assert refused == "127.0.0.1: Connection refused"
    words = Client(5).post("http://no-such-host.invalid/secret", b"{}", {}).words
    assert words.startswith("no-such-host.invalid: ")
    assert "secret" not in words


# ---- the notifier meanwhile


def dispatcher_to(*urls: str, timeout_s: float) -> Dispatcher:
    pair = [WebhookTarget(f"w{i}", url, timeout_s=timeout_s) for i, url in enumerate(urls)]
    made = Dispatcher(pair, {}, {0: 0})
    made.feed(0, 0, encode_alert(alert()))
    return made


def test_a_receiver_that_drips_is_named_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sinks, "STALLED_S", 0.1)
    with listening(dripping(b"")) as port, hook() as good:
        status = NotifyStatus()
        status.dispatcher = dispatcher_to(f"http://127.0.0.1:{port}", good.url, timeout_s=1.0)
        status.dispatcher.start()
        try:
            wait_for(lambda: status.ready() == (True, "1 open episodes; slow to answer: w0"))
            wait_for(lambda: good.taken)
            wait_for(lambda: "trying again: w0" in status.ready()[1])
            assert status.dispatcher.targets()[0].stats.failed >= 1
        finally:
            status.dispatcher.stop()


def test_the_end_waits_for_an_answer_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def slow(connection, over) -> None:  # type: ignore[no-untyped-def]
        release.wait(5)
        answering(OK)(connection, over)

    with listening(slow) as port:
        made = dispatcher_to(f"http://127.0.0.1:{port}", timeout_s=60.0)
        made.start()
        wait_for(lambda: made._workers[0].sink.client.waiting_s > 0)
        threading.Timer(0.2, release.set).start()
        made.stop()
        assert made.targets()[0].stats.delivered == 1, "it was under way, and was waited for"

    monkeypatch.setattr(dispatcher_module, "_LAST_ANSWERS_S", 0.2)
    with listening(dripping(b"")) as port:
        made = dispatcher_to(*[f"http://127.0.0.1:{port}"] * 5, timeout_s=600.0)
        made.start()
        wait_for(lambda: all(c.sink.client.waiting_s > 0 for c in made._workers))
        made.stop()
        assert not any(c._thread.is_alive() for c in made._workers)
        assert made.targets()[0].stats.delivered == 0


# ---- Retry-After, redirects, words of others


@pytest.mark.parametrize("put_off", [f"{GIVE_UP_S * 3:.0f}", "9" * 400])
def test_a_receiver_cannot_put_an_event_off_until_it_is_given_up(
    put_off: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    with hook() as here:
        here.answers = [(503, {"Retry-After": put_off})] * 3
        sink = WebhookSink(WebhookTarget("w", here.url), clock)
        sink.offer(0, news(alert()))
        waits = []
        while not here.taken:
            waits.append(sink.step())
            clock.now += waits[-1]
        assert [wait for wait in waits if wait] == [LONGEST_PUT_OFF_S] * 3
        assert sink.done == 0
        assert sink.stats.given_up == 0
    assert "Next try in 3600 s, and not only in the" in caplog.text


@pytest.mark.parametrize(
    ("seconds", "date", "expected"), [(90, True, 90.0), (90, False, 90.0), (-90, True, 0.0)]
)
def test_retry_after_may_be_a_date_by_the_receivers_own_clock(
    seconds: int, date: bool, expected: float
) -> None:
    there = time.time() + (3_600 if date else 0)  # its clock is an hour ahead
    head = f"HTTP/1.1 503 Busy\r\nRetry-After: {formatdate(there + seconds, usegmt=True)}\r\n"
    head += f"Date: {formatdate(there, usegmt=True)}\r\n" if date else ""
    with listening(answering(f"{head}Content-Length: 0\r\n\r\n".encode())) as port:
        wait_s = Client(5).post(f"http://127.0.0.1:{port}", b"{}", {}).wait_s
    assert wait_s == pytest.approx(expected, abs=2.0)


@pytest.mark.parametrize("nonsense", ["soon", "-5", "1e9", "Fri, 99 Foo 2026 00:00:00 GMT", "²"])
def test_a_retry_after_that_is_none_is_passed_over(nonsense: str) -> None:
    head = f"HTTP/1.1 503 Busy\r\nRetry-After: {nonsense}\r\nContent-Length: 0\r\n\r\n"
    with listening(answering(head.encode("latin-1"))) as port:
        answer = Client(5).post(f"http://127.0.0.1:{port}", b"{}", {})
    assert (answer.wait_s, answer.words) == (0.0, "127.0.0.1 answered 503 Busy")


def test_a_redirect_is_told_and_not_followed() -> None:
    with hook() as elsewhere:
        head = f"HTTP/1.1 307 Moved\r\nLocation: {elsewhere.url}?token=xyzzy\r\n"
        with listening(answering(f"{head}Content-Length: 0\r\n\r\n".encode())) as port:
            answer = Client(5).post(f"http://127.0.0.1:{port}", b"{}", {})
        assert elsewhere.requests == []
    assert (answer.delivered, answer.final) == (False, False)
    assert answer.words == (
        "127.0.0.1 answered 307 Moved: it redirects to 127.0.0.1, which is not followed"
    )


def test_words_of_a_receiver_stay_on_one_line_and_are_only_words() -> None:
    text = "no\r\nERROR forged \x1b[31m \u202e \x85 \u2028 line" + "x" * 5_000
    answer = f"HTTP/1.1 503 B\x1busy\r\nContent-Length: 9999\r\n\r\n{text}".encode()
    with listening(answering(answer)) as port:
        words = Client(5).post(f"http://127.0.0.1:{port}", b"{}", {}).words
    assert words.isascii()
    assert words.isprintable()
    assert words.startswith("127.0.0.1 answered 503 B\\x1busy: no ERROR forged \\x1b[31m")
    assert len(words) < 600


# ---- certificates and proxies


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("notify")
    make_certificates(folder)
    return folder


@pytest.fixture
def receiver(certificates: Path) -> Iterator[int]:
    """One that speaks TLS, with a certificate of an authority that no system knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    with listening(answering(OK), context) as port:
        yield port


def test_an_authority_of_ones_own(certificates: Path, receiver: int) -> None:
    url = f"https://127.0.0.1:{receiver}/hook"
    assert Client(5, str(certificates / "ca.pem")).post(url, b"{}", {}).delivered
    for stranger in ("", str(certificates / "other.pem")):
        words = Client(5, stranger).post(url, b"{}", {}).words
        assert words.startswith("127.0.0.1: its certificate is not accepted: ")
    other_name = f"https://localhost:{receiver}/hook"
    words = Client(5, str(certificates / "ca.pem")).post(other_name, b"{}", {}).words
    assert "Hostname mismatch" in words


def test_the_authority_is_of_the_config(certificates: Path, tmp_path: Path) -> None:
    shutil.copy(certificates / "ca.pem", tmp_path)
    (tmp_path / "empty.pem").write_text("nothing")
    text = '[[notify]]\ntype = "webhook"\nurl = "{}"\nca_file = "{}"\n'
    (found,) = targets(tmp_path, text.format("https://a", "ca.pem"))
    assert found.ca_file == str(tmp_path / "ca.pem")
    for url, name, words in (
        ("http://a", "ca.pem", "notify[0].ca_file is for an https:// address only"),
        ("https://a", "absent.pem", "notify[0].ca_file cannot be used: "),
        ("https://a", "empty.pem", "Give a PEM file of the authorities to trust"),
    ):
        with pytest.raises(ConfigError) as caught:
            targets(tmp_path, text.format(url, name))
        assert words in str(caught.value)


def test_https_goes_through_the_proxy_of_the_environment(
    certificates: Path, receiver: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy(password="user:p@ss")
    ca = str(certificates / "ca.pem")
    url = f"https://127.0.0.1:{receiver}/hook"
    with listening(proxy.serve) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:p%40ss@127.0.0.1:{port}")
        assert Client(5, ca).post(url, b"{}", {}).delivered
        assert proxy.asked == [f"CONNECT 127.0.0.1:{receiver}"]
        words = Client(5).post(url, b"{}", {}).words
        assert "its certificate is not accepted" in words, "a proxy changes nothing about trust"

        monkeypatch.setenv("NO_PROXY", "example.org,127.0.0.1")
        assert Client(5, ca).post(url, b"{}", {}).delivered
        assert len(proxy.asked) == 2, "not by the proxy"
        monkeypatch.delenv("NO_PROXY")

        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port}")  # no scheme, no password
        words = Client(5, ca).post(url, b"{}", {}).words
        assert "407 Proxy Authentication Required" in words
        assert "hook" not in words
    monkeypatch.setenv("HTTPS_PROXY", "socks5://user:secret@127.0.0.1:1")
    words = Client(5, ca).post(url, b"{}", {}).words
    assert words == "127.0.0.1: the proxy of the environment is neither http:// nor https://"


def test_plain_http_goes_through_the_proxy_by_names_that_only_it_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = Proxy()
    with hook() as here, listening(proxy.serve) as port:
        proxy.hosts["pager.internal"] = int(here.url.rpartition(":")[2].partition("/")[0])
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        assert Client(5).post("http://pager.internal/hook?a=b", b"{}", {}).delivered
        assert proxy.asked == ["POST http://pager.internal/hook?a=b"]
        assert len(here.requests) == 1


def test_a_proxy_that_never_connects_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(dripping(b"HTTP/1.1 200 ")) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        words = Client(SHORT_S).post("https://pager.invalid/hook", b"{}", {}).words
    assert words == f"pager.invalid: no whole answer in {SHORT_S:g} s"
