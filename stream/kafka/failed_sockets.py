"""kafka-python leaves the socket of a connection that failed to the garbage collector.

A client that waits for a broker tries again and again, and one that is closed while it connects
gives up midway: each time a file stays open until the collector happens to run. So it does where a
client is closed while a question is still being written.
"""

from __future__ import annotations

from typing import Any

from kafka.net import compat, inet

__all__ = ["close_failed_sockets"]


def close_failed_sockets() -> None:
    """Make kafka-python close at once what it could not connect, or does not use any more."""
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

    close_client = compat.KafkaNetClient.close

    def close(self: Any, node_id: Any = None) -> None:
        open_now = list(self._manager._conns.values()) if node_id is None else []
        transports = [connection.transport for connection in open_now]
        close_client(self, node_id)
        for transport in transports:  # one that has bytes to send waits for a loop that is gone
            sock = getattr(transport, "_sock", None)
            if sock is not None:
                sock.close()

    compat.KafkaNetClient.close = close
