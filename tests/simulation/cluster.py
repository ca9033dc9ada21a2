"""Workers in memory: seeded, one small step at a time, no threads and no broker.

The pure classes of both stages run as the workers run them; only the edge is written anew here. A
worker that lost its partitions without knowing (a zombie) goes on with what it has in memory: its
appends arrive, its commits are refused.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator

from stream.alerts import AlertEvent
from stream.monitor import PartitionMonitor
from stream.snapshot import SnapshotWriter, best_snapshot
from stream.summarise import Flush, Summariser
from stream.summary import Idle, Source, encode_message
from tests.simulation.world import TP, Rec, World

CHUNK = 40


class Stage1:
    """A source partition in one worker: reads, and delivers flushes one record at a time."""

    def __init__(self, world: World, worker: int, partition: int, rng: random.Random) -> None:
        self.world, self.worker, self.partition, self.rng = world, worker, partition, rng
        self.tp = ("source", partition)
        self.expected = self.position = world.committed.get(self.tp, 0)
        if rng.random() < 0.3:  # a fetch on its way across the rebalance moved the position on
            self.position += rng.randint(1, 30)
        source = Source("topic-id", "predictions", partition, world.n_source)
        self.summariser = Summariser(source, world.plans, world.decoder, chunk_records=CHUNK)
        self.todo: deque[Callable[[], None]] = deque()
        self.idle_at = -1

    def step(self) -> bool:
        if self.todo:
            self.todo.popleft()()
            return True
        if batch := self.fetch():
            for flush in self.summariser.add(batch):
                self.deliver(flush)
            return True
        if self.is_caught_up() and self.idle_at != self.expected:
            self.say_idle()
            return True
        return False

    def fetch(self) -> list[Rec]:
        """One poll, beginning where the last ended: otherwise it is sought again, not used."""
        log = self.world.source[self.partition]
        batch = log.read(self.position, self.rng.randint(1, 30))
        guarded = "no look at the first offset" not in self.world.mutations
        if guarded and self.position != self.expected:
            self.position = self.expected
            return []
        if batch:
            self.expected = self.position = batch[-1].offset + 1
        return batch

    def is_caught_up(self) -> bool:
        """Whether it is a member that has read to the log's end as it is now."""
        if "idle without a look at the end" in self.world.mutations:
            return self.rng.random() < 0.2
        at_end = self.expected == self.world.end(self.partition)
        return at_end and self.world.owner.get(self.tp) == self.worker

    def say_idle(self) -> None:
        self.idle_at = self.expected
        if last := self.summariser.flush_idle():
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
        world = self.world
        summaries: list[Callable[[], None]] = []
        for key, value in flush.summaries:
            for _ in range(2 if self.rng.random() < 0.05 else 1):  # a retried delivery
                summaries.append(
                    lambda k=key, v=value: world.summaries[world.route(k)].append(k, v)
                )
        progress: list[Callable[[], None]] = [
            lambda log=log: log.append(b"", flush.progress) for log in world.summaries
        ]
        if "progress before summaries" in world.mutations:
            summaries, progress = progress, summaries
        self.todo.extend((*summaries, *progress))
        through = self.expected - 1
        commit = flush.commit
        if "commits within a chunk" in world.mutations:
            commit = self.summariser._next
        self.todo.append(lambda: self.told(through, commit))

    def told(self, through: int, commit: int | None) -> None:
        world = self.world
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

    def __init__(self, world: World, worker: int, partition: int, rng: random.Random) -> None:
        self.world, self.worker, self.partition, self.rng = world, worker, partition, rng
        self.tp = ("summaries", partition)
        self.monitor = PartitionMonitor(world.plans)
        stored = [(r.key, r.value) for r in world.state[partition].records]
        if found := best_snapshot(partition, stored):
            self.monitor.restore(*found)
        self.position = self.monitor.fence
        one_key = "one key for every snapshot" in world.mutations
        kind = OneKeyWriter if one_key else SnapshotWriter
        self.writer = kind(partition, f"w{worker}g{rng.randrange(10**9)}")
        self.others = {key for key, value in dict(stored).items() if value is not None}
        self.todo: deque[Callable[[], None]] = deque()
        self.pending: list[AlertEvent] = []

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
            self.pending += self.monitor.apply(record.offset, record.value, record.timestamp)
        return bool(batch)

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
        mutations = self.world.mutations

        def finish() -> None:
            gone = self.writer.done(planned)
            member = self.world.commit(self.worker, self.tp, planned.fence)
            if "zombies delete" in mutations:
                present = {r.key for r in state.records if r.value is not None}
                self.others = {key for key in present if key and not self.writer.owns(key)}
            elif not member:
                return
            for key in (*gone, *self.others):
                state.append(key, None)
            self.others = set()

        if "snapshot before alerts" in mutations:
            self.todo.extend((*blocks, *manifest, finish, *told))
        else:
            self.todo.extend((*told, *blocks, *manifest, finish))
        return True


class Worker:
    """One process: its partitions, or the ones it believes to have."""

    def __init__(self, world: World, number: int, rng: random.Random) -> None:
        self.world, self.number, self.rng = world, number, rng
        self.tasks: list[Stage1 | Stage2] = []

    def assign(self, tps: list[TP]) -> None:
        """An eager rebalance: everything is revoked, then built anew."""
        self.tasks = []
        for tp in tps:
            self.world.owner[tp] = self.number
            kind = Stage1 if tp[0] == "source" else Stage2
            self.tasks.append(kind(self.world, self.number, tp[1], self.rng))

    def step(self) -> bool:
        order = self.rng.sample(self.tasks, len(self.tasks))
        return any(task.step() for task in order)


def drive(world: World, rng: random.Random, *, faults: float, n_workers: int = 2) -> Iterator[str]:
    """Run until all is read and delivered; yields the name of each fault as it is made.

    `faults` is the chance of one at every turn, which takes each worker one step on.
    """
    number = iter(range(10**6))
    live = [Worker(world, next(number), rng) for _ in range(n_workers)]
    zombies: list[tuple[Worker, int]] = []

    def rebalance() -> None:
        shares: list[list[TP]] = [[] for _ in live]
        tps = world.partitions
        rng.shuffle(tps)
        for i, tp in enumerate(tps):
            shares[i % len(live)].append(tp)
        for worker, share in zip(live, shares, strict=True):
            worker.assign(share)

    rebalance()
    quiet = 0
    while quiet < 3 or zombies:
        if rng.random() < faults:
            fault = rng.choice(("crash", "zombie", "join", "leave"))
            if fault != "join":
                victim = live.pop(rng.randrange(len(live)))
                if fault == "zombie":
                    zombies.append((victim, rng.randint(1, 60)))
            if fault == "join" or not live:
                live.append(Worker(world, next(number), rng))
            rebalance()
            yield fault
        if zombies and rng.random() < 0.1:
            zombie, steps = zombies.pop(rng.randrange(len(zombies)))
            for _ in range(steps):
                zombie.step()
            yield "woken"
        worked = [worker.step() for worker in rng.sample(live, len(live))]
        came = (not any(worked) or rng.random() < 0.2) and world.tick(rng.randint(1, 40))
        quiet = 0 if any(worked) or came else quiet + 1
