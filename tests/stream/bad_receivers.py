"""Receivers and proxies on loopback that behave as badly as a test wants."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


def read_head(connection: socket.socket) -> bytes:
    """A request's line and headers."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(4_096)
        if not part:
            break
        head += part
    return head


@contextlib.contextmanager
def listening(
    serve: Callable[[socket.socket, threading.Event], None], tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Calls `serve` in a thread for each connection; the event is set at the end."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            with connection:
                serve(connection, over)
        connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = door.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield door.getsockname()[1]
        finally:
            over.set()
            door.shutdown(socket.SHUT_RDWR)
            for thread in list(threads):
                thread.join(10)


def dripping(
    at_once: bytes, drop: bytes = b"a"
) -> Callable[[socket.socket, threading.Event], None]:
    """Answers that much at once, and the rest byte by byte for ever."""

    def serve(connection: socket.socket, over: threading.Event) -> None:
        read_head(connection)
        connection.sendall(at_once)
        while not over.wait(0.02):
            connection.sendall(drop)

    return serve


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Takes all and never says anything."""
    over.wait(30)


def answering(answer: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def serve(connection: socket.socket, over: threading.Event) -> None:
        read_head(connection)
        connection.sendall(answer)
        # Closed with bytes unread the other side may lose the answer.
        socket.socket.shutdown(connection, socket.SHUT_WR)
        connection.settimeout(5)
        while connection.recv(4_096):
            pass

    return serve


@dataclass
class Proxy:
    """An HTTP proxy that knows CONNECT, and GET and POST by whole addresses."""

    password: str = ""
    asked: list[str] = field(default_factory=list)
    hosts: dict[str, int] = field(default_factory=dict)  # name -> port on loopback

    def serve(self, client: socket.socket, over: threading.Event) -> None:
        head = read_head(client)
        method, target, _ = head.split(b"\r\n")[0].decode().split()
        self.asked.append(f"{method} {target}")
        wanted = b"Proxy-Authorization: Basic " + base64.b64encode(self.password.encode())
        if self.password and wanted.lower() not in head.lower():
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return
        host = target.partition("://")[2].partition("/")[0] or target
        port = self.hosts.get(host.partition(":")[0]) or int(host.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as server:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(head)
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join(10)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65_536):
            sink.sendall(part)
        sink.shutdown(socket.SHUT_WR)
