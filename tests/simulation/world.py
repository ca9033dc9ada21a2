"""What lies between the workers of the simulation: logs, a clock, a group, committed offsets."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from stream.alerts import AlertEvent
from stream.decode.native import NativeDecoder
from stream.plan import PlanBook

#: Rules of the protocol that a run can be made to break.
MUTATIONS = (
    "progress before summaries",
    "commits within a chunk",
    "one key for every snapshot",
    "zombies commit",
    "zombies delete",
    "snapshot before alerts",
    "no look at the first offset",
    "idle without a look at the end",
)

TP = tuple[str, int]


@dataclass(slots=True)
class Rec:
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple = ()


class Log:
    """One partition; records before `begin` are gone, as retention has it."""

    def __init__(self) -> None:
        self.records: list[Rec] = []
        self.begin = 0

    def append(self, key: bytes | None, value: bytes | None, timestamp: int = 0) -> None:
        self.records.append(Rec(len(self.records), timestamp, key, value))

    def read(self, position: int, n: int) -> list[Rec]:
        position = max(position, self.begin)
        return self.records[position : position + n]


@dataclass
class World:
    """The logs, what has come into them by now, the group and its committed offsets.

    A source record is there when the clock has reached its place in the order of all of them. The
    clock stands while a partition that was called idle has news that are not yet told: in the real
    world that takes less time than the lateness allows.

    Summaries are kept from the committed offset on and no further back, so that a snapshot is
    missed wherever one has to be.
    """

    plans: PlanBook
    arrivals: list[tuple[int, bytes]]  # (partition, value) in the order of arrival
    n_source: int = 3
    n_summaries: int = 2
    mutations: Collection[str] = ()
    idleness: bool = True  # whether silent partitions say that they are
    source: list[Log] = field(default_factory=list)
    summaries: list[Log] = field(default_factory=list)
    state: list[Log] = field(default_factory=list)
    alerts: list[AlertEvent] = field(default_factory=list)
    committed: dict[TP, int] = field(default_factory=dict)
    owner: dict[TP, int] = field(default_factory=dict)
    called_idle: set[int] = field(default_factory=set)
    told: dict[int, int] = field(default_factory=dict)  # source partition -> through
    now: int = 0

    def __post_init__(self) -> None:
        assert set(self.mutations) <= set(MUTATIONS)
        self.source = [Log() for _ in range(self.n_source)]
        self.summaries = [Log() for _ in range(self.n_summaries)]
        self.state = [Log() for _ in range(self.n_summaries)]
        self.decoder = NativeDecoder(self.plans)

    def tick(self, n: int) -> bool:
        """Let up to `n` records come in; whether any did."""
        before = self.now
        for _ in range(n):
            waking = any(self.told.get(p, -1) + 1 < self.end(p) for p in self.called_idle)
            if waking or self.now == len(self.arrivals):
                break
            partition, value = self.arrivals[self.now]
            self.source[partition].append(None, value, (1_000_000 + self.now) * 1000)
            self.now += 1
        return self.now > before

    def end(self, partition: int) -> int:
        return len(self.source[partition].records)

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
        return sum(key) % self.n_summaries
