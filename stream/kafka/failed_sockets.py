"""kafka-python leaves the socket of a connection that failed to the garbage collector.

A client that waits for a broker tries again and again, and one that is closed while it connects
gives up midway: each time a file stays open until the collector happens to run.
"""

from __future__ import annotations

from typing import Any

from kafka.net import inet

__all__ = ["close_failed_sockets"]


def close_failed_sockets() -> None:
    """Make kafka-python close a socket at once that it could not connect; an internal of it."""
    connect = inet.KafkaNetSocket.sock_connect
    if getattr(connect, "closes", False):
        return

    async def sock_connect(self: Any, net: Any, sock: Any, *args: Any, **named: Any) -> Any:
        try:
            return await connect(self, net, sock, *args, **named)
        except BaseException:  # a GeneratorExit too: closed while it waited
            sock.close()
            raise

    sock_connect.closes = True  # type: ignore[attr-defined]
    inet.KafkaNetSocket.sock_connect = sock_connect
