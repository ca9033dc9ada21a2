"""Asking a cluster about itself: an admin client, who is there, what topics it knows."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from stream.kafka.access import check_connection, explain, unreachable
from stream.kafka.failed_sockets import close_failed_sockets
from stream.kafka.security import client_options
from stream.process.retry import Retry

__all__ = [
    "Cluster", "admin", "cluster", "described", "group_members", "live_brokers", "somebody_listens",
    "surely_described",
]  # fmt: skip

#: Between two questions to brokers that do not answer, or do not know yet.
_PAUSE_S: Final = 0.25


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers: its id and the addresses of the brokers that take requests."""

    id: str
    brokers: tuple[str, ...]


def cluster(kafka: Mapping[str, object], *, timeout_s: float = 10.0) -> Cluster | None:
    """Ask a cluster for its metadata; None if nobody listens there or answers in time."""
    # kafka-python would try a closed port again and again until the time is over.
    if not somebody_listens(kafka, timeout_s=timeout_s):
        return None
    try:
        with _silent(), admin(kafka, timeout_s=timeout_s) as client:
            answer = client.describe_cluster()
    except (KafkaError, OSError):
        return None
    live = [b for b in answer["brokers"] if not b.get("is_fenced", False)]
    return Cluster(str(answer["cluster_id"]), tuple(f"{b['host']}:{b['port']}" for b in live))


def live_brokers(kafka: Mapping[str, object], *, timeout_s: float = 10.0) -> list[str]:
    """Return the addresses of the brokers that take requests; empty if nobody answers in time."""
    there = cluster(kafka, timeout_s=timeout_s)
    return list(there.brokers) if there else []


def somebody_listens(kafka: Mapping[str, object], *, timeout_s: float = 2.0) -> bool:
    """Whether one of the bootstrap servers takes a connection, whatever it then says."""
    return any(_listens(s, timeout_s) for s in client_options(kafka)["bootstrap_servers"])


def _listens(server: str, timeout_s: float) -> bool:
    host, _, port = server.rpartition(":") if ":" in server else (server, "", "9092")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout_s).close()
    except (OSError, ValueError):
        return False
    return True


@contextmanager
def _silent() -> Iterator[None]:
    """Keep kafka-python's log quiet: here no answer is an answer, not an error."""
    logger = logging.getLogger("kafka")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def admin(kafka: Mapping[str, object], *, timeout_s: float = 30.0) -> Iterator[Any]:
    """Give an admin client that is closed at the end; `ConnectionError` if nobody answers.

    What one broker does not answer is asked of another one, for as long as `timeout_s`.
    """
    check_connection(kafka)
    close_failed_sockets()
    limit = int(timeout_s * 1000)

    def connect() -> Any:
        return KafkaAdminClient(
            **client_options(kafka),
            bootstrap_timeout_ms=limit,
            request_timeout_ms=max(limit, 1000),
        )

    try:
        client = _Persistent(connect, timeout_s)
    except KafkaError as error:
        raise unreachable(error, kafka) from error
    try:
        yield client
    except KafkaError as error:
        raise explain(error, kafka) or error from error
    finally:
        client.close()


class _Persistent:
    """An admin client whose questions are asked again, of whoever is there by then.

    kafka-python asks one broker of those that it has heard of. One of them may be gone: a broker
    that was killed is on the others' lists for seconds.
    """

    def __init__(self, connect: Callable[[], Any], timeout_s: float) -> None:
        self._connect, self._timeout_s = connect, timeout_s
        self._client = connect()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*args: Any, **named: Any) -> Any:
            retry = Retry(_PAUSE_S, within_s=self._timeout_s)
            while True:
                try:
                    return getattr(self._client, name)(*args, **named)
                except KafkaError as error:
                    if not error.retriable or not retry.sleep():
                        raise
                self._client.close()
                self._client = self._connect()

        return ask

    def close(self) -> None:
        """Disconnect."""
        self._client.close()


def described(client: Any, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the broker says of those of the topics that exist, by name.

    Raises
    ------
    TopicAuthorizationFailedError
        Naming the topics that this user may not even look at; `admin` puts it in words.
    """
    topics = client.describe_topics(list(names)) if names else []
    denied = TopicAuthorizationFailedError
    if hidden := [t["name"] for t in topics if t.get("error_code") == denied.errno]:
        raise denied(*hidden)
    return {t["name"]: t for t in topics if not t.get("error_code")}


def surely_described(
    client: Any, names: Sequence[str], within_s: float
) -> dict[str, dict[str, Any]]:
    """As `described`, but a topic is believed to be missing only after this time.

    A broker that has just begun may not know all topics yet.
    """
    retry = Retry(_PAUSE_S, within_s=within_s)
    while True:
        found = described(client, names)
        if len(found) == len(set(names)) or not retry.sleep():
            return found


def group_members(kafka: Mapping[str, object], group: str) -> int:
    """How many members a consumer group has now."""
    with admin(kafka) as client:
        return len(client.describe_groups([group])[group].get("members", ()))
