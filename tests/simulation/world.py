"""What lies between the workers of the simulation: logs, a clock, a group, committed offsets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from stream.contracts.alert_event import AlertEvent
from stream.contracts.summary_message import Source
from stream.decode.columns import Decoded
from stream.decode.native import NativeDecoder
from stream.decode.record import LOG_APPEND_TIME
from stream.plans.plan import Plan, PlanBook

__all__ = ["START_S", "TP", "WORLD_MUTATIONS", "Arrival", "Known", "Log", "Rec", "World"]

#: Rules of the protocol that the edge between Kafka and the pure classes has to keep, and that a
#: run can be made to break.
WORLD_MUTATIONS = frozenset(
    {
        "chunks of any size",
        "chunks of any span",
        "commits within a chunk",
        "no look at the first offset",
        "progress before summaries",
        "progress to one partition",
        "flushes overtake each other",
        "a failed delivery is skipped",
        "a clock far ahead is believed",
        "idle without a look at the end",
        "idle without the rest",
        "snapshot before alerts",
        "one key for every snapshot",
        "a manifest before its blocks, believed",
        "zombies commit",
        "zombies delete",
        "episodes of a writer's own",
        "a source is its name",
    }
)

TP = tuple[str, int]
START_S = 1_000_000
CREATE_TIME = 0


class Arrival(NamedTuple):
    """A record of the source, with its time by the broker's clock and by its producer's."""

    partition: int
    value: bytes
    came_ms: int
    made_ms: int


@dataclass(slots=True)
class Rec:
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple = ()
    timestamp_type: int = LOG_APPEND_TIME


class Log:
    """One partition; records before `begin` are gone, as retention has it."""

    def __init__(self) -> None:
        self.records: list[Rec] = []
        self.begin = 0

    def append(
        self, key: bytes | None, value: bytes | None, timestamp: int = 0, by: int = LOG_APPEND_TIME
    ) -> None:
        self.records.append(Rec(len(self.records), timestamp, key, value, (), by))

    def read(self, position: int, n: int) -> list[Rec]:
        position = max(position, self.begin)
        return self.records[position : position + n]

    @property
    def end(self) -> int:
        return len(self.records)


class Known:
    """What one worker knows of the plans topic: as a plan book, and as a decoder.

    Books and decoders are shared by all workers, because making them costs more than a run.
    """

    _decoders: ClassVar[dict[tuple[int, int], NativeDecoder]] = {}

    def __init__(self, states: tuple[PlanBook, PlanBook], later: bool, max_ahead_ms: int) -> None:
        self.states, self.later, self._max_ahead_ms = states, later, max_ahead_ms

    def __getattr__(self, name: str) -> Any:
        return getattr(self.states[self.later], name)

    def __iter__(self) -> Iterator[tuple[int, Plan]]:
        return iter(self.states[self.later])

    def decode(self, records: Sequence[Rec]) -> Decoded:
        book = self.states[self.later]
        key = id(book), self._max_ahead_ms
        if key not in self._decoders:
            self._decoders[key] = NativeDecoder(book, max_ahead_ms=self._max_ahead_ms)
        return self._decoders[key].decode(records)


@dataclass
class World:
    """The logs, what has come into them by now, the group and its committed offsets.

    A source record is there when the clock has reached its place in the order of all of them. The
    clock stands while a partition that was called idle has news that are not yet told: in the real
    world that takes less time than the lateness allows.

    Summaries are kept from the committed offset on and no further back, so that a snapshot is
    missed wherever one has to be.

    Parameters
    ----------
    plans : pair of PlanBook
        What is on the plans topic, before and after a later plan is published.
    arrivals : list of Arrival
        In the order of arrival.
    created : bool
        Whether the records have their producers' times, not the broker's.
    at_once : bool
        Whether all records come at once, when every partition has been called idle.
    plan_at : int
        Place in that order at which a plan is published that holds from a good while later on.
    remade_at : int
        Place at which the source topic is deleted and made again, once all is read.
    resets : bool
        Whether somebody sets the group's offsets back by hand.
    """

    plans: tuple[PlanBook, PlanBook]
    arrivals: list[Arrival]
    n_source: int = 3
    n_summaries: int = 2
    mutations: Collection[str] = ()
    idleness: bool = True  # whether silent partitions say that they are
    plan_at: int = 10**9
    remade_at: int = 10**9
    resets: bool = False
    created: bool = False
    at_once: bool = False
    source: list[Log] = field(default_factory=list)
    summaries: list[Log] = field(default_factory=list)
    state: list[Log] = field(default_factory=list)
    alerts: list[AlertEvent] = field(default_factory=list)
    committed: dict[TP, int] = field(default_factory=dict)
    owner: dict[TP, int] = field(default_factory=dict)
    called_idle: set[int] = field(default_factory=set)
    told: dict[int, int] = field(default_factory=dict)  # source partition -> through
    flushes: int = 0  # that are told, by all workers and zombies
    now: int = 0
    remade: int = 0

    def __post_init__(self) -> None:
        assert set(self.mutations) <= WORLD_MUTATIONS
        self.source = [Log() for _ in range(self.n_source)]
        self.summaries = [Log() for _ in range(self.n_summaries)]
        self.state = [Log() for _ in range(self.n_summaries)]

    @property
    def words_due(self) -> int:
        """How often the silent are to have spoken: anew after each flush, which may wait for it."""
        return self.flushes if self.idleness else 0

    def tick(self, n: int) -> bool:
        """Let up to `n` records come in; whether any did."""
        before = self.now
        if self.at_once:
            n = len(self.arrivals) if len(self.called_idle) == self.n_source else 0
        for _ in range(n):
            waking = not self.at_once and any(
                self.told.get(p, -1) + 1 < self.source[p].end for p in self.called_idle
            )
            if waking or self.now == len(self.arrivals) or self.is_remade_due:
                break
            partition, value, came_ms, made_ms = self.arrivals[self.now]
            if self.created:
                self.source[partition].append(None, value, made_ms, CREATE_TIME)
            else:
                self.source[partition].append(None, value, came_ms)
            self.now += 1
        return self.now > before

    @property
    def is_remade_due(self) -> bool:
        """Whether the topic waits to be made again."""
        return self.now == self.remade_at and not self.remade

    def is_read_out(self) -> bool:
        """Whether all is told, the panes that are not complete too."""
        ends = {p: log.end for p, log in enumerate(self.source)}
        return len(self.called_idle) == self.n_source and all(
            self.told.get(p, -1) + 1 >= end for p, end in ends.items()
        )

    def make_again(self) -> None:
        """Delete the source topic and make it again; the group's offsets go with it."""
        self.remade += 1
        self.source = [Log() for _ in range(self.n_source)]
        self.told.clear()
        self.called_idle.clear()
        for tp in [tp for tp in self.committed if tp[0] == "source"]:
            del self.committed[tp]

    def name_of(self, partition: int) -> Source:
        """How stage 1 names a source partition."""
        number = 0 if "a source is its name" in self.mutations else self.remade
        return Source(f"topic-id-{number}", "predictions", partition, self.n_source)

    def known_plans(self) -> Known:
        """What a worker that starts now reads: the plans topic to its end."""
        ahead = 2**62 if "a clock far ahead is believed" in self.mutations else 60_000
        return Known(self.plans, self.has_later_plan, ahead)

    @property
    def has_later_plan(self) -> bool:
        """Whether the later plan is on the plans topic."""
        return self.now >= self.plan_at

    @property
    def partitions(self) -> list[TP]:
        return [("source", i) for i in range(self.n_source)] + [
            ("summaries", i) for i in range(self.n_summaries)
        ]

    def commit(self, worker: int, tp: TP, offset: int) -> bool:
        """Commit if the worker is a member still, which those that were overtaken are not."""
        if self.owner.get(tp) != worker and "zombies commit" not in self.mutations:
            return False
        self.committed[tp] = offset
        if tp[0] == "summaries":
            log = self.summaries[tp[1]]
            log.begin = max(log.begin, offset)
        return True

    def route(self, key: bytes) -> int:
        return sum(key) // 2 % self.n_summaries  # the two models' subjects lie apart
