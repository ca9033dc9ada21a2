"""A Kafka and its workers in memory: seeded, one small step at a time, no clock and no broker.

The pure classes of both stages run as the workers run them; what is simulated is only what lies
between them: logs, committed offsets, a group with generations, deliveries that can stop anywhere.
A worker that lost its partitions without knowing (a zombie) goes on with what it has in memory: its
appends arrive, its commits are refused.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from stream.alerts import AlertEvent
from stream.decode.native import NativeDecoder
from stream.monitor import PartitionMonitor
from stream.plan import PlanBook
from stream.snapshot import SnapshotWriter, best_snapshot
from stream.summarise import Summariser
from stream.summary import Source

CHUNK = 40


@dataclass(slots=True)
class Rec:
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple = ()


class Log:
    """One partition: an append-only list."""

    def __init__(self) -> None:
        self.records: list[Rec] = []

    def append(self, key: bytes | None, value: bytes | None, timestamp: int = 0) -> None:
        self.records.append(Rec(len(self.records), timestamp, key, value))


@dataclass
class World:
    """The logs, the group and its committed offsets."""

    plans: PlanBook
    source: list[Log]
    n_summaries: int = 2
    commit_any: bool = False  # a mutation: commits of old generations are taken
    summaries: list[Log] = field(default_factory=list)
    state: list[Log] = field(default_factory=list)
    alerts: list[AlertEvent] = field(default_factory=list)
    committed: dict[tuple[str, int], int] = field(default_factory=dict)
    owner: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.summaries = [Log() for _ in range(self.n_summaries)]
        self.state = [Log() for _ in range(self.n_summaries)]

    @property
    def partitions(self) -> list[tuple[str, int]]:
        return [("source", i) for i in range(len(self.source))] + [
            ("summaries", i) for i in range(self.n_summaries)
        ]

    def commit(self, worker: int, tp: tuple[str, int], offset: int) -> bool:
        taken = self.commit_any or self.owner.get(tp) == worker
        if taken:
            self.committed[tp] = offset
        return taken

    def route(self, key: bytes) -> int:
        return sum(key) % self.n_summaries


class Stage1:
    """A source partition in one worker: reads, and delivers flushes one record at a time."""

    def __init__(self, world: World, worker: int, partition: int, rng: random.Random) -> None:
        self.world, self.worker, self.partition, self.rng = world, worker, partition, rng
        self.tp = ("source", partition)
        self.position = world.committed.get(self.tp, 0)
        source = Source("topic-id", "predictions", partition, len(world.source))
        self.summariser = Summariser(
            source, world.plans, NativeDecoder(world.plans), chunk_records=CHUNK
        )
        self.todo: deque[Callable[[], None]] = deque()

    def step(self) -> bool:
        if self.todo:
            self.todo.popleft()()
            return True
        log = self.world.source[self.partition].records
        if self.position >= len(log):
            last = self.summariser.flush_idle()
            if last is not None:
                self.deliver(last)
            return last is not None
        batch = log[self.position : self.position + self.rng.randint(1, 30)]
        self.position = batch[-1].offset + 1
        for flush in self.summariser.add(batch):
            self.deliver(flush)
        return True

    def deliver(self, flush) -> None:
        for key, value in flush.summaries:
            for _ in range(2 if self.rng.random() < 0.05 else 1):  # a retried delivery
                self.todo.append(
                    lambda k=key, v=value: self.world.summaries[self.world.route(k)].append(k, v)
                )
        for log in self.world.summaries:
            self.todo.append(lambda log=log: log.append(b"", flush.progress))
        if flush.commit is not None:
            offset = flush.commit
            self.todo.append(lambda: self.world.commit(self.worker, self.tp, offset))


class Stage2:
    """A summaries partition in one worker: restores, reads, sends alerts, writes snapshots."""

    def __init__(
        self, world: World, worker: int, partition: int, rng: random.Random, writer: str
    ) -> None:
        self.world, self.worker, self.partition, self.rng = world, worker, partition, rng
        self.tp = ("summaries", partition)
        self.monitor = PartitionMonitor(world.plans)
        stored = [(r.key, r.value) for r in world.state[partition].records]
        if found := best_snapshot(partition, stored):
            self.monitor.restore(*found)
        self.position = self.monitor.fence
        self.others = {key for key, value in stored if value is not None}
        self.writer = SnapshotWriter(partition, writer)
        self.todo: deque[Callable[[], None]] = deque()
        self.pending: list[AlertEvent] = []

    def step(self) -> bool:
        if self.todo:
            self.todo.popleft()()
            return True
        if self.pending or self.rng.random() < 0.15:
            if self.begin_round():
                return True
        log = self.world.summaries[self.partition].records
        if self.position >= len(log):
            return False
        for record in log[self.position : self.position + self.rng.randint(1, 12)]:
            self.position = record.offset + 1
            self.pending += self.monitor.apply(record.offset, record.value, record.timestamp)
        return True

    def begin_round(self) -> bool:
        alerts, self.pending = self.pending, []
        for alert in alerts:
            self.todo.append(lambda a=alert: self.world.alerts.append(a))
        planned = self.monitor.take_round(self.writer)
        if planned is None:
            return bool(alerts)
        state = self.world.state[self.partition]
        for key, value in planned.blocks:
            self.todo.append(lambda k=key, v=value: state.append(k, v))
        self.todo.append(lambda: state.append(*planned.manifest))

        def finish() -> None:
            gone = self.writer.done(planned)
            if self.world.commit(self.worker, self.tp, planned.fence):
                for key in (*gone, *self.others):
                    state.append(key, None)
                self.others.clear()

        self.todo.append(finish)
        return True


class Worker:
    """One process: its partitions, or the ones it believes to have."""

    def __init__(self, world: World, number: int, rng: random.Random) -> None:
        self.world, self.number, self.rng = world, number, rng
        self.tasks: dict[tuple[str, int], Stage1 | Stage2] = {}

    def assign(self, tps: list[tuple[str, int]]) -> None:
        """An eager rebalance: everything is revoked, then built anew."""
        self.tasks = {}
        for tp in tps:
            self.world.owner[tp] = self.number
            if tp[0] == "source":
                self.tasks[tp] = Stage1(self.world, self.number, tp[1], self.rng)
            else:
                name = f"w{self.number}g{self.rng.randrange(10**9)}"
                self.tasks[tp] = Stage2(self.world, self.number, tp[1], self.rng, name)

    def step(self) -> bool:
        order = list(self.tasks.values())
        self.rng.shuffle(order)
        return any(task.step() for task in order)


def drive(world: World, rng: random.Random, *, faults: bool, n_workers: int = 2) -> Iterator[str]:
    """Run until all is read and delivered; yields the name of each fault as it is made."""
    fresh = iter(range(10**6))
    live: list[Worker] = []
    zombies: list[tuple[Worker, int]] = []

    def rebalance() -> None:
        shares: list[list[tuple[str, int]]] = [[] for _ in live]
        tps = world.partitions
        rng.shuffle(tps)
        for i, tp in enumerate(tps):
            shares[i % len(live)].append(tp)
        for worker, share in zip(live, shares, strict=True):
            worker.assign(share)

    live = [Worker(world, next(fresh), rng) for _ in range(n_workers)]
    rebalance()
    budget = 12 if faults else 0
    idle_turns = 0
    while idle_turns < 3:
        if budget and rng.random() < 0.02:
            budget -= 1
            fault = rng.choice(("crash", "zombie", "join", "leave"))
            victim = rng.randrange(len(live))
            if fault == "zombie":
                zombies.append((live.pop(victim), rng.randint(1, 60)))
            elif fault in ("crash", "leave") and len(live) > 0:
                live.pop(victim)
            if fault == "join" or not live:
                live.append(Worker(world, next(fresh), rng))
            rebalance()
            yield fault
        if zombies and rng.random() < 0.1:
            zombie, steps = zombies.pop(rng.randrange(len(zombies)))
            for _ in range(steps):
                zombie.step()
            yield "woken"
        worked = [worker.step() for worker in rng.sample(live, len(live))]
        idle_turns = 0 if any(worked) else idle_turns + 1
