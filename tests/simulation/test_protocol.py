"""Law 3, restart invariance: crashes, zombies, duplicates and broken-off rounds change nothing.

Every rule that is broken on purpose has to be found out by some seed: the simulation has teeth.
"""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest

from detectors import fit_reference
from stream.monitor import PartitionMonitor
from stream.panes import ACCEPTED, PaneStore
from stream.plan import Plan, PlanBook, SignalOptions
from stream.snapshot import best_snapshot
from tests.simulation.cluster import drive
from tests.simulation.world import MUTATIONS, World

N_EVENTS = 720
N_STREAMS = 6
MODELS = ("fraud", "churn")
LATENESS_S = 5
FAULTS = 0.03


def make_plans(**changes) -> PlanBook:
    rng = np.random.default_rng(5)
    book = PlanBook()
    for model in MODELS:
        data = {"x": rng.normal(size=2_000), "c": rng.choice(["a", "b", "d"], 2_000).tolist()}
        reference = fit_reference(
            data, model=model, version="", roles={}, times_ms=None, segments=()
        )
        settings = {
            "window_events": 100, "window_min_events": 50, "false_alarms_per_week": 500.0,
        } | changes  # fmt: skip
        book.add(
            Plan(
                model=model, reference=reference, segments=("region",),
                lateness_ms=LATENESS_S * 1000, signals={"x": SignalOptions(importance=0.7)},
                **settings,
            )
        )  # fmt: skip
    return book


@pytest.fixture(scope="module")
def plans() -> PlanBook:
    return make_plans()


def arrivals(seed: int, partitions: int = 3) -> list[tuple[int, bytes]]:
    """Two models; x drifts half-way; a few events late, some too late, some broken.

    The last partition falls silent twice. What it has when it wakes is no later than the lateness
    allows, since others went on without it.
    """
    rng = random.Random(seed)
    events = []
    for i in range(N_EVENTS):
        partition = rng.randrange(partitions)
        if partition == partitions - 1 and (i // 120) % 2:
            partition = rng.randrange(partitions - 1)
        at = 1_000_000 + i
        if rng.random() < 0.1:
            at -= rng.choice((1, 2, 4) if partition == partitions - 1 else (1, 2, 4, 30))
        event = {
            "model": {"name": rng.choice(MODELS), "version": "1"},
            "timestamp": at,
            "features": {
                "x": rng.gauss(1.5 if i > N_EVENTS // 2 else 0.0, 1.0), "c": rng.choice("abd"),
            },
            "segments": {"region": rng.choice(("eu", "us"))},
        }  # fmt: skip
        value = b"{broken" if rng.random() < 0.01 else msgspec.json.encode(event)
        events.append((partition, value))
    return events


def outcome(world: World) -> tuple[dict, dict, dict]:
    """Alerts by (episode, revision), without offsets, and the state of every subject at the end.

    Which partition was the last not to be idle is chance, so all panes are sealed.
    """
    alerts: dict = {}
    states, late = {}, {}
    said = list(world.alerts)
    for partition, log in enumerate(world.summaries):
        monitor = PartitionMonitor(world.plans)
        stored = [(r.key, r.value) for r in world.state[partition].records]
        if found := best_snapshot(partition, stored):
            monitor.restore(*found)
        for record in log.read(log.begin, len(log.records)):
            said += monitor.apply(record.offset, record.value, record.timestamp)
        said += monitor.seal_all()
        for subject, held in monitor.subjects.items():
            assert held.watch is not None
            windows = {s: w.counts.tolist() for s, w in held.watch.windows.filling.items()}
            adwin = held.watch.adwin.dump()
            states[subject] = held.panes_sealed, windows, adwin
            late[subject] = held.late_total
        assert "shrunk" not in monitor.refused
    for alert in said:
        if alert.data.labels.kind == "system":
            continue  # what it says is how the pipeline ran: outside the laws
        plain = msgspec.to_builtins(alert)
        plain["data"].pop("offsets")
        held = alerts.setdefault((alert.data.episode, alert.data.revision), plain)
        assert held == plain, "one revision of an episode said two things"
    return alerts, states, late


def run(plans: PlanBook, seed: int, *, faults: float, mutations=()) -> tuple[World, list[str]]:
    idleness = "idle without a look at the end" in mutations or seed % 2 == 0
    world = World(plans, arrivals(seed % N_STREAMS), mutations=mutations, idleness=idleness)
    return world, list(drive(world, random.Random(seed), faults=faults))


@pytest.fixture(scope="module")
def truth(plans):
    cache: dict = {}

    def of(seed: int):
        if seed % N_STREAMS not in cache:
            world, made = run(plans, seed, faults=0)
            assert not made
            cache[seed % N_STREAMS] = outcome(world)
            assert cache[seed % N_STREAMS][0], "there must be alerts, or nothing is compared"
        return cache[seed % N_STREAMS]

    return of


def check(world: World, expected: tuple[dict, dict, dict]) -> None:
    """The same alerts and states, and the same late events.

    A chunk that is read again after its partition was called idle names once more what idleness
    had sealed; stage 2 cannot tell it from late events and may count some more.
    """
    alerts, states, late = outcome(world)
    assert alerts == expected[0]
    assert states == expected[1]
    if world.idleness:
        assert all(late[subject] >= n for subject, n in expected[2].items())
    else:
        assert late == expected[2]


@pytest.mark.parametrize("block", range(12))
def test_faults_change_no_alert_and_no_total(plans, truth, block):
    for seed in range(block * 10, block * 10 + 10):
        world, made = run(plans, seed, faults=FAULTS)
        assert made
        check(world, truth(seed))


def test_without_faults_every_event_is_counted_once_or_late():
    """Against a recount: an event is late if its pane was over when it came into its partition."""
    plans = make_plans(window_events=10**9)
    world, _ = run(plans, 3, faults=FAULTS)  # without idleness
    counted: dict[tuple[str, str], int] = {}
    late = dict.fromkeys(MODELS, 0)
    newest: dict[int, int] = {}
    for partition, value in arrivals(3):
        if value == b"{broken":
            continue
        event = msgspec.json.decode(value)
        model, at = event["model"]["name"], event["timestamp"]
        newest[partition] = max(newest.get(partition, 0), at)
        if at - at % 10 + 10 <= newest[partition] - LATENESS_S:
            late[model] += 1
        else:
            for segment in ("", "region=" + event["segments"]["region"]):
                counted[model, segment] = counted.get((model, segment), 0) + 1
    assert min(late.values()) > 0
    _, states, told = outcome(world)
    assert {subject.model: n for subject, n in told.items()} == late
    for subject, (_, windows, _) in states.items():
        for segment, counts in windows.items():
            assert counts[0] == counted.pop((subject.model, segment))
    assert not counted


def is_found_out(plans, truth, seeds, mutations=()) -> bool:
    """Whether some seed shows another outcome, or state that no correct run can have."""
    for seed in seeds:
        expected = truth(seed)
        world, _ = run(plans, seed, faults=FAULTS, mutations=mutations)
        try:
            check(world, expected)
        except AssertionError:
            return True
    return False


def test_an_unbroken_protocol_is_not_found_out(plans, truth):
    assert not is_found_out(plans, truth, range(500, 510))


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_broken_rule_is_found_out(plans, truth, mutation):
    assert is_found_out(plans, truth, range(500, 520), [mutation])


def test_summaries_that_add_within_a_chunk_are_found_out(plans, truth, monkeypatch):
    truth(500)

    def add(self, partition, chunk, through, segment, pane_ms, counts, width):
        del width
        held = self._panes.setdefault(pane_ms, {}).setdefault(segment, {})
        if partition in held:
            held[partition].closed.append(counts)
        else:
            offer(self, partition, chunk, through, segment, pane_ms, counts, 10**6)
        return ACCEPTED

    offer = PaneStore.offer
    monkeypatch.setattr(PaneStore, "offer", add)
    assert is_found_out(plans, truth, [500])
