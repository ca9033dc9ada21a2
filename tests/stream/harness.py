"""Both stages joined over any number of partitions, for tests of the laws."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import numpy as np

from detectors import fit_reference
from stream.decode.native import NativeDecoder
from stream.monitor import PartitionMonitor
from stream.plan import Plan, PlanBook, SignalOptions
from stream.replay import FileRecord
from stream.summarise import Summariser
from stream.summary import Source

START_S = 1_000_000


def make_reference(model: str = "fraud", seed: int = 5, n: int = 3_000) -> Any:
    rng = np.random.default_rng(seed)
    data = {
        "x": rng.normal(size=n),
        "z": np.where(rng.random(n) < 0.02, np.nan, rng.lognormal(size=n)),
        "c": rng.choice(["a", "b", "d"], n, p=[0.5, 0.3, 0.2]).tolist(),
        "score": rng.random(n),
    }
    return fit_reference(
        data, model=model, version="", roles={"score": "score"}, times_ms=None, segments=()
    )


def make_plan(**changes: Any) -> Plan:
    settings: dict[str, Any] = {
        "model": "fraud",
        "segments": ("region",),
        "window_events": 200,
        "window_min_events": 100,
        "false_alarms_per_week": 200.0,
        "signals": {"x": SignalOptions(importance=0.7)},
    } | changes
    if "reference" not in settings:
        settings["reference"] = make_reference(settings["model"])
    return Plan(**settings)


def make_events(seed: int, n: int, *, drift_at: int | None = None) -> list[bytes]:
    """One event a second, in order; x moves by one standard deviation at `drift_at`."""
    rng = random.Random(seed)
    events = []
    for i in range(n):
        moved = drift_at is not None and i >= drift_at
        event = {
            "model": {"name": "fraud", "version": "1"},
            "timestamp": START_S + i,
            "features": {
                "x": rng.gauss(1.0 if moved else 0.0, 1.0),
                "z": rng.lognormvariate(0.0, 1.0) if rng.random() > 0.02 else None,
                "c": rng.choices("abd", (5, 3, 2))[0],
            },
            "prediction": {"score": rng.random()},
            "segments": {"region": rng.choice(("eu", "us"))},
        }
        events.append(msgspec.json.encode(event))
    return events


def run_stages(
    plans: PlanBook, events: list[bytes], *, partitions: int, seed: int, chunk_records: int = 128,
    snapshot_every: float = 0.0,
) -> tuple[list[dict], PartitionMonitor]:  # fmt: skip
    """Deal events over partitions, read them in random polls, and monitor the result.

    With `snapshot_every`, the monitor is dumped and loaded into a new one at that rate of records.
    """
    rng = random.Random(seed)
    logs: list[list[FileRecord]] = [[] for _ in range(partitions)]
    for i, value in enumerate(events):
        log = logs[rng.randrange(partitions)]
        log.append(FileRecord(len(log), (START_S + i) * 1000, value))
    readers = [
        Summariser(
            Source("id", "predictions", p, partitions), plans, NativeDecoder(plans),
            chunk_records=chunk_records,
        )
        for p in range(partitions)
    ]  # fmt: skip
    at = [0] * partitions
    monitor = PartitionMonitor(plans)
    alerts: list[dict] = []
    offset = 0

    def apply(value: bytes) -> None:
        nonlocal offset, monitor
        for alert in monitor.apply(offset, value, 0, plans_current=True):
            plain = msgspec.to_builtins(alert)
            plain["data"].pop("offsets")
            alerts.append(plain)
        offset += 1
        if rng.random() < snapshot_every:
            monitor = reloaded(monitor, plans)

    while any(at[p] < len(logs[p]) for p in range(partitions)):
        p = rng.choice([p for p in range(partitions) if at[p] < len(logs[p])])
        size = rng.randint(1, 100)
        for flush in readers[p].add(logs[p][at[p] : at[p] + size]):
            for _, value in flush.summaries:
                apply(value)
            apply(flush.progress)
        at[p] += size
    for reader in readers:
        if last := reader.flush_idle():
            for _, value in last.summaries:
                apply(value)
            apply(last.progress)
    for alert in monitor.seal_all():
        plain = msgspec.to_builtins(alert)
        plain["data"].pop("offsets")
        alerts.append(plain)
    return alerts, monitor


def reloaded(monitor: PartitionMonitor, plans: PlanBook) -> PartitionMonitor:
    """A monitor restored from a snapshot round of this one."""
    from stream.snapshot import SnapshotWriter, best_snapshot

    writer = SnapshotWriter(0, "test")
    monitor._round_fence = -1
    planned = monitor.take_round(writer)
    assert planned is not None
    found = best_snapshot(0, [*planned.blocks, planned.manifest])
    assert found is not None
    fresh = PartitionMonitor(plans)
    fresh.restore(*found)
    return fresh
