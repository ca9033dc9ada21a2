"""Law 3, restart invariance: crashes, zombies, duplicates and partial snapshots change nothing."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest

from detectors import fit_reference
from stream.monitor import PartitionMonitor
from stream.plan import Plan, PlanBook, Subject, SignalOptions
from stream.snapshot import best_snapshot
from tests.simulation.cluster import Log, Stage2, World, drive

N_EVENTS = 900
MODELS = ("fraud", "churn")


@pytest.fixture(scope="module")
def plans() -> PlanBook:
    rng = np.random.default_rng(5)
    book = PlanBook()
    for model in MODELS:
        data = {"x": rng.normal(size=2_000), "c": rng.choice(["a", "b", "d"], 2_000).tolist()}
        reference = fit_reference(
            data, model=model, version="", roles={}, times_ms=None, segments=()
        )
        book.add(
            Plan(
                model=model, reference=reference, segments=("region",), window_events=100,
                window_min_events=50, false_alarms_per_week=500.0, lateness_ms=5_000,
                signals={"x": SignalOptions(importance=0.7)},
            )
        )  # fmt: skip
    return book


def events(seed: int, partitions: int) -> list[Log]:
    """Two models; x drifts half-way; a few events late, some far too late, some broken."""
    rng = random.Random(seed)
    logs = [Log() for _ in range(partitions)]
    for i in range(N_EVENTS):
        at = 1_000_000 + i
        if rng.random() < 0.1:
            at -= rng.choice((1, 2, 4, 30))
        drifted = i > N_EVENTS // 2
        event = {
            "model": {"name": rng.choice(MODELS), "version": "1"},
            "timestamp": at,
            "features": {"x": rng.gauss(1.5 if drifted else 0.0, 1.0), "c": rng.choice("abd")},
            "segments": {"region": rng.choice(("eu", "us"))},
        }
        value = b"{broken" if rng.random() < 0.01 else msgspec.json.encode(event)
        logs[rng.randrange(partitions)].append(None, value, (1_000_000 + i) * 1000)
    return logs


def outcome(world: World, plans: PlanBook) -> tuple[dict, dict]:
    """Alerts by (episode, revision), without offsets, and every subject's state at the end."""
    alerts: dict = {}
    for alert in world.alerts:
        if alert.data.labels.kind == "system":
            continue  # what it says is how the pipeline ran: outside the laws
        plain = msgspec.to_builtins(alert)
        plain["data"].pop("offsets")
        held = alerts.setdefault((alert.data.episode, alert.data.revision), plain)
        assert held == plain, "one revision of an episode said two things"
    states = {}
    for partition in range(world.n_summaries):
        stored = [(r.key, r.value) for r in world.state[partition].records]
        monitor = PartitionMonitor(plans)
        if found := best_snapshot(partition, stored):
            monitor.restore(*found)
        for record in world.summaries[partition].records:
            monitor.apply(record.offset, record.value, record.timestamp)
        for subject, held in monitor.subjects.items():
            assert held.watch is not None
            windows = {s: w.counts.tolist() for s, w in held.watch.windows.filling.items()}
            states[subject] = (held.panes_sealed, held.late_total, windows, held.frontier_ms)
    return alerts, states


def run(plans: PlanBook, seed: int, *, faults: bool, partitions: int = 3, **mutations):
    world = World(plans, events(seed % 7, partitions), **mutations)
    made = list(drive(world, random.Random(seed), faults=faults))
    return world, made


@pytest.fixture(scope="module")
def truth(plans):
    cache: dict = {}

    def of(seed: int):
        if seed % 7 not in cache:
            world, made = run(plans, seed, faults=False)
            assert not made
            cache[seed % 7] = outcome(world, plans)
        return cache[seed % 7]

    return of


@pytest.mark.parametrize("block", range(10))
def test_faults_change_no_alert_and_no_total(plans, truth, block):
    for seed in range(block * 12, block * 12 + 12):
        world, made = run(plans, seed, faults=True)
        assert made
        expected = truth(seed)
        assert expected[0], "the stream must raise alerts, or nothing is compared"
        assert outcome(world, plans) == expected, f"seed {seed}: {made}"
