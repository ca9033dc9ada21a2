"""Law 3, restart invariance: crashes, zombies, duplicates and broken-off rounds change nothing.

Two dozen long runs, and 150 short ones with 20 faults and more; DRIFTSTREAM_SIMULATIONS names
another number of short ones. Half of the worlds have idle partitions, a third a plan that is
replaced while they run, a quarter a source topic that is deleted and made again.
"""

from __future__ import annotations

import os

import msgspec
import pytest

from stream.stage2.monitor import PartitionMonitor
from stream.stage2.snapshot import SnapshotWriter, best_snapshot
from tests.simulation.scenario import (
    BROKEN,
    LATENESS_S,
    LONG,
    MODELS,
    PANE_S,
    SHORT,
    Plans,
    Scenario,
    arrivals,
    outcome,
    run,
)
from tests.simulation.truth import DENSE, FAULTS, check, truth
from tests.simulation.world import World

BLOCK = 50
BLOCKS = -(-int(os.environ.get("DRIFTSTREAM_SIMULATIONS", "150")) // BLOCK)


@pytest.mark.parametrize("block", range(4))
def test_faults_change_no_alert_and_no_total(block: int) -> None:
    for seed in range(block * 6, block * 6 + 6):
        scenario = LONG(seed)
        world, made = run(scenario, seed, faults=FAULTS)
        assert made
        check(world, truth(scenario))
        assert truth(scenario).alerts, "there must be alerts, or nothing is compared"


@pytest.mark.parametrize("block", range(BLOCKS))
def test_many_faults_in_little_time_change_nothing_either(block: int) -> None:
    n_faults = 0
    for seed in range(1_000 + block * BLOCK, 1_000 + block * BLOCK + BLOCK):
        world, made = run(SHORT(seed), seed, **DENSE)
        check(world, truth(SHORT(seed)))
        n_faults += len(made)
    assert n_faults > 20 * BLOCK


def recounted(n_events: int, stream: int) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    """Events by (model, segment), and late ones by model, straight from the logs of partitions.

    An event is late if its pane was over when it came into its partition, by the events before it
    and the broker's clock. Law 8: none is that is not later than the lateness.
    """
    counted: dict[tuple[str, str], int] = {}
    late = dict.fromkeys(MODELS, 0)
    newest: dict[int, int] = {}
    for i, (partition, value, came_ms, _) in enumerate(arrivals(n_events, stream)):
        if value == BROKEN:
            continue
        event = msgspec.json.decode(value)
        model, at = event["model"]["name"], event["timestamp"] - 1_000_000
        if at > i + 60:
            continue  # its clock is wrong
        came = came_ms / 1000 - 1_000_000
        newest[partition] = max(newest.get(partition, float("-inf")), min(at, came))
        if at - at % PANE_S + PANE_S <= newest[partition] - LATENESS_S:
            assert came - at > LATENESS_S
            late[model] += 1
        else:
            for segment in ("", "region=" + event["segments"]["region"]):
                counted[model, segment] = counted.get((model, segment), 0) + 1
    return counted, late


@pytest.mark.parametrize("seed", range(3))
def test_every_event_is_counted_once_or_late(seed: int) -> None:
    plans = Plans(window_events=10**9)
    world, _ = run(Scenario(720, seed), seed, faults=FAULTS, plans=plans)
    counted, late = recounted(720, seed)
    assert min(late.values()) > 0
    got = outcome(world)
    assert {subject.model: n for subject, n in got.late.items()} == late
    for subject, (_, windows, _) in got.states.items():
        for segment, counts in windows.items():
            assert counts[0] == counted.pop((subject.model, segment))
    assert not counted


def events_of_an_upload(seed: int) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    """Events by (model, segment), and late ones by model, as both stages count them.

    Everything was sent to all partitions at once, when each had long been idle.
    """
    plans = Plans(window_events=10**9)
    scenario = Scenario(360, seed, idleness=True, at_once=True)
    got = outcome(run(scenario, seed, faults=FAULTS, plans=plans)[0])
    counted = {
        (subject.model, segment): int(counts[0])
        for subject, (_, windows, _) in got.states.items()
        for segment, counts in windows.items()
    }
    return counted, {subject.model: n for subject, n in got.late.items()}


@pytest.mark.parametrize("seed", range(3))
def test_what_comes_to_all_partitions_at_once_after_a_silence_is_counted(seed: int) -> None:
    """The first that is read must not make late what the others have."""
    assert events_of_an_upload(seed) == recounted(360, seed)


def run_with_resets(seed: int, plans: Plans) -> World:
    """A run in which somebody sets the group's offsets back at rebalances."""
    scenario = Scenario(SHORT(seed).n_events, seed % 6)
    world, _ = run(scenario, seed, faults=FAULTS, most=5, plans=plans, resets=True)
    return world


def test_offsets_that_were_set_back_by_hand_count_no_event_twice() -> None:
    """Chunks cut anew inside accepted ones are refused: events may be missing, never twice."""
    plans = Plans(window_events=10**9)
    losses = 0
    for seed in range(10):
        got = outcome(run_with_resets(seed, plans))
        counted, _ = recounted(SHORT(seed).n_events, seed % 6)
        for subject, (_, windows, _) in got.states.items():
            for segment, counts in windows.items():
                assert counts[0] <= counted[subject.model, segment]
        losses += got.declared_loss
    assert losses


def test_summaries_that_were_deleted_before_they_were_read_are_a_declared_loss() -> None:
    scenario = SHORT(1)
    world, _ = run(scenario, 1, faults=0)
    log = max(world.summaries, key=lambda log: log.end)
    monitor = PartitionMonitor(world.plans[0])
    for record in log.records[:10]:
        monitor.apply(record.offset, record.value, record.timestamp)
    planned = monitor.take_round(SnapshotWriter(0, "w"))
    found = best_snapshot(0, [*planned.blocks, planned.manifest])
    restored = PartitionMonitor(world.plans[0])
    restored.restore(*found)
    assert not restored.sources.declared_loss
    for record in log.records[14:]:
        restored.apply(record.offset, record.value, record.timestamp)
    assert restored.sources.declared_loss == 1
    assert restored.fence == log.end
