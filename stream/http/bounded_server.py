"""A threading TCP server that no client can hold up: bounded in time, connections and threads.

A connection has a time to be over, whatever it does meanwhile. Where all places are taken, the
connection that is open longest makes room for the next: who asks and reads at once is served in
milliseconds and never the longest, so slow clients lose against each other only.
"""

from __future__ import annotations

import errno
import logging
import resource
import socket
import socketserver
import ssl
import sys
import threading
import time
from typing import Any, Final

__all__ = ["BoundedServer", "max_connections"]

log = logging.getLogger(__name__)

_MAX_CONNECTIONS: Final = 64
#: Of the files that this process may open: the rest is for the brokers, logs and state.
_SHARE: Final = 4
#: Nobody who is faster than this is hung up on to make room.
_GRACE_S: Final = 0.5
_PAUSE_S: Final = 0.05
_SAY_EVERY_S: Final = 60.0
_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def max_connections() -> int:
    """How many connections at a time leave enough open files to all else in the process."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return max(4, min(_MAX_CONNECTIONS, soft // _SHARE))


class BoundedServer(socketserver.ThreadingTCPServer):
    """At most `max_open` connections, each for at most `deadline_s`; with `tls` encrypted.

    A handler calls `working` around what is not the client's doing, so that nobody is hung up on
    for our own slowness to make room.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    #: Prometheus, probes and browsers may all come at once.
    request_queue_size = 1_024

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[socketserver.BaseRequestHandler],
        tls: ssl.SSLContext | None,
        deadline_s: float,
        max_open: int,
    ) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.deadline_s, self.max_open = deadline_s, max_open
        self._tls = tls
        self._lock = threading.Condition()
        self._open: dict[socket.socket, float] = {}  # since when; the oldest first
        self._working: set[socket.socket] = set()
        self._closing = False
        self._untold = 0
        self._said_at = -_SAY_EVERY_S
        super().__init__(address, handler)

    # ---- one connection

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept one; where no file can be opened, make room and let the caller come again."""
        try:
            connection, client = self.socket.accept()
        except OSError as error:
            if error.errno in _NO_ROOM:
                with self._lock:
                    self._hang_up_on_the_slowest()
                time.sleep(_PAUSE_S)
            raise
        if self._tls is None:
            return connection, client
        # The handshake is in the connection's own thread, with its first read.
        return self._tls.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        ), client

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a thread, when there is room."""
        self._wait_for_room()
        with self._lock:
            self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """See `socketserver`."""
        with self._lock:
            self._open.pop(request, None)
            self._working.discard(request)
            self._lock.notify_all()
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """See `socketserver`."""
        if not isinstance(sys.exception(), OSError):  # a client that hung up is not news
            log.exception("a page failed")

    def working(self, connection: socket.socket, busy: bool) -> None:
        """Note that a connection waits for us (or no more) and not for its client."""
        with self._lock:
            (self._working.add if busy else self._working.discard)(connection)

    # ---- all connections

    def service_actions(self) -> None:
        """Hang up on whoever is over time; called by `serve_forever` again and again."""
        before = time.monotonic() - self.deadline_s
        with self._lock:
            for connection, since in self._open.items():
                if since > before:
                    break
                _hang_up(connection)

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """See `socketserver`."""
        super().serve_forever(min(poll_interval, self.deadline_s / 4))

    def drain(self, timeout_s: float) -> None:
        """Accept nobody more, and wait until those who are connected are gone."""
        self.shutdown()
        self.server_close()
        with self._lock:
            self._lock.wait_for(lambda: not self._open, timeout_s)

    def end(self) -> None:
        """Stop, and hang up on everybody."""
        self._closing = True
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                _hang_up(connection)

    def _wait_for_room(self) -> None:
        with self._lock:
            while len(self._open) >= self.max_open and not self._closing:
                self._hang_up_on_the_slowest()
                self._lock.wait(_PAUSE_S)

    def _hang_up_on_the_slowest(self) -> None:
        before = time.monotonic() - _GRACE_S
        for connection, since in self._open.items():
            if since > before:
                return
            if connection not in self._working and _hang_up(connection):
                self._say()
                return

    def _say(self) -> None:
        self._untold += 1
        now = time.monotonic()
        if now - self._said_at >= _SAY_EVERY_S:
            log.warning(
                "%d connections at once are all that is served: hung up on the slowest, %d of "
                "them since this was said last. Look who asks.",
                self.max_open,
                self._untold,
            )
            self._said_at, self._untold = now, 0


def _hang_up(connection: socket.socket) -> bool:
    """Wake the thread that reads or writes; it closes. False if that was done before."""
    try:
        # Not SSLSocket's own, which is for the thread that uses it.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return False
    return True
