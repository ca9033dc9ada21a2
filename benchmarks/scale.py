"""Whether the cost of an event stays what it is: over partitions, workers, and scopes.

Each load is the same number of events a second of event time; CPU is that of all workers together.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.contest import Round
from benchmarks.driftstream import Setup
from benchmarks.figures import Figure, show, table
from benchmarks.throughput import leaving_no_topics, make_topic, run_ours
from benchmarks.workloads import WORKLOADS, Workload
from stream.devbroker.broker import Broker
from stream.stage1.summarise import CHUNK_RECORDS

__all__ = ["Case", "run", "scale_table"]

#: A figure of one case is the best of so many runs: others on the machine only ever add.
_RUNS = 3


@dataclass(frozen=True)
class Case:
    """One load: who is compared to whom by `group`; the first of a group is the measure."""

    group: str
    id: str
    what: str
    partitions: int = 4
    workers: int = 1
    models: int = 1
    segments: int = 0
    events_per_s: int = 1_000

    def workload(self, share: float) -> Workload:
        """20 numeric features, and about 800,000 events."""
        chunks = max(1, round(48 * max(share, 0.7) / self.partitions))  # panes after the change
        return replace(
            WORKLOADS["W1"][0],
            id=f"S{self.id}",
            n_models=self.models,
            n_segments=self.segments,
            events=self.partitions * CHUNK_RECORDS * chunks,
            events_per_s=self.events_per_s,
            changed_share=0.5 if self.models > 1 or self.segments else 0.1,
        )


CASES = (
    Case("partitions", "p1", "1 partition", 1),
    Case("partitions", "p2", "2 partitions", 2),
    Case("partitions", "p4", "4 partitions", 4),
    Case("partitions", "p8", "8 partitions", 8),
    Case("workers", "w1", "8 partitions, 1 worker", 8),
    Case("workers", "w2", "8 partitions, 2 workers", 8, 2),
    Case("segments", "s10", "10 segments", segments=10, events_per_s=20_000),
    Case("segments", "s200", "200 segments", segments=200, events_per_s=20_000),
    Case("segments", "s2000", "2,000 segments", segments=2_000, events_per_s=20_000),
    Case("models", "m10", "10 models", models=10, events_per_s=20_000),
    Case("models", "m100", "100 models", models=100, events_per_s=20_000),
)
#: By how much the last may cost more than the first.
_GOALS = {"partitions": 1.15, "workers": 1.15, "segments": 2.0, "models": None}


def run(broker: Broker, share: float = 1.0) -> tuple[list[Figure], dict[str, Any]]:
    """All cases; figures are the largest of a group over its first."""
    found: dict[str, Round] = {}
    for case in CASES:
        if case.id == "w1":  # as p8
            found[case.id] = found["p8"]
            continue
        found[case.id] = _one(broker, case, share)
        print(
            f"  {case.what:<26} {found[case.id]['cpu_s_per_million']:.2f} CPU s a million, "
            f"{found[case.id]['events_per_s']:,.0f} events/s",
            flush=True,
        )
    return list(_figures(found)), {"cases": found}


def _one(broker: Broker, case: Case, share: float) -> Round:
    workload = case.workload(share)
    name = f"bench-scale-{case.id}-{os.getpid()}"
    with (
        tempfile.TemporaryDirectory(prefix="driftstream-bench-") as tmp,
        leaving_no_topics(broker.bootstrap, name),
    ):
        setup = Setup(broker.bootstrap, name, case.partitions, Path(tmp), name, 0)
        make_topic(setup, workload)
        runs = [run_ours(setup, workload, i, workers=case.workers) for i in range(_RUNS)]
    return min(runs, key=lambda one: float(one["cpu_s_per_million"]))


def _figures(found: dict[str, Round]) -> Iterator[Figure]:
    groups = dict.fromkeys(case.group for case in CASES)
    for group in groups:
        cases = [case for case in CASES if case.group == group]
        costs = [float(found[case.id]["cpu_s_per_million"]) for case in cases]
        what = f"scale: CPU an event, {cases[-1].what} over {cases[0].what}"
        yield Figure(f"scale.{group}", what, "times", [costs[-1] / costs[0]], goal=_GOALS[group])


def scale_table(details: dict[str, Any]) -> str:
    """Each case with its cost."""
    found = details["cases"]
    rows = []
    for case in CASES:
        one = found[case.id]
        first = found[next(c.id for c in CASES if c.group == case.group)]
        over = one["cpu_s_per_million"] / first["cpu_s_per_million"]
        keys = ("cpu_s_per_million", "events_per_s", "peak_mb")
        rows.append([case.what, *(show(float(one[k])) for k in keys), f"{over:.2f}"])
    header = ["load", "CPU s a million events", "events/s", "peak MB of a worker", "over the first"]
    return table(header, rows)
