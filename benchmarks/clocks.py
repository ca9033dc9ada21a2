"""Wrong clocks: honest events late, and how long after its end a pane is sealed.

    python -m benchmarks.clocks [rows that contain this]

Both stages of the product over logs of 4 partitions and 10 hosts, in simulated time: the table of
ADR 50. The honest are model `churn`; whose clocks are wrong are `fraud`: a partition has one
watermark for both. A cell: share of honest events late, and p50/p99 seconds from a pane's end to
its sealing (lateness, 5 s, is in it); `-` where the pane was not sealed 90 s before the end.
"""

from __future__ import annotations

import logging
import math
import sys
from typing import Any, Final

import msgspec
import numpy as np

from detectors import fit_reference
from stream.contracts.summary_message import Idle, Source, encode_message
from stream.decode.native import NativeDecoder
from stream.decode.record import LOG_APPEND_TIME, FileRecord
from stream.plans.plan import Plan, PlanBook, Subject
from stream.stage1.summarise import Flush, Summariser
from stream.stage2.monitor import PartitionMonitor

PANE_MS: Final = 10_000
_PARTITIONS, _HOSTS = 4, 10
_IDLE_MS: Final = 30_000
_FETCH_MS: Final = 200
_BASE_MS: Final = 1_700_000_000_000
#: Events a second and partition, seconds, a producer's linger in ms.
RATES: Final = ((100.0, 90, 100), (3.0, 900, 0), (0.1, 14_400, 0))
#: (what is wrong, who of ten hosts or which model, by how many seconds, its rate beside the other)
ROWS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("all right", {}),
    *(
        (f"1 of 10 hosts ahead {name}", {"hosts": 1, "by_s": s})
        for name, s in (
            ("1 s", 1),
            ("5 s", 5),
            ("10 s", 10),
            ("20 s", 20),
            ("59 s", 59),
            ("10 min", 600),
            ("1 h", 3_600),
        )
    ),
    ("3 of 10 hosts ahead 20 s", {"hosts": 3, "by_s": 20}),
    ("half of the hosts ahead 20 s", {"hosts": 5, "by_s": 20}),
    ("half of the hosts ahead 1 h", {"hosts": 5, "by_s": 3_600}),
    ("1 of 2 models ahead 20 s", {"model": 1, "by_s": 20}),
    ("1 of 2 models ahead 1 h", {"model": 1, "by_s": 3_600}),
    ("a model at 100 times the rate ahead 20 s", {"model": 100, "by_s": 20}),
    ("1 of 10 hosts behind 20 s", {"hosts": 1, "by_s": -20}),
    ("1 of 10 hosts behind 1 h", {"hosts": 1, "by_s": -3_600}),
    ("3 of 10 hosts behind 20 s", {"hosts": 3, "by_s": -20}),
    ("1 of 2 models behind 20 s", {"model": 1, "by_s": -20}),
    ("a tenth is 2 h old", {"old": 0.1}),
    ("a silence of an hour", {"silence_s": 3_600}),
)


def events(
    seed: int,
    rate: float,
    seconds: int,
    linger: int,
    *,
    hosts: int = 0,
    model: float = 0.0,
    by_s: float = 0.0,
    old: float = 0.0,
    silence_s: float = 0.0,
) -> dict[str, Any]:
    """Arrival, event time and producer's time, partition and honesty of each event, by arrival."""
    rng = np.random.default_rng(seed)
    n = int(rng.poisson(rate * _PARTITIONS * seconds))
    at = np.sort(rng.uniform(0.0, seconds * 1e3, n))
    if silence_s:
        at = np.where(at > seconds * 500.0, at + silence_s * 1e3, at)
    host = rng.integers(0, _HOSTS, n)
    wrong = host < hosts if hosts else rng.random(n) < model / (1.0 + model)
    delay = 30.0 * rng.lognormal(0.0, 0.8, n)
    slow = rng.random(n) < 0.005
    delay[slow] = rng.uniform(0.0, 4_000.0, slow.sum())
    sent = at + 5.0
    if linger:  # what a host sends in one linger goes to one partition, in a row
        slot = np.floor((sent + host * linger / _HOSTS) / linger)
        _, first, lot = np.unique(slot * _HOSTS + host, return_index=True, return_inverse=True)
        partition = rng.integers(0, _PARTITIONS, first.size)[lot]
        came = (slot + 1) * linger - host * linger / _HOSTS + delay[first][lot]
    else:
        partition, came = rng.integers(0, _PARTITIONS, n), sent + delay
    off = np.where(wrong, by_s * 1e3, 0.0)
    time, honest = at + off, ~wrong
    if old:
        backfill = rng.random(n) < old
        time, honest = np.where(backfill, time - 7_200_000.0, time), honest & ~backfill
    order = np.argsort(came, kind="stable")
    whole = {"came": came, "time": time, "made": sent + off}
    return {name: (_BASE_MS + v).astype(np.int64)[order] for name, v in whole.items()} | {
        "partition": partition[order],
        "honest": honest[order],
    }


class Pipeline:
    """Both stages in simulated time."""

    def __init__(self, plans: PlanBook) -> None:
        decoder = NativeDecoder(plans)
        self.readers = [
            Summariser(Source("id", "predictions", p, _PARTITIONS), plans, decoder)
            for p in range(_PARTITIONS)
        ]
        self.monitor, self._fence = PartitionMonitor(plans), 0
        self.offsets = [0] * _PARTITIONS
        self.sealed: dict[int, int] = {}

    def _apply(self, value: bytes, now: int) -> None:
        honest = self.monitor.subjects.get(_HONEST)
        before = set(honest.store._panes) if honest else set()
        self.monitor.apply(self._fence, value, now, plans_current=True)
        self._fence += 1
        if honest:
            for pane in before - honest.store._panes.keys():
                self.sealed.setdefault(pane, now)

    def _take(self, flush: Flush, now: int) -> None:
        for _, value in flush.summaries:
            self._apply(value, now)
        self._apply(flush.progress, now)

    def add(self, partition: int, records: list[FileRecord], now: int) -> None:
        """A poll of one partition."""
        for flush in self.readers[partition].add(records):
            self._take(flush, now)
        self.offsets[partition] += len(records)

    def fall_idle(self, partition: int, now: int) -> None:
        """Say that a partition is silent."""
        reader = self.readers[partition]
        if flush := reader.flush_idle():
            self._take(flush, now)
        self._apply(encode_message(Idle(reader.source, self.offsets[partition])), now)


_HONEST: Final = Subject("churn", "1")


def measure(plans: PlanBook, log: dict[str, Any], *, by_broker: bool) -> str:
    """One cell of the table."""
    line, encode = Pipeline(plans), msgspec.json.encode
    start = int(log["came"][0])
    silent_at = [start + _IDLE_MS] * _PARTITIONS
    kind = LOG_APPEND_TIME if by_broker else 0
    waiting: list[list[FileRecord]] = [[] for _ in range(_PARTITIONS)]
    due = [0] * _PARTITIONS

    def deliver(until: int) -> None:
        for p in sorted(range(_PARTITIONS), key=due.__getitem__):
            if waiting[p] and due[p] <= until:
                line.add(p, waiting[p], due[p])
                silent_at[p] = due[p] + _IDLE_MS
                waiting[p] = []
        while (at := min(silent_at)) <= until:
            p = silent_at.index(at)
            if not waiting[p]:
                line.fall_idle(p, at)
            silent_at[p] += _IDLE_MS

    count = [0] * _PARTITIONS
    columns = (log[name].tolist() for name in ("came", "time", "made", "partition", "honest"))
    for came, time, made, p, honest in zip(*columns, strict=True):
        deliver(came)
        event = {
            "model": {"name": "churn" if honest else "fraud", "version": "1"},
            "timestamp": time,
            "features": {"x": 0.5},
        }
        if not waiting[p]:
            due[p] = came + _FETCH_MS
        stamp = came if by_broker else made
        waiting[p].append(FileRecord(count[p], stamp, encode(event), timestamp_type=kind))
        count[p] += 1
    end = int(log["came"][-1])
    deliver(end + _FETCH_MS)
    held = line.monitor.subjects.get(_HONEST)
    late = held.late_total if held else 0
    panes = np.unique(log["time"][log["honest"]] // PANE_MS * PANE_MS).tolist()
    waits = sorted(
        (line.sealed.get(pane, math.inf) - pane - PANE_MS) / 1e3
        for pane in panes
        if pane in line.sealed or pane + PANE_MS < end - 90_000
    )
    said = [
        waits[min(len(waits) - 1, int(q * len(waits)))] if waits else math.inf for q in (0.5, 0.99)
    ]
    share = 100.0 * late / max(1, int(log["honest"].sum()))
    shown = "/".join(
        "-" if s == math.inf else f"{s:.1f}" if s < 99.95 else f"{s:.0f}" for s in said
    )
    return f"{share:.1f} % {shown}"


def make_plans() -> PlanBook:
    """Two models, panes of 10 s, lateness of 5 s, and no window that ever closes."""
    plans = PlanBook()
    for model in ("churn", "fraud"):
        reference = fit_reference({"x": np.random.default_rng(5).normal(size=2_000)}, model=model)
        plans.add(
            Plan(
                model=model,
                reference=reference,
                pane_ms=PANE_MS,
                lateness_ms=5_000,
                window_events=10**9,
            )
        )
    return plans


def main(wanted: str = "") -> None:
    """Print the table, a row as it is measured."""
    logging.disable(logging.CRITICAL)
    plans = make_plans()
    heads = [
        f"{kind}, {rate:g}/s" for kind in ("broker's times", "producers'") for rate, *_ in RATES
    ]
    print("| | " + " | ".join(heads) + " |")
    print("|---|" + "---|" * 2 * len(RATES))
    for name, wrong in ROWS:
        if wanted in name:
            logs = [events(7, *rate, **wrong) for rate in RATES]
            cells = [measure(plans, log, by_broker=b) for b in (True, False) for log in logs]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
