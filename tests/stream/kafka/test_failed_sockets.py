"""A connection that fails leaves no socket open."""

from __future__ import annotations

import gc
import logging
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kafka.net.compat import KafkaNetClient
from kafka.net.connection import KafkaConnection
from kafka.net.inet import KafkaNetSocket
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaTCPTransport

from stream.devbroker.broker import free_port
from stream.kafka.admin import admin
from stream.kafka.failed_sockets import close_failed_sockets


@pytest.fixture(autouse=True)
def _no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Captured records would keep errors alive, and with them the frames that hold sockets."""
    caplog.set_level(logging.CRITICAL + 1, "kafka")


@contextmanager
def nothing_left_open() -> Iterator[None]:
    """As the collector would find it: with a warning for each socket that nobody closed."""
    gc.collect()
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    assert [str(one.message) for one in left] == []


def test_the_collector_finds_a_socket_that_nobody_closed() -> None:
    with pytest.raises(AssertionError, match="unclosed <socket"), nothing_left_open():
        socket.socket()


def test_a_refused_connection_is_closed() -> None:
    kafka = {"bootstrap_servers": f"127.0.0.1:{free_port()}"}
    with nothing_left_open(), pytest.raises(ConnectionError), admin(kafka, timeout_s=0.5):
        pass


def test_a_client_that_is_closed_while_it_connects_closes_that_too() -> None:
    close_failed_sockets()
    with socket.socket() as listener, socket.socket() as connecting:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        connecting.setblocking(False)
        selector = NetworkSelector()
        try:
            # What kafka-python's loop runs, and what it does to it when the client is closed.
            waiting = KafkaNetSocket().sock_connect(selector, connecting, listener.getsockname())
            waiting.send(None)
            assert connecting.fileno() >= 0
            waiting.close()
            assert connecting.fileno() == -1
        finally:
            selector.close()


def test_a_client_that_is_closed_while_it_writes_closes_its_socket() -> None:
    close_failed_sockets()
    ours, theirs = socket.socketpair()
    client = KafkaNetClient(bootstrap_servers="127.0.0.1:1")
    with theirs:
        connection = KafkaConnection(client._net, node_id="0")
        connection.transport = KafkaTCPTransport(client._net, ours)
        connection.transport.write(b"a question")
        connection._init_future.success(True)
        client._manager._conns["0"] = connection
        client.close()
        assert ours.fileno() == -1
