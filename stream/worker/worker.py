"""One worker: reads plans, joins the group, runs its stages until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from stream.contracts.errors import NotFoundError
from stream.decode import FormatDecoder, NativeDecoder
from stream.kafka.connection import connection_arguments
from stream.kafka.rights import check_rights, worker_rights
from stream.kafka.skips import SkipBook
from stream.kafka.sources import absent_words, event_topics, refresh_sources, source_topics
from stream.plans.plan import PlanBook
from stream.worker.alerts_feed import AlertsFeed
from stream.worker.broker_health import CHECK_S, check_broker, wait_for_broker, went_away
from stream.worker.faust.app import Stages, build_app
from stream.worker.join_agent import JoinStage
from stream.worker.limit_log import LimitLog
from stream.worker.plans_feed import PlansFeed, plan_taker
from stream.worker.sender import Sender
from stream.worker.settings import WorkerSettings
from stream.worker.stage1_agent import Stage1
from stream.worker.stage2_agent import Stage2
from stream.worker.timers import every, in_time
from stream.worker.worker_status import WorkerStatus

__all__ = ["Worker"]

log = logging.getLogger(__name__)
#: A worker that is told to stop is gone within 10 s: snapshot and commit, leave, disconnect.
_LAST_SNAPSHOT_S: Final = 2.0
_LEAVE_S: Final = 4.0
_DISCONNECT_S: Final = 1.0


class Worker:
    """One worker. `run` returns when `stop` was called and raises what crashed it.

    Parameters
    ----------
    settings : WorkerSettings
    on_leaving : callable, optional
        Called when it begins to leave, be it told to or crashed.
    """

    def __init__(
        self, settings: WorkerSettings, on_leaving: Callable[[], None] = lambda: None
    ) -> None:
        self.settings = settings
        self._on_leaving = on_leaving
        self.plans = PlanBook()
        self.status = WorkerStatus(
            settings.stage,
            settings.max_ready_lag,
            settings.topics.summaries,
            silences=settings.silences,
        )
        self._connection = connection_arguments(settings.kafka)
        self._stopping = asyncio.Event()
        self._sources: dict[str, tuple[str, int]] = {}
        self._awaited: list[str] = []  # topics of events that were not there at the start
        self._skips = SkipBook(lambda topic: self._sources.get(topic, ("", 0))[0])
        self._app: Any = None

    def stop(self) -> None:
        """Ask `run` to leave the group cleanly and return."""
        self._stopping.set()

    @property
    def holds_nothing(self) -> bool:
        """Whether it has not tried to join the group yet."""
        return self._app is None

    async def stopping(self) -> None:
        """Return when `stop` was called."""
        await self._stopping.wait()

    async def run(
        self,
        on_ready: Callable[[WorkerStatus], None] | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """Work until `stop`; `on_ready` is called once, when partitions flow.

        Kernels must be warm: one that compiles inside the loop would stall the heartbeats.
        `prepare` is called in a thread, before anything is read.
        """
        settings = self.settings
        async with contextlib.AsyncExitStack() as stack:
            feed, sender, stages = await self._begin(stack, prepare)
            data_dir = settings.data_dir or stack.enter_context(
                tempfile.TemporaryDirectory(prefix="driftstream-worker-")
            )
            self._app = build_app(
                settings.group,
                self._connection,
                stages,
                [topic for topic in event_topics(self.plans) if topic in self._sources],
                data_dir=data_dir,
                session_timeout_s=settings.session_timeout_s,
            )
            consumer = self.status.consumer = self._app.consumer
            for stage in stages.running:
                stage.consumer = consumer
            await self._app.start()
            tasks = self._background(feed, sender, stages, on_ready)
            try:
                await self._until_stopped()
            finally:
                for task in tasks:
                    task.cancel()
                await self._leave(stages)

    async def _begin(
        self, stack: contextlib.AsyncExitStack, prepare: Callable[[], None] | None
    ) -> tuple[PlansFeed, Sender, Stages]:
        """All that comes before the group; again, if the broker goes away meanwhile."""
        kafka = self.settings.kafka
        while True:
            await wait_for_broker(kafka, self.status)
            async with contextlib.AsyncExitStack() as attempt:
                try:
                    made = await self._connect(attempt, prepare)
                except Exception as error:
                    if not await went_away(error, kafka):
                        raise
                    log.warning("the broker went away, starting again: %r", error)
                    continue
                await stack.enter_async_context(attempt.pop_all())
                return made

    async def _connect(
        self, stack: contextlib.AsyncExitStack, prepare: Callable[[], None] | None
    ) -> tuple[PlansFeed, Sender, Stages]:
        settings = self.settings
        if prepare is not None:
            await asyncio.to_thread(prepare)
        await self._must_have(worker_rights(settings.topics, (), settings.stage))
        take = plan_taker(
            self.plans,
            lambda topic: self._app is None or topic in self._sources,
            settings.topics.pairs,
        )
        feed = PlansFeed(self._connection, settings.topics.plans, take, self._skips)
        stack.push_async_callback(in_time, feed.stop, _DISCONNECT_S)
        await feed.start()
        sender = Sender(self._connection)
        stack.push_async_callback(sender.stop, _DISCONNECT_S)
        await sender.start()
        return feed, sender, await self._make_stages(feed, sender)

    async def _make_stages(self, feed: PlansFeed, sender: Sender) -> Stages:
        settings, topics = self.settings, self.settings.topics
        reads_events = settings.stage in ("all", "summarise")
        events = event_topics(self.plans)
        if not events and reads_events:
            raise NotFoundError(
                f"the plans topic {topics.plans} holds no plan, so there is nothing to read. "
                "Publish one: driftstream plan publish -c CONFIG."
            )
        ours = [topics.summaries, topics.state, topics.alerts, topics.dead_letter]
        if self._joins:
            ours += [topics.pairs, topics.pairs_state]
            await self._must_have(worker_rights(topics, (), settings.stage, joins=True))
        self._sources = await source_topics(settings.kafka, [*events, *ours], may_lack=events)
        if reads_events:
            self._awaited = [topic for topic in events if topic not in self._sources]
            absent = {topic: events[topic] for topic in self._awaited if events[topic]}
            words = [absent_words(topic, models) for topic, models in absent.items()]
            if len(self._awaited) == len(events):
                raise NotFoundError(f"{'; '.join(words)}. Create it: driftstream topics --create.")
            self.status.absent = absent
            for said in words:
                log.warning("%s: nothing of it is watched", said)
            await self._must_have(dict.fromkeys(events, ("READ",)))
        n_summaries = self._partitions(topics.summaries, topics.state)
        n_pairs = self._partitions(topics.pairs, topics.pairs_state) if self._joins else 0
        if reads_events:
            native = NativeDecoder(
                self.plans,
                max_ahead_ms=settings.max_ahead_ms,
                hashing=settings.hashing,
                labels=self._joins,
            )
            self.status.stage1 = Stage1(
                self.plans,
                FormatDecoder(native),
                sender,
                self._sources,
                summaries=topics.summaries,
                n_summaries=n_summaries,
                pairs=topics.pairs,
                n_pairs=n_pairs,
                formats={t: FormatDecoder(native, o) for t, o in settings.formats.items()},
                dead_letters=topics.dead_letter,
                dead_letter_values=settings.dead_letter_values,
                idle_after_s=settings.idle_after_s,
                crash=self._crash,
            )
        common = (self.plans, feed.current, sender, self._connection)
        if settings.stage == "join" or (settings.stage == "all" and self._joins):
            self.status.join = JoinStage(
                *common,
                n_partitions=n_pairs,
                summaries=topics.summaries,
                n_summaries=n_summaries,
                interval_s=settings.snapshot_interval_s,
                state=topics.pairs_state,
                log_id=self._sources[topics.pairs][0],
                crash=self._crash,
            )
        if settings.stage in ("all", "monitor"):
            self.status.stage2 = Stage2(
                *common,
                alerts=topics.alerts,
                state=topics.state,
                log_id=self._sources[topics.summaries][0],
                on_alert=self.status.count_alert,
                crash=self._crash,
            )
        stages = (self.status.stage1, self.status.join, self.status.stage2)
        return Stages(self.status, *stages, topics.summaries, topics.pairs, self._skips)

    @property
    def _joins(self) -> bool:
        """Whether labels are joined: those of a plan that was there at the start."""
        return self.settings.stage == "join" or self.plans.joins

    def _partitions(self, log: str, state: str) -> int:
        """How many a log has, and the topic of its snapshots."""
        n = self._sources[log][1]
        if self._sources[state][1] != n:
            raise NotFoundError(
                f"{state} must have as many partitions as {log}, {n}; got "
                f"{self._sources[state][1]}. Make it again."
            )
        return n

    async def _must_have(self, needs: Mapping[str, Sequence[str]]) -> None:
        settings = self.settings
        await asyncio.to_thread(check_rights, settings.kafka, needs, settings.group)

    def _background(
        self,
        feed: PlansFeed,
        sender: Sender,
        stages: Stages,
        on_ready: Callable[[WorkerStatus], None] | None,
    ) -> list[asyncio.Task[None]]:
        settings = self.settings
        topics = settings.topics
        fixed = {topics.summaries, topics.state, topics.pairs, topics.pairs_state}
        jobs: list[Awaitable[None]] = [
            feed.follow(),
            every(
                settings.sources_interval_s,
                lambda: refresh_sources(settings.kafka, self._sources, fixed, self._awaited),
            ),
        ]
        jobs += [
            every(settings.idle_timeout_s, stage.release_idle)
            for stage in (stages.stage1, stages.stage2)
            if stage is not None
        ]
        jobs += [every(settings.snapshot_interval_s, s.snapshot_all) for s in stages.restored]
        jobs.append(every(CHECK_S, lambda: check_broker(sender, self.status)))
        status = self.status
        limits = LimitLog(status.counters, status.joins_by_partition, status.monitors_by_partition)
        jobs.append(every(CHECK_S, limits.check))
        jobs.append(every(CHECK_S, lambda: self._apply_skips(feed)))
        if stages.stage1 is not None:
            jobs.append(every(min(1.0, settings.idle_after_s), stages.stage1.flush_idle_partitions))
        if stages.stage2 is not None and settings.metrics_address:
            jobs.append(self._feed_page().follow())
        if on_ready is not None:
            jobs.append(self._say_ready(on_ready))
        return [asyncio.create_task(self._crash_on_error(job)) for job in jobs]

    def _feed_page(self) -> AlertsFeed:
        settings, status = self.settings, self.status
        status.alerts_feed = AlertsFeed(
            settings.kafka, self._connection, settings.topics.alerts, status.recent.hear
        )
        return status.alerts_feed

    async def _apply_skips(self, feed: PlansFeed) -> None:
        self.status.plans_unread = feed.unread
        await self._app.consumer.apply_skips()

    async def _crash_on_error(self, job: Awaitable[None]) -> None:
        try:
            await job
        except Exception as error:
            await self._crash(error)

    async def _crash(self, error: BaseException) -> None:
        self.status.failed = f"{type(error).__name__}: {error}"
        await self._app.crash(error)

    async def _say_ready(self, on_ready: Callable[[WorkerStatus], None]) -> None:
        while not self.status.ready()[0]:
            await asyncio.sleep(0.05)
        on_ready(self.status)

    async def _until_stopped(self) -> None:
        await self._app.wait(self.stopping())
        if self._app.crashed:
            error = self._app.crash_reason
            self.status.failed = self.status.failed or f"{type(error).__name__}: {error}"
            raise error

    async def _leave(self, stages: Stages) -> None:
        """Snapshot, commit and leave the group, each within its time."""
        self._on_leaving()
        consumer = self.status.consumer
        if not self._app.crashed:
            try:
                async with asyncio.timeout(_LAST_SNAPSHOT_S):
                    held = consumer.assignment()
                    await stages.closing(held)
                    await consumer.commit()
            except TimeoutError:
                log.warning("no time for a last snapshot; the next owner reads a little again")
            except Exception as error:
                log.warning("no last snapshot: %r", error)
        for stage in stages.running:
            stage.revoked(list(stage.parts))
        await in_time(self._app.stop, _LEAVE_S)
