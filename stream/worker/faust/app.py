"""The Faust application: one group, an agent a stage, batches instead of messages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import faust
from faust.types import TP
from yarl import URL

from stream.kafka.skips import SkipBook
from stream.worker.faust.transport import BatchTransport

if TYPE_CHECKING:
    from stream.worker.join_agent import JoinStage
    from stream.worker.stage1_agent import Stage1
    from stream.worker.stage2_agent import Stage2
    from stream.worker.worker_status import WorkerStatus

__all__ = ["Stages", "build_app"]

Consume = Callable[[TP, Sequence[Any]], Awaitable[None]]


@dataclass
class Stages:
    """The stages that this worker runs: told by the transport what comes and goes."""

    status: WorkerStatus
    stage1: Stage1 | None
    join: JoinStage | None
    stage2: Stage2 | None
    summaries: str
    pairs: str
    skips: SkipBook = field(default_factory=SkipBook)

    @property
    def running(self) -> list[Stage1 | JoinStage | Stage2]:
        """Those that this worker runs."""
        return [s for s in (self.stage1, self.join, self.stage2) if s is not None]

    @property
    def restored(self) -> list[JoinStage | Stage2]:
        """Those of them that have snapshots."""
        return [stage for stage in (self.join, self.stage2) if stage is not None]

    @property
    def inner(self) -> frozenset[str]:
        """The topics that hold no events."""
        return frozenset((self.summaries, self.pairs))

    async def assigned(self, positions: Mapping[TP, int]) -> None:
        """Take partitions over, each by its stage."""
        if self.stage1 is not None:
            mine = {tp: at for tp, at in positions.items() if tp.topic not in self.inner}
            self.stage1.assigned(mine)
        if self.join is not None:
            self.join.assigned([tp for tp in positions if tp.topic == self.pairs])
        if self.stage2 is not None:
            self.stage2.assigned([tp for tp in positions if tp.topic == self.summaries])

    async def closing(self, partitions: Iterable[TP]) -> None:
        """Snapshot what is held."""
        gone = list(partitions)
        await asyncio.gather(*(stage.closing(gone) for stage in self.restored))

    def revoked(self, partitions: Iterable[TP]) -> None:
        """Drop the partitions."""
        gone = list(partitions)
        for stage in self.running:
            stage.revoked(gone)


def build_app(
    group: str,
    connection: Mapping[str, Any],
    stages: Stages,
    sources: Sequence[str],
    *,
    data_dir: str,
    session_timeout_s: float,
) -> Any:
    """A Faust application whose agents run the stages; to be started by the caller."""
    urls = [URL(f"kafka://{server}") for server in connection["bootstrap_servers"]]
    app = faust.App(
        group,
        broker=urls,
        datadir=data_dir,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        value_serializer="raw",
        key_serializer="raw",
        producer_threaded=False,
        # A crashed agent must end the worker; by default it goes on with the next batch.
        agent_supervisor="mode.CrashingSupervisor",
        stream_wait_empty=False,  # hangs at a revocation otherwise
        stream_buffer_maxsize=8,  # counts batches
        broker_max_poll_records=4000,
        broker_commit_interval=0.5,
        broker_session_timeout=session_timeout_s,
        broker_heartbeat_interval=session_timeout_s / 6,
        broker_rebalance_timeout=10.0,
        broker_request_timeout=40.0,
        consumer_max_fetch_size=4 * 1024 * 1024,
        consumer_metadata_max_age_ms=60_000,
    )
    app.transport = BatchTransport(urls, app, connection, stages)
    # Ours sends everything; Faust's would be a connection that nobody uses.
    app.boot_strategy.enable_kafka_producer = False
    if stages.stage1 is not None:
        _agent(app, "summarise", sources, stages.stage1.consume, stages.status)
    if stages.join is not None:
        _agent(app, "join", [stages.pairs], stages.join.consume, stages.status)
    if stages.stage2 is not None:
        _agent(app, "monitor", [stages.summaries], stages.stage2.consume, stages.status)
    return app


def _agent(
    app: Any, name: str, topics: Sequence[str], consume: Consume, status: WorkerStatus
) -> None:
    """An agent that hands every batch of the present generation to `consume`."""

    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            if message.generation_id != app.consumer_generation_id:
                continue  # of an assignment that has ended
            began = time.perf_counter()
            await consume(message.tp, message.value)
            event.value = message.value = None  # the stream keeps its last event until the next
            status.batches += 1
            status.batch_seconds += time.perf_counter() - began
            await asyncio.sleep(
                0
            )  # a full queue never suspends: let flushes and the other stage run

    agent.__name__ = name
    topic = app.topic(*topics, key_serializer="raw", value_serializer="raw")
    app.agent(topic, name=f"{__name__}.{name}", concurrency=1)(agent)
