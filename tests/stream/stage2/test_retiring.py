"""Versions end: not heard for long, or one too many; others are watched as if nothing had been."""

from __future__ import annotations

import random

import msgspec
import pytest

from stream.plans.plan import Plan, PlanError, Subject
from stream.stage1.versions import OTHER_VERSION
from stream.stage2 import monitor as module
from stream.stage2.health import VERSIONS
from stream.stage2.lifetime import FOLDED_EPISODE_ENDS_MS
from stream.stage2.version_bound import gives_way
from tests.stream.harness import (
    START_S,
    make_events,
    make_plan,
    make_reference,
    plain_alert,
    run_stages,
)
from tests.stream.stage2.test_monitor import Reader, restored, state_of

HOUR_MS = 3_600_000
REFERENCE = make_reference()


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(reference=REFERENCE, segments=(), retire_after_ms=HOUR_MS)


def version(name: str) -> Subject:
    return Subject("fraud", name)


def relabelled(events: list[bytes], name: str, shift_s: int = 0) -> list[bytes]:
    """The events as of another version and time."""
    changed = []
    for value in events:
        event = msgspec.json.decode(value)
        event["model"]["version"] = name
        event["timestamp"] += shift_s
        changed.append(msgspec.json.encode(event))
    return changed


def of_version(alerts, name):
    return [one for one in alerts if one["data"]["labels"]["model_version"] == name]


# ---- by time


def gap(name: str = "1", after_s: int = 5_000) -> list[bytes]:
    """A version that drifts, is gone for longer than an hour, and comes back; another all along."""
    first = relabelled(make_events(1, 1_500, drift_at=700), name)
    second = relabelled(make_events(2, 1_500, drift_at=700), name, 1_500 + after_s)
    between = relabelled(make_events(3, 1_500 + after_s + 1_500), "other")
    return sorted(first + second + between, key=lambda e: msgspec.json.decode(e)["timestamp"])


def _second(value: bytes) -> int:
    return msgspec.json.decode(value)["timestamp"] - START_S


@pytest.fixture(scope="module")
def undisturbed(plan):
    reader = Reader(plan)
    return run_stages(reader.book, gap(), partitions=1, seed=0)


def test_a_version_unheard_is_forgotten_and_begins_anew(plan, undisturbed):
    alerts, _ = undisturbed
    mine = of_version(alerts, "1")
    ends = [a for a in mine if "retired after" in a["data"]["annotations"]["summary"]]
    assert len(ends) == 1
    assert ends[0]["data"]["status"] == "resolved"
    assert ends[0]["time"] == "1970-01-12T15:11:40.000Z"  # the last pane's end and an hour
    # What follows is what a monitor finds that never knew the version.
    unknown = [
        e if _second(e) > 4_000 else e.replace(b'"version":"1"', b'"version":"2"') for e in gap()
    ]
    alone, _ = run_stages(Reader(plan).book, unknown, partitions=1, seed=0)
    alone = of_version(alone, "1")
    later = mine[mine.index(ends[0]) + 1 :]
    assert alone
    assert later == alone


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("partitions", "snapshots", "releases"), [(1, 0.2, 0.0), (3, 0.1, 0.1), (8, 0.0, 0.3)]
)
def test_it_ends_at_the_same_time_however_it_is_read(
    plan, undisturbed, partitions, snapshots, releases, seed
):
    """`deal` gives each partition the order of the log, so nothing is late."""
    alerts, monitor = run_stages(
        Reader(plan).book,
        gap(),
        partitions=partitions,
        seed=seed,
        snapshot_every=snapshots,
        release_every=releases,
    )
    key = msgspec.json.encode
    kept = [a for a in alerts if a["data"]["labels"]["kind"] != "system"]
    wanted = [a for a in undisturbed[0] if a["data"]["labels"]["kind"] != "system"]
    assert sorted(map(key, kept)) == sorted(map(key, wanted))
    assert not monitor.refused


@pytest.mark.parametrize(("name", "own"), [("", False), ("1", True)])
def test_neither_the_nameless_version_nor_one_with_a_plan_of_its_own_ends(plan, name, own):
    plans = [plan]
    if own:
        plans.append(
            make_plan(reference=REFERENCE, segments=(), version=name, retire_after_ms=HOUR_MS)
        )
    alerts, monitor = run_stages(Reader(*plans).book, gap(name), partitions=1, seed=0)
    mine = of_version(alerts, name)
    assert mine
    assert not [a for a in mine if "retired" in a["data"]["annotations"]["summary"]]
    assert monitor.retired == {}


def test_a_version_that_does_not_come_back_is_gone_from_the_snapshot(plan):
    reader = Reader(plan)
    reader.events(1_000_000, subject=version("old"))
    reader.events(1_000_000, subject=version("new"))
    reader.progress(1_020_000)
    assert {s.version for s in reader.monitor.subjects} == {"old", "new"}
    reader.events(1_010_000 + HOUR_MS, subject=version("new"), chunk=10)
    reader.progress(1_010_000 + HOUR_MS + 4_999, chunk=10)
    assert {s.version for s in reader.monitor.subjects} == {"old", "new"}
    reader.progress(1_010_000 + HOUR_MS + 5_000, chunk=10, through=20)
    assert {s.version for s in reader.monitor.subjects} == {"new"}  # it has an open pane
    assert reader.monitor.retired == {("fraud", "unheard"): 1}
    assert state_of(restored(reader)) == state_of(reader.monitor)


def test_retire_after_is_in_the_plan_and_its_hash():
    usual, soon = (
        make_plan(reference=REFERENCE),
        make_plan(reference=REFERENCE, retire_after_ms=HOUR_MS),
    )
    assert usual.hash == make_plan(reference=REFERENCE, retire_after_ms=5_184_000_000).hash
    assert "retire_after_ms" not in usual.settings
    assert soon.hash != usual.hash
    with pytest.raises(PlanError, match="retire_after_ms must be >= 70000"):
        make_plan(reference=REFERENCE, retire_after_ms=69_999, no_data_after_ms=60_000)


# ---- by number


def test_honest_versions_one_after_the_other_are_watched_for_ever(plan, monkeypatch):
    """Each has windows of its own; the last drifts, and what fired of the first is resolved."""
    monkeypatch.setattr(module, "MAX_VERSIONS", 5)
    events = relabelled(make_events(1, 900, drift_at=400), "v00")
    for i in range(1, 13):
        events += relabelled(make_events(i, 300), f"v{i:02d}", 600 + 300 * i)
    events += relabelled(make_events(9, 900, drift_at=400), "last", 600 + 300 * 13)
    alerts, monitor = run_stages(
        Reader(make_plan(reference=REFERENCE, segments=())).book, events, partitions=1, seed=1
    )
    assert {a["data"]["labels"]["kind"] for a in of_version(alerts, "last")} & {"data_drift"}
    first = of_version(alerts, "v00")
    assert first[-1]["data"]["status"] == "resolved"
    assert "retired after" in first[-1]["data"]["annotations"]["summary"]
    assert len(monitor.subjects) == 5
    assert monitor.retired == {("fraud", "bound"): 9}
    assert "versions" not in monitor.refused


def test_a_flood_of_versions_does_not_push_out_what_is_watched(plan, monkeypatch):
    """A slow honest version beside others that are new with every event; and its drift."""
    monkeypatch.setattr(module, "MAX_VERSIONS", 10)
    honest = make_events(1, 1_500, drift_at=900)
    plain, _ = run_stages(
        Reader(make_plan(reference=REFERENCE, segments=())).book, honest, partitions=1, seed=1
    )
    assert of_version(plain, "1")
    rng = random.Random(4)
    events = []
    for i, value in enumerate(honest):
        events.append(value)
        if i > 300:
            events += relabelled([value] * rng.randint(0, 2), f"flood-{i}")
    book = Reader(make_plan(reference=REFERENCE, segments=())).book
    alerts, monitor = run_stages(book, events, partitions=1, seed=1)
    assert of_version(alerts, "1") == of_version(plain, "1")
    assert monitor.retired["fraud", "bound"] > 500
    assert len(monitor.subjects) == 10


def test_two_new_versions_do_not_push_each_other_out(plan, monkeypatch):
    """All others were tested: the newest, which is not yet, may not be the one that ends."""
    monkeypatch.setattr(module, "MAX_VERSIONS", 4)
    reader = Reader(plan)
    for i, name in enumerate("abcd"):
        reader.events(1_000_000 + 10_000 * i, 300, subject=version(name), chunk=10 * i)
        reader.progress(1_020_000 + 10_000 * i, chunk=10 * i)
    assert all(held.lifetime.tested for held in reader.monitor.subjects.values())
    for i, name in enumerate("xyxy"):
        reader.events(1_050_000 + 10_000 * i, 10, subject=version(name), chunk=50 + 10 * i)
    assert {s.version for s in reader.monitor.subjects} == {"c", "d", "x", "y"}
    assert reader.monitor.refused == {}
    held = reader.monitor.subjects
    assert gives_way(list(held.values())).subject == version("c")


def test_open_panes_of_a_version_that_makes_room_are_counted(plan, monkeypatch):
    monkeypatch.setattr(module, "MAX_VERSIONS", 2)
    other = make_plan(model="churn", reference=make_reference("churn"))
    reader = Reader(plan, other)
    for i, name in enumerate("abc"):
        reader.events(1_000_000 + 10_000 * i, subject=version(name))
    reader.events(1_000_000, subject=Subject("churn", "a"), plan=other)
    assert {str(s) for s in reader.monitor.subjects} == {"fraud/b", "fraud/c", "churn/a"}
    assert reader.monitor.refused == {"versions": 1}
    reader.events(1_000_000, 12, subject=version("a"), through=12)  # it comes back, cumulative
    assert reader.monitor.subjects[version("a")].store.n_summaries == 1


# ---- counted together


def test_versions_counted_together_are_told_once_and_it_ends():
    reader = Reader(make_plan(reference=REFERENCE, segments=()))
    other = version(OTHER_VERSION)
    told = []
    for i in range(60):
        told += reader.events(1_000_000 + 10_000 * i, 40, subject=other, chunk=10 * i)
        told += reader.progress(1_020_000 + 10_000 * i, chunk=10 * i)
    told = [a for a in map(plain_alert, told) if a["data"]["labels"]["kind"] == "system"]
    assert [a["data"]["status"] for a in told] == ["firing"]
    assert told[0]["data"]["labels"]["model_version"] == OTHER_VERSION
    assert [s["name"] for s in told[0]["data"]["signals"]] == [VERSIONS]
    assert "counted together" in told[0]["data"]["annotations"]["summary"]
    last_ms = 1_000_000 + 600_000
    assert not reader.progress(last_ms + FOLDED_EPISODE_ENDS_MS + 4_999, chunk=600)
    ended = reader.progress(last_ms + FOLDED_EPISODE_ENDS_MS + 5_000, chunk=600, through=700)
    assert [(a.data.status, a.data.labels.kind) for a in ended] == [("resolved", "system")]


def test_events_of_few_versions_open_no_such_episode(undisturbed):
    names = [s["name"] for a in undisturbed[0] for s in a["data"]["signals"]]
    assert names
    assert VERSIONS not in names


# ---- counted once


@pytest.mark.parametrize("snapshots", [0.0, 0.2])
def test_judged_events_are_counted_once(plan, snapshots):
    events = make_events(1, 1_500)
    _, monitor = run_stages(
        Reader(plan).book, events, partitions=3, seed=2, snapshot_every=snapshots
    )
    (held,) = monitor.subjects.values()
    assert held.lifetime.events == 1_500
    assert held.late_total == 0


def test_a_chunk_that_is_read_again_is_not_counted_again(plan):
    reader = Reader(plan)
    for _ in range(3):  # three owners, each from the chunk's start
        reader.events(1_000_000, 10)
        reader.events(1_010_000, 4)
        reader.progress(1_040_000)
        reader.monitor = restored(reader)
    assert reader.held().lifetime.events == 14
    reader.events(1_000_000, 3, chunk=20, late=0)
    assert (reader.held().lifetime.events, reader.held().late_total) == (14, 3)
