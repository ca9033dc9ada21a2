"""Stage 2 of one partition: what is taken, refused, sealed, stored and restored."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.counting.sparse import encode_counts
from stream.contracts.summary_message import (
    Idle,
    Progress,
    Source,
    SummaryBatch,
    SummaryEntry,
    encode_message,
)
from stream.plans.plan import Plan, PlanBook, Subject
from stream.stage2 import snapshot
from stream.stage2.monitor import PartitionMonitor, UnknownPlanError
from stream.stage2.snapshot import SnapshotError, SnapshotWriter, best_snapshot
from stream.stage2.subject import SubjectMonitor
from tests.stream.harness import make_plan, make_reference

few = settings(derandomize=True, max_examples=40, deadline=None)


@pytest.fixture(scope="module")
def reference():
    return make_reference()


@pytest.fixture(scope="module")
def plan(reference) -> Plan:
    return make_plan(reference=reference)


class Reader:
    """A monitor that is fed with messages written by hand."""

    def __init__(self, *plans: Plan, **kwargs: Any) -> None:
        self.book = PlanBook()
        for plan in plans:
            self.book.add(plan)
        self.plan = plans[0]
        self.monitor = PartitionMonitor(self.book, **kwargs)
        self.offset = 0

    def put(self, message, *, time_ms: int = 0, current: bool = True):
        value = message if isinstance(message, bytes) else encode_message(message)
        alerts = self.monitor.apply(self.offset, value, time_ms, plans_current=current)
        self.offset += 1
        return alerts

    def events(
        self,
        pane_ms: int,
        n: int = 10,
        *,
        source: Source | None = None,
        chunk: int = 0,
        through: int | None = None,
        subject: Subject | None = None,
        plan: Plan | None = None,
        segment: str = "",
        late: int = 0,
    ):
        plan = plan or self.plan
        counts = np.zeros(plan.layout.width, np.int64)
        counts[0] = n
        counts[plan.layout.start + 3] = n
        batch = SummaryBatch(
            source or SOURCE,
            chunk,
            chunk + 9 if through is None else through,
            *(subject or Subject(plan.model, "1")),
            plan.short_hash,
            late,
            [SummaryEntry(segment, pane_ms, encode_counts(counts))],
        )
        return self.put(batch)

    def progress(self, time_ms: int, *, source: Source | None = None, chunk: int = 0, through=None):
        through = chunk + 9 if through is None else through
        return self.put(Progress(source or SOURCE, chunk, through, time_ms))

    def held(self, subject: Subject | None = None):
        return self.monitor.subjects[subject or Subject("fraud", "1")]

    def window(self, segment: str = "") -> int:
        detection = self.held().detection
        return 0 if detection is None else detection.windows.filling[segment].events


SOURCE = Source("id", "predictions", 0, 1)


def state_of(monitor: PartitionMonitor):
    subjects = {s: msgspec.msgpack.decode(h.dump()) for s, h in monitor.subjects.items()}
    return monitor.fence, monitor.sources.dump(), subjects


def restored(reader: Reader, writer: SnapshotWriter | None = None) -> PartitionMonitor:
    planned = reader.monitor.take_round(writer or SnapshotWriter(0, "w"))
    assert planned is not None
    found = best_snapshot(0, [*planned.blocks, planned.manifest])
    assert found is not None
    fresh = PartitionMonitor(reader.book)
    fresh.restore(*found)
    return fresh


# ---- what is taken


def test_panes_are_sealed_when_the_frontier_has_passed_them_and_their_lateness(plan):
    reader = Reader(plan)
    reader.events(1_000_000)
    reader.progress(1_014_999)
    assert reader.held().panes_sealed == 0
    reader.progress(1_015_000, through=10)
    assert reader.held().panes_sealed == 1
    assert reader.window() == 10


def test_a_frontier_that_completes_nothing_new_leaves_a_subject_alone(plan, monkeypatch):
    reader = Reader(plan)
    advanced = []
    advance = SubjectMonitor.advance
    monkeypatch.setattr(
        SubjectMonitor, "advance", lambda held, ms: [advanced.append(ms), *advance(held, ms)]
    )
    other = Source("id", "predictions", 1, 2)
    reader.events(1_000_000, source=other)
    reader.progress(1_015_000, source=other)  # partition 0 has said nothing yet
    assert advanced == []
    first = Source("id", "predictions", 0, 2)
    reader.progress(1_020_000, source=first)
    reader.progress(1_030_000, source=first, through=10)
    assert advanced == [1_015_000]
    assert reader.held().panes_sealed == 1


def test_records_before_the_fence_are_in_the_state_already(plan):
    reader = Reader(plan)
    reader.events(1_000_000)
    before = state_of(reader.monitor)
    reader.offset = 0
    reader.events(1_000_000, 99, chunk=50)
    assert state_of(reader.monitor) == before


def test_bytes_that_are_no_message_are_counted_and_passed(plan):
    reader = Reader(plan)
    for value in (b"", b"\xc1", b"\xdd\xff\xff\xff\xff"):
        reader.put(value)
    assert reader.monitor.refused == {"undecodable": 3}
    assert reader.monitor.fence == 3


def test_counts_that_do_not_fit_the_plan_are_refused_alone(plan):
    reader = Reader(plan)
    entries = [
        SummaryEntry("", 1_000_000, b"\xff" * 30),
        SummaryEntry("", 1_000_000, b"\xff\x7f\x01"),
        SummaryEntry("", 1_000_001, b"\x00\x01"),
        SummaryEntry("", 1_000_000, b"\x00\x01"),
    ]
    reader.put(SummaryBatch(SOURCE, 0, 9, "fraud", "1", plan.short_hash, 0, entries))
    assert reader.monitor.refused == {"undecodable": 3}
    reader.progress(1_020_000)
    assert reader.window() == 1


def test_an_event_of_1970_and_then_todays_walk_no_panes(plan):
    reader = Reader(plan)
    today = 1_780_000_000_000
    reader.events(0)
    reader.events(today)
    reader.progress(today + 20_000)
    assert reader.held().panes_sealed == 2


def test_a_plan_that_is_not_known_yet_is_waited_for_then_refused(plan):
    reader = Reader(plan)
    other = make_plan(reference=plan.reference, window_events=300)
    batch = SummaryBatch(SOURCE, 0, 9, "fraud", "1", other.short_hash, 0, [])
    before = state_of(reader.monitor)
    with pytest.raises(UnknownPlanError, match="fraud/1"):
        reader.put(batch, current=False)
    assert state_of(reader.monitor) == before
    reader.put(batch)
    assert reader.monitor.refused == {"plan": 1}
    reader.book.add(other, 5_000_000)
    reader.put(batch, current=False)
    assert reader.monitor.refused == {"plan": 1}


def test_a_plan_takes_over_with_a_clean_start_and_the_others_summaries_are_refused(plan):
    reader = Reader(plan)
    later = make_plan(reference=plan.reference, window_events=300)
    reader.book.add(later, 1_050_000)
    for pane in range(1_000_000, 1_050_000, 10_000):
        reader.events(pane, 30)
    reader.events(1_050_000, 7, plan=plan)
    reader.events(1_040_000, 7, plan=later)
    assert reader.monitor.refused == {"plan": 2}
    reader.events(1_050_000, 8, plan=later)
    reader.progress(1_055_000)
    assert (reader.held().detection.plan, reader.window()) == (plan, 150)
    reader.progress(1_065_000, through=10)
    assert (reader.held().detection.plan, reader.window()) == (later, 8)
    assert reader.held().detection.sequential.adwin.width.max() == 8


def test_a_cut_log_is_a_declared_loss_and_counts_nothing_twice(plan):
    reader = Reader(plan)
    reader.events(1_000_000)
    reader.progress(1_000_000)
    reader.events(1_000_000, 5, chunk=4)
    reader.events(1_010_000, 5, chunk=4)
    reader.progress(1_040_000, chunk=4)
    assert reader.monitor.refused == {"overlap": 2}
    assert reader.monitor.sources.declared_loss == 1
    reader.progress(1_040_000, chunk=20)
    assert reader.window() == 10


def test_a_topic_made_again_begins_anew_with_what_is_held(plan):
    reader = Reader(plan)
    again = SOURCE._replace(topic_id="new")
    reader.events(1_000_000, 10, chunk=5_000)
    reader.progress(1_000_000, chunk=5_000)
    reader.events(1_000_000, 4, source=again)  # an offset that was passed long ago
    reader.progress(1_005_000, source=again)
    reader.events(1_000_000, 99, chunk=5_010)  # a worker that does not know it yet
    reader.progress(9_000_000, chunk=5_010)
    reader.put(Idle(SOURCE, 9_999))
    assert reader.monitor.refused == {"former_topic": 3}
    assert reader.held().panes_sealed == 0
    reader.progress(1_020_000, source=again, through=10)
    assert reader.window() == 14
    assert state_of(restored(reader)) == state_of(reader.monitor)


def test_the_first_word_of_a_topic_made_again_may_be_progress(plan):
    reader = Reader(plan)
    again = SOURCE._replace(topic_id="new")
    reader.events(1_000_000, 10, chunk=5_000)
    reader.progress(1_020_000, source=again)
    assert reader.window() == 10


def test_events_on_a_topic_that_is_not_the_plans_take_nothing_along(plan):
    reader = Reader(plan)
    reader.events(1_000_000)
    reader.events(1_000_000, 5, source=Source("id2", "elsewhere", 0, 1))
    assert reader.monitor.refused == {"source": 1}
    reader.progress(1_020_000)
    assert reader.window() == 10


def test_a_plan_may_move_a_model_to_another_topic(plan):
    reader = Reader(plan)
    moved = make_plan(reference=plan.reference, topic="moved")
    reader.book.add(moved, 1_050_000)
    new = Source("id2", "moved", 0, 1)
    reader.events(1_040_000)
    reader.progress(1_045_000)
    reader.events(1_050_000, 5, source=new, plan=moved)
    reader.events(1_040_000, 7, chunk=10)  # what is left in the former topic
    assert reader.monitor.refused == {"source": 1}
    reader.progress(1_070_000, source=new)
    assert reader.window() == 5
    assert reader.held().panes_sealed == 2


# ---- late events


def test_late_is_what_came_after_its_partition_had_passed_the_pane(plan):
    reader = Reader(plan)
    reader.events(1_000_000)
    reader.progress(1_030_000)
    reader.events(1_000_000, 3, chunk=10, late=2)
    reader.events(1_000_000, 4, chunk=10, through=25, late=2)  # of the same chunk: replaces
    assert reader.monitor.refused == {"late": 2}
    assert reader.held().late_total == 6
    reader.events(1_000_000, 1, chunk=30)
    assert reader.held().late_total == 7


@pytest.mark.parametrize(("passed_ms", "late"), [(1_014_999, False), (1_015_000, True)])
def test_late_begins_where_a_partition_has_just_passed_the_pane(plan, passed_ms, late):
    """The frontier, which other partitions hold back, has no say in it."""
    reader = Reader(plan)
    one, two = (Source("id", "predictions", p, 2) for p in range(2))
    reader.progress(900_000, source=two)
    reader.events(1_000_000, source=one)
    reader.progress(passed_ms, source=one)
    reader.events(1_000_000, 3, source=one, chunk=10)
    assert reader.monitor.refused == ({"late": 1} if late else {})
    assert reader.held().late_total == (3 if late else 0)


def test_a_version_all_of_whose_events_are_late_is_not_taken_for_one_that_ended(plan):
    reader, second = Reader(plan), Subject("fraud", "2")
    reader.events(1_000_000)
    reader.progress(1_030_000)
    reader.events(1_000_000, 3, chunk=10, subject=second)
    for now_ms in range(1_060_000, 1_200_000, 20_000):
        reader.progress(now_ms, chunk=now_ms // 1_000)
    assert reader.held(second).late_total == 3
    assert reader.monitor.retired == {}


def test_late_events_under_two_plans_of_one_chunk_add_up(plan):
    reader = Reader(plan)
    later = make_plan(reference=plan.reference, window_events=300)
    reader.book.add(later, 1_050_000)
    reader.events(1_040_000, late=3)
    reader.events(1_050_000, late=1, plan=later)
    assert reader.held().late_total == 4
    reader.events(1_050_000, late=2, plan=later, through=20)
    assert reader.held().late_total == 5


def test_a_shorter_lateness_does_not_hold_for_the_panes_of_the_plan_before(reference):
    first = make_plan(reference=reference, lateness_ms=60_000)
    reader = Reader(first)
    reader.book.add(make_plan(reference=reference), 1_050_000)
    reader.events(1_040_000)
    reader.progress(1_060_000)
    assert reader.held().panes_sealed == 0
    reader.events(1_040_000, 4, chunk=10)
    reader.progress(1_109_999, chunk=10)
    assert (reader.held().panes_sealed, reader.monitor.refused) == (0, {})
    reader.progress(1_110_000, chunk=20)
    assert reader.window() == 14


def test_a_partition_that_others_wait_for_is_not_late(plan):
    reader = Reader(plan)
    one, two = (Source("id", "predictions", p, 2) for p in range(2))
    reader.events(1_000_000, source=one)
    reader.progress(9_000_000, source=one)
    reader.events(1_000_000, 3, source=two)
    reader.progress(1_020_000, source=two)
    assert reader.held().late_total == 0
    assert reader.window() == 13


def test_what_idleness_sealed_is_not_late_when_it_is_read_again(plan):
    reader = Reader(plan)
    one, two = (Source("id", "predictions", p, 2) for p in range(2))
    reader.events(1_000_000, 4, source=two)
    reader.progress(1_005_000, source=two)
    reader.events(1_000_000, source=one)
    reader.progress(1_020_000, source=one)
    reader.put(Idle(two, 10))
    assert reader.window() == 14
    reader.events(1_000_000, 4, source=two)
    reader.events(1_000_000, 2, source=two, through=5)
    reader.progress(1_005_000, source=two)
    assert reader.monitor.refused == {}
    assert reader.held().late_total == 0


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("more", [0, 3])
def test_only_what_idleness_did_not_seal_is_late_when_a_chunk_is_read_again(plan, more, stored):
    """The next owner's first flush covers the chunk from its start and new events as well."""
    reader = Reader(plan)
    one, two = (Source("id", "predictions", p, 2) for p in range(2))
    reader.events(1_000_000, 4, source=two)
    reader.events(1_000_000, 2, source=two, segment="region=eu")
    reader.progress(1_005_000, source=two)
    reader.events(1_000_000, source=one)
    reader.progress(1_020_000, source=one)
    reader.put(Idle(two, 10))
    assert reader.window() == 14
    if stored:
        reader.monitor.subjects[Subject("fraud", "1")] = SubjectMonitor.load(
            reader.held().dump(), reader.book
        )
    for through in (30, 40):
        reader.events(1_000_000, 4 + more, source=two, through=through)
        reader.events(1_000_000, 2 + more, source=two, through=through, segment="region=eu")
        reader.events(1_020_000, 5, source=two, through=through)
        reader.progress(1_025_000, source=two, through=through)
    assert reader.held().late_total == more
    assert reader.monitor.refused == ({"late": 2} if more else {})
    assert reader.window() == 14


def test_what_is_held_of_sealed_panes_does_not_grow_with_them(plan):
    reader = Reader(plan)
    for i in range(100):
        reader.events(1_000_000 + 10_000 * i, through=i)
        reader.progress(1_010_000 + 10_000 * i, through=i)
    assert reader.held().panes_sealed > 90
    assert all(len(late.sealed) < 4 for late in reader.held().late.values())


def test_when_all_are_idle_for_long_what_is_held_is_sealed(plan):
    reader = Reader(plan, all_idle_seals_ms=1_000)
    reader.events(1_000_000)
    reader.progress(1_000_000)
    reader.put(Idle(SOURCE, 10), time_ms=5_000)
    assert reader.held().panes_sealed == 0
    reader.put(Idle(SOURCE, 10), time_ms=6_000)
    assert reader.held().panes_sealed == 1
    reader.events(1_000_000, 3, chunk=10)
    assert reader.monitor.refused == {"late": 1}


def test_the_pane_of_a_clock_that_leads_is_not_sealed_for_idleness(plan):
    """The frontier went along, and all that came until then was late."""
    reader = Reader(plan, all_idle_seals_ms=1_000)
    reader.events(1_000_000)
    reader.events(4_000_000)
    reader.progress(1_000_000)
    reader.put(Idle(SOURCE, 10), time_ms=5_000)
    reader.put(Idle(SOURCE, 10), time_ms=6_000)
    assert reader.held().panes_sealed == 1
    assert len(reader.held().store) == 1
    reader.events(1_010_000, 3, chunk=10)
    assert not reader.monitor.refused
    reader.put(Idle(SOURCE, 20), time_ms=3_010_000)  # by now it has begun
    assert reader.held().panes_sealed >= 2


# ---- snapshots


def test_nothing_read_is_no_round(plan):
    reader = Reader(plan)
    writer = SnapshotWriter(0, "w")
    assert reader.monitor.take_round(writer) is not None
    assert reader.monitor.take_round(writer) is None
    reader.progress(1_000_000)
    assert reader.monitor.take_round(writer) is not None


def test_subjects_whose_names_run_together_have_blocks_of_their_own(reference):
    plans = [make_plan(model=m, reference=reference) for m in ("a", "a/b")]
    reader = Reader(*plans)
    subjects = [Subject("a", "b/c"), Subject("a/b", "c"), Subject("a/b", ""), Subject("a", "b")]
    for i, subject in enumerate(subjects):
        plan = plans[subject.model == "a/b"]
        reader.events(1_000_000, 10 + i, subject=subject, plan=plan)
    fresh = restored(reader)
    assert set(fresh.subjects) == set(subjects)
    assert state_of(fresh) == state_of(reader.monitor)


def test_large_states_are_cut_and_only_what_changed_is_written(plan, monkeypatch):
    monkeypatch.setattr(snapshot, "MAX_BLOCK_BYTES", 200)
    reader = Reader(plan)
    for i in range(12):
        reader.events(1_000_000, segment=f"region={i}", through=9 + i)
    reader.events(1_000_000, subject=Subject("fraud", "2"))
    writer = SnapshotWriter(0, "w")
    log = []
    for _ in range(3):
        planned = reader.monitor.take_round(writer)
        assert planned is not None
        log += [*planned.blocks, planned.manifest]
        writer.done(planned)
        reader.events(1_000_000, subject=Subject("fraud", "2"), chunk=100 + 10 * len(log))
    assert len({name.partition("#")[0] for name in planned.places}) == 3
    assert len(planned.places) > 5
    assert len(planned.blocks) < len(planned.places)
    found = best_snapshot(0, log)
    assert found is not None
    assert set(found[1]) == set(planned.places)


def test_a_window_that_expired_without_a_pane_is_in_the_snapshot(reference):
    plan = make_plan(reference=reference, window_max_age_ms=50_000)
    reader = Reader(plan)
    reader.events(1_000_000)
    reader.progress(1_020_000)
    writer = SnapshotWriter(0, "w")
    first = reader.monitor.take_round(writer)
    assert first is not None
    writer.done(first)
    reader.progress(1_200_000, through=10)
    second = reader.monitor.take_round(writer)
    assert second is not None
    found = best_snapshot(0, [*first.blocks, first.manifest, *second.blocks, second.manifest])
    assert found is not None
    fresh = PartitionMonitor(reader.book)
    fresh.restore(*found)
    assert state_of(fresh) == state_of(reader.monitor)
    assert fresh.subjects[Subject("fraud", "1")].detection.windows.filling == {}


def test_the_frontier_alone_makes_no_subject_dirty_and_is_not_lost(plan):
    reader = Reader(plan)
    reader.events(1_000_000)
    reader.progress(1_020_000)
    writer = SnapshotWriter(0, "w")
    first = reader.monitor.take_round(writer)
    assert first is not None
    writer.done(first)
    reader.progress(1_060_000, through=10)
    second = reader.monitor.take_round(writer)
    assert second is not None
    assert len(second.blocks) == 1
    found = best_snapshot(0, [*first.blocks, first.manifest, *second.blocks, second.manifest])
    assert found is not None
    fresh = PartitionMonitor(reader.book)
    fresh.restore(*found)
    assert state_of(fresh) == state_of(reader.monitor)


def words(reader: Reader, rng: random.Random, n: int):
    """Any messages in any order, of three partitions and two versions."""
    for i in range(n):
        source = Source("id", "predictions", rng.randrange(3), 3)
        chunk = rng.randrange(6) * 10
        through = chunk + rng.randrange(10)
        kind = rng.random()
        if kind < 0.5:
            pane = 1_000_000 + 10_000 * (i // 4 + rng.randrange(4))
            reader.events(
                pane,
                rng.randint(20, 90),
                source=source,
                chunk=chunk,
                through=through,
                subject=Subject("fraud", rng.choice("12")),
                late=rng.randrange(3),
                segment=rng.choice(("", "region=eu")),
            )
        elif kind < 0.9:
            reader.progress(
                1_000_000 + 2_500 * i + rng.randrange(9_999),
                source=source,
                chunk=chunk,
                through=through,
            )
        else:
            reader.put(Idle(source, through), time_ms=i * 20_000)
        yield i


@given(st.integers(0, 2**32))
@few
def test_a_restored_monitor_is_the_one_that_was_stored(plan, seed):
    """Rounds by one writer, some of them broken off, at any point of any log."""
    rng = random.Random(seed)
    reader = Reader(plan)
    writer = SnapshotWriter(0, "w")
    log: list[tuple[bytes, bytes | None]] = []
    last = None
    for _ in words(reader, rng, 120):
        if rng.random() < 0.8:
            continue
        planned = reader.monitor.take_round(writer)
        assert planned is not None
        records = [*planned.blocks, planned.manifest]
        if rng.random() < 0.2:
            log += records[: rng.randrange(len(records))]
            break
        log += records
        log += [(key, None) for key in writer.done(planned)]
        last = state_of(reader.monitor)
    found = best_snapshot(0, log)
    assert (found is None) == (last is None)
    if found is not None:
        fresh = PartitionMonitor(reader.book)
        fresh.restore(*found)
        assert state_of(fresh) == last


@given(st.integers(0, 2**32))
@few
def test_a_restored_monitor_goes_on_as_the_other_would(plan, seed):
    rng = random.Random(seed)
    reader = Reader(plan, all_idle_seals_ms=100_000)
    twin = Reader(plan, all_idle_seals_ms=100_000)
    alerts: list[list] = [[], []]
    puts: list[tuple] = []
    for one, told in ((reader, alerts[0]), (twin, alerts[1])):
        apply = one.put

        def put(message, *, apply=apply, told=told, one=one, **kwargs):
            if one is reader:
                puts.append((message, kwargs))
            told += apply(message, **kwargs)

        one.put = put  # type: ignore[method-assign]
    for _ in words(reader, rng, 150):
        message, kwargs = puts.pop()
        twin.put(message, **kwargs)
        if rng.random() < 0.1:
            fresh = restored(twin, SnapshotWriter(0, "w"))
            fresh.sources.all_idle_seals_ms = 100_000
            twin.monitor = fresh
    assert state_of(twin.monitor) == state_of(reader.monitor)
    assert alerts[0] == alerts[1]


def snapshot_of(plan: Plan):
    reader = Reader(plan)
    reader.events(1_000_000)
    reader.progress(1_020_000)
    planned = reader.monitor.take_round(SnapshotWriter(0, "w"))
    assert planned is not None
    found = best_snapshot(0, [*planned.blocks, planned.manifest])
    assert found is not None
    return found


@given(st.data())
@few
def test_state_that_does_not_decode_is_an_error_in_words(plan, data):
    manifest, payloads = snapshot_of(plan)
    name = data.draw(st.sampled_from(sorted(payloads)))
    whole = payloads[name]
    damaged = data.draw(
        st.one_of(
            st.just(b""),
            st.binary(max_size=50),
            st.just(b"\xdd\xff\xff\xff\xff"),
            st.just(b"\x91" * 3_000),
            st.integers(0, len(whole) - 1).map(lambda n: whole[:n]),
        )
    )
    monitor = PartitionMonitor(PlanBook())
    monitor.plans.add(plan)
    with pytest.raises(SnapshotError, match="summaries partition 0 by w"):
        monitor.restore(manifest, payloads | {name: damaged})
    assert monitor.subjects == {}


def test_a_snapshot_without_its_sources_or_with_strange_blocks_is_an_error(plan):
    manifest, payloads = snapshot_of(plan)
    book = PlanBook()
    book.add(plan)
    for wrong in ({}, {"@sources": b""}, payloads | {"strange": b""}, payloads | {"5:x#y": b""}):
        with pytest.raises(SnapshotError):
            PartitionMonitor(book).restore(manifest, wrong)


def test_a_snapshot_under_a_plan_that_is_gone_says_so(plan):
    manifest, payloads = snapshot_of(plan)
    book = PlanBook()
    book.add(make_plan(reference=plan.reference, window_events=300))
    with pytest.raises(SnapshotError, match="not on the plans topic"):
        PartitionMonitor(book).restore(manifest, payloads)
