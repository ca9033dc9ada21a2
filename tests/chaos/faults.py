"""The faults of a run: a seeded order of what is done to the cluster, and how."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Final

from stream.devbroker.broker import BrokerCluster
from tests.chaos.cluster import EVENTS, Cluster
from tests.chaos.traffic import SLICE_EVENTS
from tests.chaos.trio import Trio
from tests.chaos.wire import Publisher

__all__ = ["LONG", "SHORT", "TRIO_LONG", "TRIO_SHORT", "Torment"]

#: How often each fault is made.
LONG: Final = {
    "kill": 17, "kill all": 2, "terminate": 8, "join": 8, "zombie": 6, "broker stop": 3,
    "broker kill": 3, "broker away": 1, "backlog": 3,
}  # fmt: skip
SHORT: Final = {"kill": 2, "terminate": 1, "zombie": 1, "broker kill": 1}
#: The same on three brokers.
TRIO_LONG: Final = {
    "kill": 8, "kill all": 1, "terminate": 4, "join": 4, "zombie": 3, "leader kill": 8,
    "leader freeze": 4, "rolling restart": 3, "reassign": 6, "backlog": 1,
}  # fmt: skip
TRIO_SHORT: Final = {"leader kill": 1, "kill": 1, "rolling restart": 1, "reassign": 1}
#: A stopped worker's place is given away after this (the default `session_timeout`).
_SESSION_S: Final = 6.0
_MOST_WORKERS: Final = 3
_READY_S: Final = 120.0


class Torment:
    """Makes faults while a publisher sends; each fault lets a share of the events out.

    Parameters
    ----------
    cluster, publisher
    n_events : int
        What the publisher has.
    seed : int
    counts : mapping of fault to how often
    away_s : float
        How long the broker is away in "broker away".
    say : callable
        Told of every fault.
    """

    def __init__(
        self,
        cluster: Cluster,
        publisher: Publisher,
        *,
        n_events: int,
        seed: int,
        counts: Mapping[str, int],
        away_s: float,
        say: Callable[[str], None],
    ) -> None:
        self._cluster, self._publisher = cluster, publisher
        self._rng = random.Random(seed)
        self._away_s = away_s
        self._say = say
        self._left = -(-n_events // SLICE_EVENTS)
        self.order = [fault for fault, n in counts.items() for _ in range(n)]
        self._rng.shuffle(self.order)

    def run(self) -> None:
        """All faults; afterwards all events are published and at least one worker runs."""
        cluster = self._cluster
        for _ in range(2):
            cluster.start()
        self._ready()
        for i, fault in enumerate(self.order):
            share = self._left // (len(self.order) - i)
            self._left -= share
            self._say(f"{i + 1}/{len(self.order)} {fault}, {len(cluster.workers)} workers")
            hold = fault == "backlog"
            if not hold:
                self._publisher.allow(share)
                time.sleep(self._rng.uniform(0.0, 0.6))  # so that it comes in the middle of work
            {
                "kill": self._kill,
                "kill all": self._kill_all,
                "terminate": self._terminate,
                "join": self._join,
                "zombie": self._zombie,
                "broker stop": self._stop_broker,
                "broker kill": self._kill_broker,
                "broker away": self._broker_away,
                "leader kill": self._kill_leader,
                "rolling restart": self._roll,
                "reassign": self._reassign,
                "leader freeze": self._freeze_leader,
                "backlog": lambda n=share: self._backlog(n),
            }[fault]()
            cluster.done[fault] += 1
            cluster.look_after()
            if self._rng.random() < 0.6:
                self._ready()
            time.sleep(self._rng.uniform(0.2, 2.0))
        self._publisher.allow(self._left)
        while len(cluster.workers) < 2:
            cluster.start()
        self._ready()

    def complaints(self) -> list[str]:
        """None of its own."""
        return []

    def _ready(self) -> None:
        """Wait until a worker has its partitions."""
        self._cluster.wait_for(
            lambda: any(w.ready for w in self._cluster.workers), "no worker is ready", _READY_S
        )

    def _kill(self) -> None:
        self._cluster.kill(self._rng.choice(self._cluster.workers))
        if self._rng.random() < 0.7 or not self._cluster.workers:
            self._cluster.start()

    def _kill_all(self) -> None:
        for worker in list(self._cluster.workers):
            self._cluster.kill(worker)
        for _ in range(2):
            self._cluster.start()

    def _terminate(self) -> None:
        self._cluster.terminate(self._rng.choice(self._cluster.workers))
        if self._rng.random() < 0.5 or not self._cluster.workers:
            self._cluster.start()

    def _join(self) -> None:
        if len(self._cluster.workers) >= _MOST_WORKERS:
            self._cluster.terminate(self._rng.choice(self._cluster.workers))
        self._cluster.start()

    def _zombie(self) -> None:
        """Freeze a worker that has work in its hands; others take over; it wakes and writes."""
        cluster = self._cluster
        while len(cluster.workers) < 2:
            cluster.start()
        cluster.wait_for(
            lambda: sum(w.ready for w in cluster.workers) > 1, "no two workers", _READY_S
        )
        share = self._left // 20
        self._left -= share
        self._publisher.allow(share)
        time.sleep(self._rng.uniform(0.05, 0.4))
        victim = self._rng.choice([w for w in cluster.workers if w.ready])
        cluster.freeze(victim)
        time.sleep(_SESSION_S + self._rng.uniform(1.5, 6.0))
        cluster.wake(victim)

    def _stop_broker(self) -> None:
        self._cluster.break_broker(hard=False, away_s=self._rng.uniform(0, 5))

    def _kill_broker(self) -> None:
        self._cluster.break_broker(hard=True, away_s=self._rng.uniform(0, 8))

    def _broker_away(self) -> None:
        self._cluster.break_broker(hard=self._rng.random() < 0.5, away_s=self._away_s)

    @property
    def _trio(self) -> Trio:
        brokers = self._cluster.broker
        assert isinstance(brokers, BrokerCluster)
        # Who leads a partition of the offsets is the coordinator of some groups.
        topics = [EVENTS, *self._cluster.topics.values(), "__consumer_offsets"]
        return Trio(brokers, topics, self._rng)

    def _kill_leader(self) -> None:
        self._say(self._trio.kill_leader(self._while_a_broker_is_away))

    def _freeze_leader(self) -> None:
        self._say(self._trio.freeze_leader(lambda: time.sleep(self._rng.uniform(5, 20))))

    def _roll(self) -> None:
        self._trio.roll(self._while_a_broker_is_away)

    def _while_a_broker_is_away(self) -> None:
        """Some of the time a worker dies too, and another one starts."""
        if self._rng.random() < 0.5:
            self._kill()
            self._cluster.done["kill"] += 1
        time.sleep(self._rng.uniform(0, 5))

    def _reassign(self) -> None:
        self._say(self._trio.reassign())

    def _backlog(self, share: int) -> None:
        """Nobody works while events come in; then somebody who is killed soon."""
        cluster = self._cluster
        for worker in list(cluster.workers):
            cluster.terminate(worker)
        self._publisher.allow(share)
        time.sleep(1.0)
        victim = cluster.start()
        cluster.wait_for(lambda: victim.ready, "not ready", _READY_S)
        time.sleep(self._rng.uniform(0.1, 1.0))
        cluster.kill(victim)
        for _ in range(2):
            cluster.start()
