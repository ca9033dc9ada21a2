"""A small HTTP server for a few pages, in threads of its own."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

__all__ = ["PLAIN", "Page", "PageServer"]

PLAIN: Final = "text/plain; charset=utf-8"
#: A client that is slower than this is hung up on.
_TIMEOUT_S: Final = 10.0


class Page(NamedTuple):
    """An answer."""

    status: int
    content_type: str
    body: bytes


#: What makes a page, given the request's Accept header.
Render = Callable[[str], Page]


class PageServer:
    """Serves pages at host:port until `close`. Port 0 takes a free one, see `port`.

    Raises
    ------
    OSError
        If the address cannot be listened on.
    """

    def __init__(self, address: str, pages: Mapping[str, Render]) -> None:
        host, _, port = address.rpartition(":")
        host = host.strip("[]")

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            daemon_threads = True

        class Handler(_Handler):
            routes = pages

        try:
            self._server = Server((host, int(port)), Handler)
        except OSError as error:
            raise OSError(
                f"worker.metrics_address: cannot listen on {address}: {error.strerror or error}. "
                "Choose another port, or end what uses it."
            ) from error
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
        render = self.routes.get(self.path.partition("?")[0])
        if render is None:
            words = f"see {', '.join(self.routes)}\n"
            page = Page(HTTPStatus.NOT_FOUND, PLAIN, words.encode())
        else:
            page = render(self.headers.get("Accept", ""))
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        self.wfile.write(page.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: a scrape is not news."""
