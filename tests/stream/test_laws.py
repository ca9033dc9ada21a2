"""The laws of docs/architecture.md over the real stages: partitions, chunks, snapshots, replay."""

from __future__ import annotations

import msgspec
import pytest

from stream.plan import PlanBook, Subject
from stream.replay import FileRecord, Replay
from tests.stream.harness import START_S, make_events, make_plan, run_stages

N = 2_500


@pytest.fixture(scope="module")
def plans() -> PlanBook:
    book = PlanBook()
    book.add(make_plan())
    return book


@pytest.fixture(scope="module")
def drifting() -> list[bytes]:
    return make_events(11, N, drift_at=N // 2)


@pytest.fixture(scope="module")
def truth(plans, drifting):
    alerts, monitor = run_stages(plans, drifting, partitions=1, seed=0)
    assert alerts, "the stream must raise alerts, or nothing is compared"
    return alerts, state_of(monitor)


def state_of(monitor):
    held = monitor.subjects[Subject("fraud", "1")]
    watch = held.watch
    windows = {s: w.counts.tolist() for s, w in watch.windows.filling.items()}
    last = {s: w.counts.tolist() for s, w in watch.windows.last.items()}
    return held.panes_sealed, windows, last, watch.adwin.dump(), held.episodes.dump()


@pytest.mark.parametrize("partitions", [1, 3, 8])
@pytest.mark.parametrize("seed", range(4))
def test_partitions_and_polls_change_no_bit(plans, drifting, truth, partitions, seed):
    alerts, monitor = run_stages(
        plans, drifting, partitions=partitions, seed=seed, chunk_records=(64, 128, 400)[seed % 3]
    )
    assert alerts == truth[0]
    assert state_of(monitor) == truth[1]


@pytest.mark.parametrize("seed", range(3))
def test_a_snapshot_at_any_point_changes_nothing(plans, drifting, truth, seed):
    alerts, monitor = run_stages(plans, drifting, partitions=3, seed=seed, snapshot_every=0.15)
    assert alerts == truth[0]
    assert state_of(monitor) == truth[1]


def test_replay_of_a_file_decides_the_same(plans, drifting, truth):
    records = (FileRecord(i, (START_S + i) * 1000, v) for i, v in enumerate(drifting))
    alerts = []
    for alert in Replay(plans).run(records):
        plain = msgspec.to_builtins(alert)
        plain["data"].pop("offsets")
        alerts.append(plain)
    assert alerts == truth[0]


def test_drift_opens_an_episode_that_names_its_signal_after_the_change(truth):
    first = truth[0][0]["data"]
    assert first["status"] == "firing"
    assert first["labels"]["kind"] == "data_drift"
    assert first["signals"][0]["name"] == "x"
    seconds = msgspec.convert(truth[0][0]["time"], __import__("datetime").datetime).timestamp()
    assert START_S + N // 2 < seconds < START_S + N // 2 + 450


def test_no_drift_no_alert(plans):
    book = PlanBook()
    book.add(make_plan(false_alarms_per_week=1.0))
    alerts, monitor = run_stages(book, make_events(3, N), partitions=2, seed=1)
    assert alerts == []
    assert monitor.subjects[Subject("fraud", "1")].panes_sealed == N // 10
