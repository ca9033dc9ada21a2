"""What is asked again while a broker is away, and what is not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest
from aiokafka import TopicPartition
from aiokafka import client as aiokafka_client
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    NodeNotReadyError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.structs import BrokerMetadata

from stream.kafka import until_available
from stream.kafka.connection import connection_arguments
from stream.kafka.until_available import retry_until_available
from stream.worker.faust import aiokafka_patches
from stream.worker.sender import Outgoing, Sender


def test_an_outage_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(until_available, "_PAUSE_S", 0.0)
    answers = iter([KafkaTimeoutError("away"), NodeNotReadyError("coming"), 7])

    async def ask() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert asyncio.run(retry_until_available(ask)) == 7


def test_what_would_fail_for_ever_is_raised() -> None:
    async def ask() -> None:
        raise TopicAuthorizationFailedError("state")

    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(retry_until_available(ask))


def test_a_look_for_brokers_that_failed_is_not_repeated_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = 0

    async def update(self: AIOKafkaClient, *args: object) -> bool:
        nonlocal looks
        looks += 1
        return looks > 2

    monkeypatch.setattr(AIOKafkaClient, "_metadata_update", update)
    aiokafka_patches.hold_back_metadata(pause_s=0.05)
    aiokafka_patches.hold_back_metadata(pause_s=100.0)  # the second time does nothing

    async def look() -> float:
        began = asyncio.get_running_loop().time()
        client = AIOKafkaClient()
        assert not await client._metadata_update(client.cluster, [])
        assert not await client._metadata_update(client.cluster, [])
        assert await client._metadata_update(client.cluster, [])
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(look()) >= 0.1


@pytest.mark.broker
def test_a_batch_without_a_leader_waits(kafka: dict[str, object]) -> None:
    async def run() -> bool:
        sender = Sender(connection_arguments(kafka))
        await sender.start()
        batch = sender._producer._message_accumulator.create_builder()
        accumulator = sender._producer._message_accumulator
        await accumulator.add_batch(batch, TopicPartition("nowhere", 0), timeout=1.0)
        waiting = accumulator._batches[TopicPartition("nowhere", 0)][0]
        waiting._ctime -= 10_000.0
        expired = waiting.expired()
        accumulator._batches.clear()
        await sender.stop(0.1)
        return bool(expired)

    assert not asyncio.run(run())


class Producer:
    """Fails as told, then takes what it is given."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.client = self

    async def send(self, *_: object, headers: object = None) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return "ack"

    async def force_metadata_update(self) -> bool:
        return len(self.failures) < 2  # away at first


def send(*failures: Exception) -> object:
    sender = Sender({})
    sender._producer = Producer(*failures)
    return asyncio.run(sender.send(Outgoing("alerts", None, b"")))


def test_a_record_waits_for_room_and_for_the_place_of_its_topic() -> None:
    unknown = UnknownTopicOrPartitionError()
    assert send(KafkaTimeoutError(), unknown, unknown, KafkaTimeoutError()) == "ack"


def test_a_topic_that_a_broker_does_not_know_is_named() -> None:
    failures = [UnknownTopicOrPartitionError() for _ in range(4)]
    with pytest.raises(UnknownTopicOrPartitionError, match="there is no topic alerts"):
        send(*failures)


@contextlib.contextmanager
def somebody_silent() -> Iterator[str]:
    """An address where connections are taken and nothing is ever said, as by a frozen broker."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_broker_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiokafka_client, "create_conn", aiokafka_client.create_conn)
    aiokafka_patches.limit_connecting(0.2)
    aiokafka_patches.limit_connecting(1_000.0)  # the second time does nothing

    async def look(address: str) -> None:
        client = AIOKafkaClient(bootstrap_servers=address, request_timeout_ms=1_000_000)
        with pytest.raises(KafkaConnectionError):
            await client.bootstrap()

    with somebody_silent() as address:
        asyncio.run(look(address))


@pytest.mark.broker
def test_one_broker_that_answers_is_enough(kafka: dict[str, object]) -> None:
    async def look(address: str, *, silent_only: bool) -> bool:
        sender = Sender(connection_arguments(kafka))
        await sender.start()
        host, _, port = address.rpartition(":")
        cluster = sender._producer.client.cluster
        silent = BrokerMetadata(77, host, int(port), None)
        if silent_only:
            await sender._producer.client.close()
            cluster._brokers.clear()
        cluster._brokers[77] = silent
        try:
            return await sender.somebody_answers(2.0)
        finally:
            await sender.stop(0.1)

    with somebody_silent() as address:
        assert asyncio.run(look(address, silent_only=False))
        assert not asyncio.run(look(address, silent_only=True))
