"""A small HTTP server for a few pages, in threads of its own."""

from __future__ import annotations

import contextlib
import errno
import http.client
import http.server
import logging
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from io import BufferedIOBase
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from stream.bounded_server import BoundedServer, most_connections

__all__ = ["PLAIN", "Page", "PageServer", "Post", "PostRequest", "Render", "Request"]

log = logging.getLogger(__name__)

PLAIN: Final = "text/plain; charset=utf-8"
#: From the connection to the last byte of the answer, a TLS handshake included.
DEADLINE_S: Final = 10.0
#: Request line and headers together.
_MOST_BYTES: Final = 32_768
_MOST_ARGUMENTS: Final = 20
#: Addresses that stand for all of the machine's: a browser on it asks for 127.0.0.1.
_ANY_HOST: Final = ("0.0.0.0", "::")
#: What a client still sends after its answer is read for so long, or its end would undo the answer.
_LINGER_S: Final = 0.5
_LINGER_BYTES: Final = 1 << 20


class Request(NamedTuple):
    """What a page may depend on: the Accept header, and the first value of each query argument."""

    accept: str = ""
    query: Mapping[str, str] = MappingProxyType({})


class Page(NamedTuple):
    """An answer; `headers` beside its type and length."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


#: What makes a page.
Render = Callable[[Request], Page]


class PostRequest(NamedTuple):
    """A request with a body; names of headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes


class Post(Protocol):
    """What takes requests with a body."""

    def admit(self, headers: Mapping[str, str]) -> Page | None:
        """An answer before the body is read; None to read it."""

    def __call__(self, request: PostRequest) -> Page:
        """The answer to a request that was read."""


class PageServer:
    """Serves pages at host:port until `close`. Port 0 takes a free one, see `port`.

    A connection is for one request, which must be asked and answered within `deadline_s`.
    `tls` are the files of a certificate (with its chain) and of its key; without it: plain HTTP.
    `most` bounds the connections at a time; by default what the limit of open files allows.
    `setting` is what errors call the address. `posts` take requests with a body, of `max_body`
    bytes at most, by their path.

    Raises
    ------
    OSError
        If the address cannot be listened on, or the certificate not be used.
    """

    def __init__(
        self,
        address: str,
        pages: Mapping[str, Render],
        tls: tuple[str, str] | None = None,
        deadline_s: float = DEADLINE_S,
        most: int | None = None,
        setting: str = "worker.metrics_address",
        posts: Mapping[str, Post] | None = None,
        max_body: int = 0,
    ) -> None:
        context = _tls_context(*tls) if tls else None
        host, _, port = address.rpartition(":")

        shared = {path: _Shared(render) for path, render in pages.items()}

        class Handler(_Handler):
            routes = shared
            timeout = deadline_s
            post_routes = posts or {}
            most_body = max_body

        try:
            self._server = BoundedServer(
                (host.strip("[]"), int(port)), Handler, context, deadline_s,
                most or most_connections(),
            )  # fmt: skip
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise OSError(
                f"{setting}: cannot listen on {address}: {error.strerror or error}"
                + (", perhaps by another worker. " if taken else ". ")
                + "Choose another port there, or 0 for any that is free"
                + (f"; or end what has it: ss -ltnp 'sport = :{port}'." if taken else ".")
            ) from error
        name = host if host.strip("[]") not in _ANY_HOST else "127.0.0.1"
        self.url = f"{'https' if tls else 'http'}://{name}:{self.port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="pages", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def drain(self, timeout_s: float) -> None:
        """Accept nobody more, and wait until those who are here have their answers."""
        self._server.drain(timeout_s)

    def close(self) -> None:
        """Stop serving."""
        self._server.end()
        self._thread.join()


class _Shared:
    """A page made by one thread at a time: who waits meanwhile shares the next making of it.

    A crowd that asks at once costs the process two makings and not one each.
    """

    def __init__(self, render: Render) -> None:
        self._render = render
        self._lock = threading.Lock()
        self._begun = float("-inf")
        self._last: tuple[Request, Page] | None = None

    def __call__(self, request: Request) -> Page:
        asked = time.monotonic()
        with self._lock:
            if self._last is not None and self._last[0] == request and self._begun > asked:
                return self._last[1]
            self._last = None
            begun = time.monotonic()
            page = self._render(request)
            self._begun, self._last = begun, (request, page)
            return page


class _Handler(http.server.BaseHTTPRequestHandler):
    routes: Mapping[str, Render]
    post_routes: Mapping[str, Post]
    most_body: int
    server: BoundedServer
    server_version = "driftstream"
    sys_version = ""

    def handle(self) -> None:
        """Answer one request; what is not one in its first line and headers gets a status."""
        self.command = self.requestline = ""
        stream = self.rfile
        reader = _Bounded(stream)
        self.rfile = reader  # type: ignore[assignment]
        try:
            self.raw_requestline = reader.readline()
            if not self.raw_requestline or not self.parse_request():
                return
        except http.client.LineTooLong:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        taker = self.post_routes.get(self.path.partition("?")[0])
        if self.command == "POST" and taker is not None:
            self._post(taker, stream)
            return
        if self.command not in ("GET", "HEAD"):
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)
            return
        with self._working():
            page = self._page()
        self._answer(page)

    def _post(self, taker: Post, stream: BufferedIOBase) -> None:
        """Answer a request with a body; its length is asked for first, and bounds what is read."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        given = headers.get("content-length", "")
        if "transfer-encoding" in headers or not (given.isascii() and given.isdigit()):
            self._refuse(Page(HTTPStatus.LENGTH_REQUIRED, PLAIN, b"send a Content-Length\n"))
            return
        if (length := int(given[:19])) > self.most_body:
            words = f"at most {self.most_body} bytes a request; got {length}. Send less at a time\n"
            self._refuse(Page(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, PLAIN, words.encode()))
            return
        with self._working():
            early = taker.admit(headers)
        if early is not None:
            self._refuse(early)
            return
        body = stream.read(length)
        if len(body) < length:
            return  # the client hung up
        with self._working():
            try:
                page = taker(PostRequest(headers, body))
            except Exception:
                log.exception("a request to %s failed", self.path)
                words = "this request failed: a bug, and the log says where\n"
                page = Page(HTTPStatus.INTERNAL_SERVER_ERROR, PLAIN, words.encode())
        self._answer(page)

    def _refuse(self, page: Page) -> None:
        """Answer before the body was read."""
        self._answer(page)
        self._linger()

    def _page(self) -> Page:
        path, _, query = self.path.partition("?")
        render = self.routes.get(path)
        if render is None:
            one_of_each = {known.split("/")[1]: known for known in reversed([*self.routes])}
            words = f"see {', '.join(reversed([*one_of_each.values()]))}\n"
            return Page(HTTPStatus.NOT_FOUND, PLAIN, words.encode())
        try:
            return render(Request(str(self.headers.get("Accept", "")), _arguments(query)))
        except Exception:
            log.exception("the page %s failed", path)
            words = "this page failed: a bug, and the log says where\n"
            return Page(HTTPStatus.INTERNAL_SERVER_ERROR, PLAIN, words.encode())

    def _answer(self, page: Page) -> None:
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        for name, value in page.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Say in plain words what is wrong; nothing of the request is repeated."""
        self.request_version = self.protocol_version  # of an unknown one: with headers
        status = HTTPStatus(code)
        allow = (("Allow", "GET, HEAD"),) if status == HTTPStatus.METHOD_NOT_ALLOWED else ()
        self._answer(Page(status, PLAIN, f"{status.phrase}\n".encode(), allow))
        self._linger()

    def _linger(self) -> None:
        """Take what is still coming: closed with bytes unread, a client may lose our answer."""
        end = time.monotonic() + _LINGER_S
        left = _LINGER_BYTES
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.connection, socket.SHUT_WR)  # that was all, client
            while left > 0 and (wait_s := end - time.monotonic()) > 0:
                self.connection.settimeout(wait_s)
                got = len(self.connection.recv(65_536))
                left -= got
                if not got:
                    return

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        self.server.working(self.connection, True)
        try:
            yield
        finally:
            self.server.working(self.connection, False)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: a scrape is not news."""


class _Bounded:
    """Lines of a request, up to so many bytes of them all."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream
        self._left = _MOST_BYTES
        self.close = stream.close

    def readline(self, limit: int = -1) -> bytes:
        line = self._stream.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise http.client.LineTooLong("request")
        return line


def _tls_context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password of ours openssl would ask the terminal for one.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:  # ssl.SSLError is one
        raise OSError(
            f"worker.metrics_tls_cert {certificate} and metrics_tls_key {key} cannot be used: "
            f"{error.strerror or error}. Give PEM files of a certificate and its key, the key "
            "without a passphrase."
        ) from error
    return context


def _arguments(query: str) -> dict[str, str]:
    try:
        found = urllib.parse.parse_qs(query, max_num_fields=_MOST_ARGUMENTS)
    except ValueError:  # more than anybody needs
        return {}
    return {name: values[0] for name, values in found.items()}
