"""A small HTTP server for a few pages, in threads of its own."""

from __future__ import annotations

import errno
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Final

from stream.http.bounded_server import BoundedServer, max_connections
from stream.http.request import PLAIN, Handler, Page, Post, PostRequest, Render, Request

__all__ = ["PLAIN", "Page", "PageServer", "Post", "PostRequest", "Render", "Request"]

#: From the connection to the last byte of the answer, a TLS handshake included.
DEADLINE_S: Final = 10.0
#: Addresses that stand for all of the machine's: a browser on it asks for 127.0.0.1.
_ANY_HOST: Final = ("0.0.0.0", "::")


class PageServer:
    """Serves pages at host:port until `close`. Port 0 takes a free one, see `port`.

    A connection is for one request, which must be asked and answered within `deadline_s`.
    `tls` are the files of a certificate (with its chain) and of its key; without it: plain HTTP.
    `max_open` bounds the connections at a time; by default what the limit of open files allows.
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
        max_open: int | None = None,
        setting: str = "worker.metrics_address",
        posts: Mapping[str, Post] | None = None,
        max_body: int = 0,
    ) -> None:
        context = _tls_context(*tls) if tls else None
        host, _, port = address.rpartition(":")

        shared = {path: _Shared(render) for path, render in pages.items()}

        class Ours(Handler):
            routes = shared
            timeout = deadline_s
            post_routes = posts or {}
            max_body_bytes = max_body

        try:
            self._server = BoundedServer(
                (host.strip("[]"), int(port)),
                Ours,
                context,
                deadline_s,
                max_open or max_connections(),
            )
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
