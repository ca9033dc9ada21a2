"""A long run at an even rate with a kill every so often: memory, handles and lag stay flat."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from stream.contracts.summary_message import Progress, decode_message
from tests.chaos.cluster import Cluster
from tests.chaos.traffic import SLICE_EVENTS
from tests.chaos.wire import Publisher, Topic

__all__ = ["Sample", "Soak"]

_SAMPLE_S: Final = 10.0
#: More growth than this between the first and the last third is a leak: workers are young here.
_GROWTH: Final = 1.2


@dataclass(frozen=True)
class Sample:
    """The largest worker at one moment, and how far behind all of them are."""

    second: float
    megabytes: float
    handles: int
    lag: int


class Soak:
    """Publishes `rate` events a second for `minutes`, and kills a worker every `kill_every_s`."""

    def __init__(
        self,
        cluster: Cluster,
        publisher: Publisher,
        *,
        seed: int,
        minutes: float,
        rate: int,
        kill_every_s: float,
        say: Callable[[str], None],
    ) -> None:
        self._cluster, self._publisher = cluster, publisher
        self._rng = random.Random(seed)
        self._seconds, self._rate, self._kill_every_s = minutes * 60, rate, kill_every_s
        self._say = say
        self._through: dict[int, int] = {}
        self.samples: list[Sample] = []

    def run(self) -> None:
        """The whole time; afterwards all events are published and two workers run."""
        cluster = self._cluster
        for _ in range(2):
            cluster.start()
        cluster.wait_for(lambda: all(w.ready for w in cluster.workers), "workers", 300)
        summaries = Topic(cluster.broker.bootstrap, "summaries")
        began = time.monotonic()
        allowed, next_kill, next_sample = 0, self._kill_every_s, _SAMPLE_S
        while (now := time.monotonic() - began) < self._seconds:
            due = int(now * self._rate / SLICE_EVENTS)
            self._publisher.allow(due - allowed)
            allowed = due
            cluster.look_after()
            if now >= next_kill:
                next_kill += self._kill_every_s
                cluster.kill(self._rng.choice(cluster.workers))
                cluster.start()
                cluster.done["kill"] += 1
            if now >= next_sample:
                next_sample += _SAMPLE_S
                self._sample(now, summaries)
            time.sleep(0.05)
        self._publisher.allow(int(self._seconds * self._rate / SLICE_EVENTS) + 1 - allowed)
        summaries.close()

    def _sample(self, now: float, summaries: Topic) -> None:
        for record in summaries.more():
            message = decode_message(record.value())
            if isinstance(message, Progress):
                at = message.source.partition
                self._through[at] = max(self._through.get(at, 0), message.through + 1)
        sizes = [_size(worker.process.pid) for worker in self._cluster.workers]
        sample = Sample(
            now,
            max(megabytes for megabytes, _ in sizes),
            max(handles for _, handles in sizes),
            self._publisher.sent - sum(self._through.values()),
        )
        self.samples.append(sample)
        self._say(
            f"{now / 60:5.1f} min  {sample.megabytes:5.0f} MB  {sample.handles} handles  "
            f"{sample.lag:,} records behind"
        )

    def complaints(self) -> list[str]:
        """What grew."""
        third = max(1, len(self.samples) // 3)
        first, last = self.samples[:third], self.samples[-third:]
        found = []
        for name in ("megabytes", "handles"):
            before, after = (median(getattr(s, name) for s in part) for part in (first, last))
            if after > before * _GROWTH:
                found.append(f"{name} grew from {before:.0f} to {after:.0f}")
        # A kill costs ten seconds of reading, and then some to catch up.
        if (behind := median(s.lag for s in last)) > 20 * self._rate:
            found.append(f"{behind:,.0f} records behind at the end, at {self._rate:,} a second")
        return found


def _size(pid: int) -> tuple[float, int]:
    """Resident megabytes and open handles of a process."""
    try:
        words = Path(f"/proc/{pid}/status").read_text()
        kilobytes = next(line.split()[1] for line in words.splitlines() if "VmRSS" in line)
        return int(kilobytes) / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except (OSError, StopIteration):
        return 0.0, 0  # it has just ended
