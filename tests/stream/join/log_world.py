"""Predictions and labels on two topics, and the three stages over their logs, which may fail."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from detectors.counting.sparse import decode_counts
from driftstream import fit_reference
from stream.contracts.alert_event import AlertEvent
from stream.contracts.pair_message import JOIN_PREFIX
from stream.contracts.summary_message import Idle, Source, SummaryBatch, decode_message
from stream.contracts.summary_message import encode_message as encoded
from stream.decode.native import NativeDecoder
from stream.decode.record import LOG_APPEND_TIME, FileRecord
from stream.join.joiner import JoinCounts
from stream.join.pair_writer import PairWriter
from stream.join.partition import JoinFlush, PartitionJoin
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay
from stream.replay.label_join import FileLabels
from stream.stage1.summarise import Flush, Summariser
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.snapshot import SnapshotWriter, best_snapshot

N = 4_000
START_S = 1_700_000_000
#: Far behind everything: one in each partition of both topics settles all that was before.
LAST_S = START_S + 30 * 86_400
WAIT_S = 1_800
PREDICTIONS, LABELS = 3, 2
PAIRS, SUMMARIES = 2, 2
CHUNK = 150


@dataclass
class Rec:
    offset: int
    timestamp: int
    value: bytes
    key: None = None
    headers: tuple[Any, ...] = ()
    timestamp_type: int = LOG_APPEND_TIME


def scored(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = 1 / (1 + np.exp(-1.5 * rng.normal(size=n)))
    return score.round(5), rng.random(n) < score


@cache
def plan(**settings: Any) -> Plan:
    score, yes = scored(0, N)
    frame = {
        "ts": START_S - 2 * N + np.arange(N),
        "score": score,
        "truth": np.where(yes, "yes", "no"),
        "region": np.where(np.arange(N) % 3, "us", "eu"),
    }
    reference = fit_reference(
        frame, model="m", timestamp="ts", score="score", actual="truth", segments=["region"]
    )
    chosen = {
        "topic": "p", "outcome_labels": "l", "outcome_wait_ms": WAIT_S * 1_000,
        "pane_ms": 60_000, "lateness_ms": 5_000, "window_events": 500, **settings,
    }  # fmt: skip
    return Plan(model="m", reference=reference, segments=("region",), **chosen)


@dataclass
class Said:
    """One prediction, or one label that came."""

    at_s: int
    id: str
    event: bytes
    truth: str = ""


@cache
def said(seed: int = 1) -> tuple[list[Said], list[Said]]:
    """Predictions, whose truths turn half way, and labels: some twice, corrected, or too late."""
    rng = random.Random(seed)
    score, yes = scored(seed, N)
    made, known = [], []

    def tell(at_s: int, key: str, truth: str) -> None:
        event = {"timestamp": at_s, "model": {"name": "m"}, "prediction_id": key}
        text = json.dumps(event | {"actual": {"label": truth}}).encode()
        known.append(Said(at_s, key, text, truth))

    for i in range(N):
        at_s, key = START_S + i, f"id{i}"
        event = {
            "timestamp": at_s, "model": {"name": "m"}, "prediction_id": key,
            "prediction": {"score": float(score[i])}, "features": {},
            "segments": {"region": "us" if i % 3 else "eu"},
        }  # fmt: skip
        made.append(Said(at_s, key, json.dumps(event).encode()))
        truth = bool(yes[i]) ^ (i >= N // 2)
        if rng.random() < 0.85:
            at_s += rng.choice([2, 60, 300, 900, 1_700, 2_000])
            tell(at_s, key, "yes" if truth else "no")
            if rng.random() < 0.1:
                again = truth ^ (rng.random() < 0.5)
                tell(at_s + rng.randrange(1, 90), key, "yes" if again else "no")
    known.sort(key=lambda label: label.at_s)
    last = {"timestamp": LAST_S, "model": {"name": "m"}}
    ends = {"prediction": {"score": 0.5}, "features": {}}
    made.append(Said(LAST_S, "", json.dumps(last | ends).encode()))
    known.append(Said(LAST_S, "", json.dumps(last | {"actual": {"label": "no"}}).encode()))
    return made, known


def naive(
    seed: int = 1, *, absent: str = "", waits_over: bool = True
) -> tuple[JoinCounts, Counter[tuple[str, str]]]:
    """What became of all, and truths by region: one look-up after the other.

    With a class that no label means (`absent`), truths are those at the end of the wait.
    """
    made, known = said(seed)
    counts, truths = JoinCounts(), Counter[tuple[str, str]]()
    by_id = {each.id: each for each in made if each.id}
    counts.predictions = len(by_id)
    held: dict[str, str] = {}
    first: dict[str, str] = {}
    for label in known[:-1]:
        if label.at_s > by_id[label.id].at_s + WAIT_S:
            counts.unmatched += 1
        elif label.id not in held:
            counts.labelled += 1
            first[label.id] = label.truth
        elif held[label.id] == label.truth:
            counts.repeated += 1
        else:
            counts.corrected += 1
        if label.at_s <= by_id[label.id].at_s + WAIT_S:
            held[label.id] = label.truth
    if waits_over:
        counts.known = len(held)
        counts.unknown = counts.predictions - counts.known
    counting = dict.fromkeys(by_id, absent) | held if absent else first
    for key, truth in counting.items():
        region = json.loads(by_id[key].event)["segments"]["region"]
        for scope in ("", f"region={region}"):
            truths[scope, truth] += 1
    return counts, truths


def identity(alert: AlertEvent) -> tuple[str, int, str]:
    return alert.data.episode, alert.data.revision, alert.data.status


def replayed(watched: Plan, seed: int = 1) -> list[tuple[str, int, str]]:
    """Alerts of `replay --labels` over both files, up to the common frontier."""
    made, known = said(seed)

    def records(events: list[Said]) -> Iterator[FileRecord]:  # as a broker's time is
        return (FileRecord(i, LAST_S * 1_000, e.event) for i, e in enumerate(events))

    book = PlanBook()
    book.add(watched)
    labels = FileLabels.read(watched, records(known))
    replay = Replay(book, watched.topic, labels=labels)
    return [identity(alert) for alert in replay.run(records(made), at_end=False)]


class Source1:
    """Stage 1 of one source partition; a restart begins at the chunk that is not committed."""

    def __init__(self, world: World, topic: str, partition: int) -> None:
        self.world, self.at = world, (topic, partition)
        n = PREDICTIONS if topic == "p" else LABELS
        self.source = Source(f"id-{topic}", topic, partition, n)
        self.position = world.committed.get(self.at, 0)
        self.writer = PairWriter(self.source, world.book, PAIRS)
        self.summariser = Summariser(
            self.source,
            world.book,
            world.decoder,
            chunk_records=CHUNK,
            on_counted=self.writer.counted,
            on_labels=self.writer.labelled,
        )

    def step(self, rng: random.Random) -> bool:
        log = self.world.source[self.at]
        some = log[self.position : self.position + rng.randint(1, 90)]
        if some:
            self.position += len(some)
            for flush in self.summariser.add(some):
                self.send(flush)
        return bool(some)

    def send(self, flush: Flush) -> None:
        world = self.world
        for key, value in flush.summaries:
            world.put(world.summaries[hash_of(key)], value)
        rows, progress = self.writer.flush(flush.read, flush.came_ms)
        assert progress is not None
        told = [(log, progress) for log in world.pairs]
        sent = [(world.pairs[partition], value) for partition, value in rows]
        for log, value in (*told, *sent) if "progress first" in world.broken else (*sent, *told):
            world.put(log, value)
        for log in world.summaries:
            world.put(log, flush.progress)
        if flush.commit is not None:
            world.committed[self.at] = max(flush.commit, world.committed.get(self.at, 0))

    def say_idle(self) -> None:
        if (flush := self.summariser.flush_idle()) is not None:
            self.send(flush)
        word = encoded(Idle(self.source, self.position))
        for log in (*self.world.summaries, *self.world.pairs):
            self.world.put(log, word)


def hash_of(key: bytes) -> int:
    return sum(key) % SUMMARIES


class Joining:
    """The join of one pairs partition in one worker: begins with the best snapshot there is."""

    def __init__(self, world: World, partition: int, name: str) -> None:
        self.world, self.partition = world, partition
        self.join = PartitionJoin(world.book, "id-pairs", partition, PAIRS)
        if found := best_snapshot(partition, world.state[partition]):
            self.join.restore(*found)
        self.position = self.join.fence
        self.writer = SnapshotWriter(partition, name)

    def step(self, rng: random.Random) -> bool:
        log = self.world.pairs[self.partition]
        some = log[self.position : self.position + rng.randint(1, 12)]
        for at_ms, value in some:
            for flush in self.join.apply(self.position, value, at_ms):
                self.send(flush)
            self.position += 1
        return bool(some)

    def send(self, flush: JoinFlush) -> None:
        for key, value in flush.summaries:
            self.world.put(self.world.summaries[hash_of(key)], value)
        for word in flush.words:
            for log in self.world.summaries:
                self.world.put(log, word)

    def snapshot(self) -> None:
        if (planned := self.join.take_round(self.writer)) is not None:
            self.world.state[self.partition] += [*planned.blocks, planned.manifest]
            self.writer.done(planned)


#: Values with the times at which they were appended.
Log = list[tuple[int, bytes]]


@dataclass
class World:
    """All logs. Sources are read in any interleaving; with faults, again and by zombies.

    `broken` are rules that are not kept; `later` is a plan that holds from half way on.
    """

    seed: int = 1
    settings: dict[str, Any] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    later: Plan | None = None
    source: dict[tuple[str, int], list[Rec]] = field(default_factory=dict)
    pairs: list[Log] = field(default_factory=lambda: [[] for _ in range(PAIRS)])
    summaries: list[Log] = field(default_factory=lambda: [[] for _ in range(SUMMARIES)])
    state: list[list[tuple[bytes, bytes | None]]] = field(
        default_factory=lambda: [[] for _ in range(PAIRS)]
    )
    committed: dict[tuple[str, int], int] = field(default_factory=dict)
    now_ms: int = START_S * 1_000

    def __post_init__(self) -> None:
        self.plan = plan(**self.settings)
        self.book = PlanBook()
        self.book.add(self.plan)
        if self.later is not None:
            self.book.add(self.later, (START_S + N // 2) // 60 * 60_000)
        self.decoder = NativeDecoder(self.book, max_ahead_ms=60_000, labels=True)
        rng = random.Random(7)
        for topic, n, events in zip("pl", (PREDICTIONS, LABELS), said(self.seed), strict=True):
            logs: list[list[Rec]] = [[] for _ in range(n)]
            for event in events[:-1]:
                log = rng.choice(logs)
                log.append(Rec(len(log), event.at_s * 1_000, event.event))
            for log in logs:
                log.append(Rec(len(log), LAST_S * 1_000, events[-1].event))
            self.source |= {(topic, p): log for p, log in enumerate(logs)}

    def put(self, log: Log, value: bytes) -> None:
        """Append a record now."""
        log.append((self.now_ms, value))

    def run(self, rng: random.Random, faults: float, *, last: bool = True) -> None:
        """Read all; without the `last` events, what is not complete stays open."""
        if not last:
            for log in self.source.values():
                log.pop()
        self.sources = [Source1(self, *at) for at in self.source]
        self.joins = [Joining(self, q, "w0") for q in range(PAIRS)]
        zombies: list[Source1 | Joining] = []
        self.kills = 0
        idle = 0
        while idle < 60:
            at = rng.choice([*self.sources, *self.joins])
            idle = 0 if at.step(rng) else idle + 1
            if zombies and rng.random() < 0.3 and not rng.choice(zombies).step(rng):
                zombies.pop()
            if isinstance(at, Joining) and rng.random() < 0.1:
                at.snapshot()
            if rng.random() < faults:
                self.kills += 1
                idle = 0
                if rng.random() < 0.5:
                    zombies.append(at)
                if isinstance(at, Joining):
                    self.joins[at.partition] = Joining(self, at.partition, f"w{self.kills}")
                else:
                    i = self.sources.index(at)
                    self.sources[i] = Source1(self, *at.at)

    def fall_silent(self) -> None:
        """All sources say that they are idle, again and again for longer than panes wait."""
        rng = random.Random(0)
        self.now_ms = max(log[-1].timestamp for log in self.source.values())
        for _ in range(40):
            for source in self.sources:
                source.say_idle()
            while sum(joining.step(rng) for joining in self.joins):
                pass
            self.now_ms += 30_000

    def monitors(self) -> tuple[list[PartitionMonitor], list[tuple[str, int, str]]]:
        """Stage 2 over what is on the summaries topic."""
        monitors, alerts = [], []
        for log in self.summaries:
            waits = "the join is not waited for" not in self.broken
            monitor = PartitionMonitor(self.book, wait_for_joins=waits)
            for offset, (at_ms, value) in enumerate(log):
                alerts += map(identity, monitor.apply(offset, value, at_ms))
            monitors.append(monitor)
        return monitors, alerts

    def counts(self) -> JoinCounts:
        """What became of all rows, over the partitions."""
        total: Counter[str] = Counter()
        for joining in self.joins:
            for join in joining.join.joins.values():
                for name in JoinCounts.__slots__:
                    total[name] += getattr(join.joiner.counts, name)
                total["unmatched"] += join.joiner.lone
                total["late"] += join.late
        return JoinCounts(**total)

    def truths(self) -> Counter[tuple[str, str]]:
        """Actuals by scope as the joins wrote them."""
        messages = [decode_message(value) for log in self.summaries for _, value in log]
        batches = [message for message in messages if isinstance(message, SummaryBatch)]
        return truths_in(self.plan, batches)


def truths_in(watched: Plan, batches: Iterable[SummaryBatch]) -> Counter[tuple[str, str]]:
    """Actuals by scope in the summaries of joins, what was written again once."""
    layout = watched.layout
    i, signal = next(each for each in enumerate(watched.monitored) if each[1].role == "actual")
    bin_of = signal.binning.bins_of_names
    once = {
        (batch.source, batch.chunk, entry.segment, entry.pane_ms): entry.counts
        for batch in batches
        if batch.source.topic.startswith(JOIN_PREFIX)
        for entry in batch.entries
    }
    found: Counter[tuple[str, str]] = Counter()
    for (*_, segment, _), raw in once.items():
        bins = decode_counts(raw, layout.width)[layout.slice(i)]
        for name in ("yes", "no"):
            found[segment, name] += int(bins[bin_of[name]])
    return found
