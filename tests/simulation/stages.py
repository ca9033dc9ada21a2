"""Both stages of a simulated worker: the pure classes run as the workers run them.

Only the edge is written anew here, one small step at a time, so that a crash comes between any two.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

import msgspec

from stream.contracts.alert_event import AlertEvent
from stream.contracts.summary_message import Idle, encode_message
from stream.stage1.summarise import Flush, Summariser
from stream.stage2.monitor import PartitionMonitor, UnknownPlanError
from stream.stage2.snapshot import Manifest, SnapshotWriter, best_snapshot, open_block
from tests.simulation.world import Known, Rec, World

__all__ = ["CHUNK", "Stage1", "Stage2"]

CHUNK = 40
SPAN_MS = 100_000


class Stage1:
    """A source partition in one worker: reads, and delivers flushes one record at a time."""

    def __init__(
        self, world: World, worker: int, partition: int, plans: Known, rng: random.Random
    ) -> None:
        self.world, self.worker, self.partition, self.rng = world, worker, partition, rng
        self.mutations = world.mutations
        self.tp = ("source", partition)
        self.log = world.source[partition]
        self.expected = self.position = world.committed.get(self.tp, 0)
        if rng.random() < 0.3:  # a fetch on its way across the rebalance moved the position on
            self.position += rng.randint(1, 30)
        self.summariser = Summariser(
            world.name_of(partition),
            plans,
            plans,
            chunk_records=rng.randint(20, 40) if "chunks of any size" in self.mutations else CHUNK,
            chunk_span_ms=SPAN_MS
            // (rng.randint(1, 4) if "chunks of any span" in self.mutations else 1),
        )
        self.todo: deque[Callable[[], None]] = deque()
        self.idle_at: tuple[int, int] | None = None

    def step(self) -> bool:
        if self.todo:
            if "flushes overtake each other" in self.mutations:
                self.todo.rotate(self.rng.randrange(len(self.todo)))
            self.todo.popleft()()
            return True
        if batch := self.fetch():
            for flush in self.summariser.add(batch):
                self.deliver(flush)
            return True
        if self.is_caught_up() and self.idle_at != (self.expected, self.world.words_due):
            self.say_idle()
            return True
        return False

    def fetch(self) -> list[Rec]:
        """One poll, beginning where the last ended: otherwise it is sought again, not used."""
        batch = self.log.read(self.position, self.rng.randint(1, 30))
        guarded = "no look at the first offset" not in self.mutations
        if guarded and self.position != self.expected:
            self.position = self.expected
            return []
        if batch:
            self.expected = self.position = batch[-1].offset + 1
        return batch

    def is_caught_up(self) -> bool:
        """Whether it is a member that has read to the log's end as it is now."""
        if "idle without a look at the end" in self.mutations:
            return self.rng.random() < 0.2
        return self.expected == self.log.end and self.world.owner.get(self.tp) == self.worker

    def say_idle(self) -> None:
        self.idle_at = self.expected, self.world.words_due
        if "idle without the rest" not in self.mutations and (last := self.summariser.flush_idle()):
            self.deliver(last)
        word = encode_message(Idle(self.summariser.source, self.expected))
        for log in self.world.summaries if self.world.idleness else ():

            def say(log=log) -> None:
                if self.is_caught_up():
                    log.append(b"", word)
                    self.world.called_idle.add(self.partition)

            self.todo.append(say)

    def deliver(self, flush: Flush) -> None:
        """Summaries, then progress to every partition, then the chunk's end may be committed."""
        world, mutations = self.world, self.mutations
        summaries: list[Callable[[], None]] = []
        for key, value in flush.summaries:
            if "a failed delivery is skipped" in mutations and self.rng.random() < 0.05:
                continue
            for _ in range(2 if self.rng.random() < 0.05 else 1):  # a retried delivery
                summaries.append(
                    lambda k=key, v=value: world.summaries[world.route(k)].append(k, v)
                )
        to = world.summaries[:1] if "progress to one partition" in mutations else world.summaries
        progress: list[Callable[[], None]] = [
            lambda log=log: log.append(b"", flush.progress) for log in to
        ]
        if "progress before summaries" in mutations:
            summaries, progress = progress, summaries
        self.todo.extend((*summaries, *progress))
        through = self.expected - 1
        commit = flush.commit
        if "commits within a chunk" in mutations:
            commit = self.summariser._next
        self.todo.append(lambda: self.told(through, commit))

    def told(self, through: int, commit: int | None) -> None:
        world = self.world
        world.flushes += 1
        if self.log is not world.source[self.partition]:
            return  # of a topic that is no more
        if through > world.told.get(self.partition, -1):
            world.told[self.partition] = through
            world.called_idle.discard(self.partition)
        if commit is not None:
            world.commit(self.worker, self.tp, commit)


class OneKeyWriter(SnapshotWriter):
    """A mutation: the same key at every turn."""

    def _key(self, name: str, turn: int) -> bytes:
        return super()._key(name, 0)

    @property
    def manifest_keys(self) -> tuple[bytes, bytes]:
        return (super().manifest_keys[0],) * 2


class Stage2:
    """A summaries partition in one worker: restores, reads, sends alerts, writes snapshots."""

    def __init__(
        self, world: World, worker: int, partition: int, plans: Known, rng: random.Random
    ) -> None:
        self.world, self.worker, self.partition, self.rng = world, worker, partition, rng
        self.mutations = world.mutations
        self.tp = ("summaries", partition)
        self.plans = plans
        self.monitor = PartitionMonitor(plans)
        stored = [(r.key, r.value) for r in world.state[partition].records]
        if found := self._best(stored):
            self.monitor.restore(*found)
        self.position = self.monitor.fence
        one_key = "one key for every snapshot" in self.mutations
        kind = OneKeyWriter if one_key else SnapshotWriter
        self.writer = kind(partition, f"w{worker}g{rng.randrange(10**9)}")
        self.others = {key for key, value in dict(stored).items() if value is not None}
        self.todo: deque[Callable[[], None]] = deque()
        self.pending: list[AlertEvent] = []

    def _best(self, stored: list) -> tuple[Manifest, dict[str, bytes]] | None:
        if "a manifest before its blocks, believed" not in self.mutations:
            return best_snapshot(self.partition, stored)
        latest = {key: value for key, value in stored if value is not None}
        manifests = [Manifest.decode(v) for k, v in latest.items() if k.startswith(b"manifest")]
        if not manifests:
            return None
        best = max(manifests, key=lambda m: (m.fence, m.sequence))
        blocks = {n: latest[place.key] for n, place in best.blocks.items() if place.key in latest}
        return best, {name: open_block(value) for name, value in blocks.items()}

    def step(self) -> bool:
        if self.todo:
            self.todo.popleft()()
            return True
        if (self.pending or self.rng.random() < 0.15) and self.begin_round():
            return True
        log = self.world.summaries[self.partition]
        if self.position < log.begin:
            return False  # away for longer than the retention: what it knows is of no more use
        batch = log.read(self.position, self.rng.randint(1, 12))
        for record in batch:
            self.position = record.offset + 1
            self.pending += self.apply(record)
        return bool(batch)

    def apply(self, record: Rec) -> list[AlertEvent]:
        monitor = self.monitor
        try:
            alerts = monitor.apply(record.offset, record.value, record.timestamp)
        except UnknownPlanError:
            self.plans.later = self.world.has_later_plan
            alerts = monitor.apply(
                record.offset, record.value, record.timestamp, plans_current=True
            )
        if "episodes of a writer's own" in self.mutations:
            return [_renamed(alert, self.writer.writer) for alert in alerts]
        return alerts

    def begin_round(self) -> bool:
        """Alerts, then blocks, then the manifest, then the commit; only then are keys deleted."""
        alerts, self.pending = self.pending, []
        told = [lambda a=alert: self.world.alerts.append(a) for alert in alerts]
        planned = self.monitor.take_round(self.writer)
        if planned is None:
            self.todo.extend(told)
            return bool(told)
        state = self.world.state[self.partition]
        blocks = [lambda k=key, v=value: state.append(k, v) for key, value in planned.blocks]
        manifest = [lambda: state.append(*planned.manifest)]
        if "a manifest before its blocks, believed" in self.mutations:
            blocks, manifest = manifest, blocks
        finish = [lambda: self.finish(planned)]
        if "snapshot before alerts" in self.mutations:
            self.todo.extend((*blocks, *manifest, *finish, *told))
        else:
            self.todo.extend((*told, *blocks, *manifest, *finish))
        return True

    def finish(self, planned) -> None:
        """A round is delivered whole."""
        state = self.world.state[self.partition]
        gone = self.writer.done(planned)
        member = self.world.commit(self.worker, self.tp, planned.fence)
        if "zombies delete" in self.mutations:
            present = {r.key for r in state.records if r.value is not None}
            self.others = {key for key in present if key and not self.writer.owns(key)}
        elif not member:
            return
        for key in (*gone, *self.others):
            state.append(key, None)
        self.others = set()


def _renamed(alert: AlertEvent, writer: str) -> AlertEvent:
    data = msgspec.structs.replace(alert.data, episode=f"{writer}-{alert.data.episode}")
    return msgspec.structs.replace(alert, data=data)
