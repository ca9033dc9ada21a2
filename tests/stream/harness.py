"""Both stages joined over any number of partitions, for tests of the laws."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from detectors import OutcomeOptions, fit_reference
from detectors.references.segments import Segment, columns_of_segments
from stream.contracts.alert_event import AlertEvent
from stream.contracts.summary_message import Source
from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook, SignalOptions
from stream.replay import Replay
from stream.report import ReplayRecorder
from stream.stage1.summarise import Flush, Summariser
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.snapshot import SnapshotWriter, best_snapshot

START_S = 1_000_000
#: Values of the segments of events.
SEGMENTS = {"region": ("eu", "us"), "age": ("-60", "60+")}


def make_reference(
    model: str = "fraud",
    seed: int = 5,
    n: int = 3_000,
    *,
    outcomes: bool = False,
    protected: Sequence[Segment] = (),
) -> Any:
    rng = np.random.default_rng(seed)
    data = {
        "x": rng.normal(size=n),
        "z": np.where(rng.random(n) < 0.02, np.nan, rng.lognormal(size=n)),
        "c": rng.choice(["a", "b", "d"], n, p=[0.5, 0.3, 0.2]).tolist(),
        "score": rng.random(n),
    }
    if outcomes:
        came = np.random.default_rng(seed + 1).random(n) < data["score"]
        data["actual"] = np.where(came, "yes", "no").tolist()
    options = OutcomeOptions()
    if protected:
        for at, column in enumerate(columns_of_segments(protected)):
            values = np.random.default_rng(seed + 2 + at).choice(SEGMENTS[column], n)
            data[column] = values.tolist()
        options = OutcomeOptions(protected=tuple(protected))
    roles = {name: name for name in ("score", "actual") if name in data}
    return fit_reference(
        data, model=model, version="", roles=roles, times_ms=None, segments=(), outcome=options
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


def make_events(
    seed: int,
    n: int,
    *,
    drift_at: int | None = None,
    outcomes: bool = False,
    unequal: bool = False,
    ages: bool = False,
) -> list[bytes]:
    """One event a second, in order; x moves by one standard deviation at `drift_at`.

    With `outcomes` most events have the truth, which from then on is the opposite of the score.
    With `unequal` scores of the region `us` are halved from then on. With `ages` events have a
    second segment.
    """
    rng, truth, age = (random.Random(seed + k) for k in range(3))
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
            "segments": {"region": rng.choice(SEGMENTS["region"])},
        }
        if ages:
            event["segments"]["age"] = age.choice(SEGMENTS["age"])
        if unequal and moved and event["segments"]["region"] == "us":
            event["prediction"]["score"] /= 2.0
        if outcomes and truth.random() < 0.9:
            came = (truth.random() < event["prediction"]["score"]) != moved
            event["actual"] = "yes" if came else "no"
        events.append(msgspec.json.encode(event))
    return events


def deal(events: list[bytes], partitions: int, seed: int) -> list[list[FileRecord]]:
    """Events at random over the logs of partitions, in order, one a second."""
    rng = random.Random(seed)
    logs: list[list[FileRecord]] = [[] for _ in range(partitions)]
    for i, value in enumerate(events):
        log = logs[rng.randrange(partitions)]
        log.append(FileRecord(len(log), (START_S + i) * 1000, value))
    return logs


def plain_alert(alert: AlertEvent) -> dict[str, Any]:
    """An alert without the offsets, which depend on how events were dealt over partitions."""
    plain: dict[str, Any] = msgspec.to_builtins(alert)
    plain["data"].pop("offsets")
    return plain


def run_stages(
    plans: PlanBook,
    events: list[bytes],
    *,
    partitions: int,
    seed: int,
    chunk_records: int = 128,
    snapshot_every: float = 0.0,
    dealt: int | None = None,
    release_every: float = 0.0,
) -> tuple[list[dict[str, Any]], PartitionMonitor]:
    """Read dealt events in random polls, partitions in random turns, and monitor the result.

    With `snapshot_every`, the monitor is dumped and loaded into a new one at that rate of records.
    `dealt` seeds the dealing alone. With `release_every`, idle subjects are evicted, twice in a
    row so that all are idle.
    """
    rng = random.Random(seed)
    logs = deal(events, partitions, seed if dealt is None else dealt)
    readers = [
        Summariser(
            Source("id", "predictions", p, partitions),
            plans,
            NativeDecoder(plans),
            chunk_records=chunk_records,
        )
        for p in range(partitions)
    ]
    at = [0] * partitions
    monitor = PartitionMonitor(plans)
    alerts: list[dict[str, Any]] = []
    offset = 0

    def apply(flush: Flush) -> None:
        nonlocal offset, monitor
        for value in (*(value for _, value in flush.summaries), flush.progress):
            alerts.extend(map(plain_alert, monitor.apply(offset, value, 0, plans_current=True)))
            offset += 1
            if rng.random() < release_every:
                monitor.release_idle()
                monitor.release_idle()
            if rng.random() < snapshot_every:
                monitor = reloaded(monitor, plans)

    while unread := [p for p in range(partitions) if at[p] < len(logs[p])]:
        p = rng.choice(unread)
        size = rng.randint(1, 100)
        for flush in readers[p].add(logs[p][at[p] : at[p] + size]):
            apply(flush)
        at[p] += size
    for reader in readers:
        if last := reader.flush_idle():
            apply(last)
    alerts.extend(map(plain_alert, monitor.seal_all()))
    return alerts, monitor


def reloaded(monitor: PartitionMonitor, plans: PlanBook) -> PartitionMonitor:
    """A monitor restored from a snapshot round of this one."""
    monitor._round_fence = -1
    planned = monitor.take_round(SnapshotWriter(0, "test"))
    assert planned is not None
    found = best_snapshot(0, [*planned.blocks, planned.manifest])
    assert found is not None
    fresh = PartitionMonitor(plans)
    fresh.restore(*found)
    return fresh


def replayed(plan: Plan, events: Iterable[bytes]) -> tuple[ReplayRecorder, Replay]:
    """A replay of events under one plan, and what a report of it is made from."""
    book = PlanBook()
    book.add(plan)
    recorder = ReplayRecorder()
    replay = Replay(book, on_window=recorder.window)
    recorder.follow(replay.monitor)
    for alert in replay.run(FileRecord(i, 0, value) for i, value in enumerate(events)):
        recorder.alert(alert)
    return recorder, replay
