"""A request of HTTP: how it is read within bounds, who answers it, and how."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import logging
import socket
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from io import BufferedIOBase
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from stream.http.bounded_server import BoundedServer

__all__ = ["PLAIN", "Handler", "Page", "Post", "PostRequest", "Render", "Request"]

log = logging.getLogger(__name__)

PLAIN: Final = "text/plain; charset=utf-8"
#: Request line and headers together.
_MAX_BYTES: Final = 32_768
_MAX_ARGUMENTS: Final = 20
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


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers the one request of a connection; `routes` and the like are set by who serves."""

    routes: Mapping[str, Render]
    post_routes: Mapping[str, Post]
    max_body_bytes: int
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
        if (length := int(given[:19])) > self.max_body_bytes:
            bound = f"at most {self.max_body_bytes} bytes a request"
            words = f"{bound}; got {length}. Send less at a time\n"
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

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay silent: a scrape is not news."""


class _Bounded:
    """Lines of a request, up to so many bytes of them all."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream
        self._left = _MAX_BYTES
        self.close = stream.close

    def readline(self, limit: int = -1) -> bytes:
        line = self._stream.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise http.client.LineTooLong("request")
        return line


def _arguments(query: str) -> dict[str, str]:
    try:
        found = urllib.parse.parse_qs(query, max_num_fields=_MAX_ARGUMENTS)
    except ValueError:  # more than anybody needs
        return {}
    return {name: values[0] for name, values in found.items()}
