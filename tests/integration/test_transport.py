"""The batch transport on a real broker: what is delivered, from where, and what is committed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from faust.types import TP

from stream.client.records import publish
from stream.contracts.errors import IncompatibleClientError
from stream.kafka.admin import admin
from stream.kafka.connection import connection_arguments
from stream.kafka.topics import create_topics, wanted_topics
from stream.worker.faust.app import Stages, build_app
from stream.worker.faust.version_check import check_faust
from stream.worker.worker_status import WorkerStatus


class Keeper:
    """A stage that keeps offsets, and calls every third record's successor safe."""

    def __init__(self) -> None:
        self.parts: dict[TP, int] = {}
        self.positions: dict[TP, int] = {}
        self.offsets: dict[TP, list[int]] = {}
        self.kinds: set[type] = set()
        self.consumer: object = None

    def assigned(self, positions: Mapping[TP, int]) -> None:
        self.positions.update(positions)

    def revoked(self, partitions: Iterable[TP]) -> None: ...

    async def consume(self, tp: TP, records: list[object]) -> None:
        seen = self.offsets.setdefault(tp, [])
        seen += [r.offset for r in records]
        self.kinds |= set(map(type, records))
        self.consumer.safe[tp] = (seen[-1] + 1) // 3 * 3


async def read(
    kafka: Mapping[str, object], group: str, topic: str, directory: Path, records: int
) -> tuple[Keeper, object]:
    """Read so many records as a member of the group, look a moment for more, and leave."""
    keeper = Keeper()
    status = WorkerStatus("summarise", 0)
    stages = Stages(status, keeper, None, None, "none", "none")
    connection = connection_arguments(kafka)
    app = build_app(
        group, connection, stages, [topic], data_dir=str(directory), session_timeout_s=6.0
    )
    keeper.consumer = consumer = app.consumer
    await app.start()
    end = time.monotonic() + 20
    while sum(map(len, keeper.offsets.values())) < records and not app.crashed:
        assert time.monotonic() < end, keeper.offsets.keys()
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    await app.stop()
    assert not app.crashed, app.crash_reason
    return keeper, consumer


@pytest.fixture
def topic(kafka: dict[str, object], topic_prefix: str) -> str:
    name = topic_prefix + "events"
    events = [t for t in wanted_topics(predictions=[name], prediction_partitions=2) if not t.ours]
    create_topics(kafka, events)
    for p in range(2):
        publish(kafka, name, ((None, b"%d" % i, ()) for i in range(1_000)), partition=p)
    return name


@pytest.mark.broker
def test_reads_all_and_goes_on_at_the_safe_offset(
    kafka: dict[str, object], topic: str, tmp_path: Path
) -> None:
    group = topic + "-group"
    first, _ = asyncio.run(read(kafka, group, topic, tmp_path, 2_000))
    assert first.offsets == {TP(topic, p): list(range(1_000)) for p in range(2)}
    assert [kind.__name__ for kind in first.kinds] == [
        "DefaultRecord"
    ]  # stream.kafka.batch_fetch is used
    second, _ = asyncio.run(read(kafka, group, topic, tmp_path, 2))
    assert second.positions == {TP(topic, p): 999 for p in range(2)}
    assert second.offsets == {TP(topic, p): [999] for p in range(2)}


@pytest.mark.broker
def test_a_cut_log_is_read_on_after_the_cut(
    kafka: dict[str, object], topic: str, tmp_path: Path
) -> None:
    group = topic + "-group"
    asyncio.run(read(kafka, group, topic, tmp_path, 2_000))  # commits 999
    publish(kafka, topic, ((None, b"", ()) for _ in range(501)), partition=0)
    from kafka import TopicPartition

    with admin(kafka) as client:
        client.delete_records({TopicPartition(topic, 0): 1_400})
    keeper, consumer = asyncio.run(read(kafka, group, topic, tmp_path, 102))
    assert keeper.offsets[TP(topic, 0)] == list(range(1_400, 1_501))
    assert consumer.gaps == {topic: 1}
    assert consumer.reseeks == 1


@pytest.mark.broker
def test_a_log_shorter_than_what_was_read_stops_its_partition_alone(
    kafka: dict[str, object], topic: str, tmp_path: Path
) -> None:
    group = topic + "-group"

    async def commit_too_far() -> None:
        from aiokafka import AIOKafkaConsumer, TopicPartition

        member = AIOKafkaConsumer(
            **connection_arguments(kafka), group_id=group, enable_auto_commit=False
        )
        await member.start()
        member.assign([TopicPartition(topic, 0)])
        await member.commit({TopicPartition(topic, 0): 5_000})
        await member.stop()

    asyncio.run(commit_too_far())
    keeper, consumer = asyncio.run(read(kafka, group, topic, tmp_path, 1_000))
    assert list(keeper.offsets) == [TP(topic, 1)]
    assert "ends at 1000, before offset 5000" in consumer.stopped[TP(topic, 0)].words


def test_another_faust_is_refused_with_advice() -> None:
    with pytest.raises(
        IncompatibleClientError, match=r"needs faust-streaming 0\.15\.x; got 0\.16\.0"
    ):
        check_faust(version="0.16.0")

    class Moved:
        async def getmany(self, timeout: float, extra: int) -> None: ...

    with pytest.raises(IncompatibleClientError, match="Install faust-streaming"):
        check_faust(consumer=Moved)
