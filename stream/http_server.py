"""A small HTTP server for a few pages, in threads of its own."""

from __future__ import annotations

import http.server
import logging
import socket
import ssl
import sys
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, NamedTuple

__all__ = ["PLAIN", "Page", "PageServer", "Render", "Request"]

log = logging.getLogger(__name__)

PLAIN: Final = "text/plain; charset=utf-8"
#: A client that is slower than this is hung up on.
_TIMEOUT_S: Final = 10.0
_MOST_ARGUMENTS: Final = 20


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


class PageServer:
    """Serves pages at host:port until `close`. Port 0 takes a free one, see `port`.

    `tls` are the files of a certificate (with its chain) and of its key; without it: plain HTTP.

    Raises
    ------
    OSError
        If the address cannot be listened on, or the certificate not be used.
    """

    def __init__(
        self, address: str, pages: Mapping[str, Render], tls: tuple[str, str] | None = None
    ) -> None:
        context = _tls_context(*tls) if tls else None
        host, _, port = address.rpartition(":")
        host = host.strip("[]")

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                if not isinstance(sys.exception(), OSError):  # a client that hung up is not news
                    log.exception("a page failed")

        class Handler(_Handler):
            routes = pages

        try:
            self._server = Server((host, int(port)), Handler)
        except OSError as error:
            raise OSError(
                f"metrics_address: cannot listen on {address}: {error.strerror or error}. "
                "Choose another port, or end what uses it."
            ) from error
        if context is not None:
            # In the thread of each request: a client that says nothing holds up no other.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="pages", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    routes: Mapping[str, Render]
    timeout = _TIMEOUT_S
    server_version = "driftstream"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one request."""
        path, _, query = self.path.partition("?")
        render = self.routes.get(path)
        if render is None:
            words = f"see {', '.join(self.routes)}\n"
            page = Page(HTTPStatus.NOT_FOUND, PLAIN, words.encode())
        else:
            page = render(Request(self.headers.get("Accept", ""), _arguments(query)))
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in page.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: a scrape is not news."""


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
