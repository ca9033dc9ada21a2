"""A subject that falls silent, and one whose reference is replaced."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from detectors import InvalidReferenceError
from detectors.counting.sparse import encode_counts
from detectors.fitting.rebase import rebased
from stream.config.load import load_config
from stream.contracts.summary_message import Idle, SummaryBatch, SummaryEntry, encode_message
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook, Subject
from stream.replay import Replay
from stream.stage2.monitor import PartitionMonitor
from stream.stage2.pane_reader import PaneReader
from tests.stream.harness import START_S, deal, make_events, make_plan, make_reference, run_stages
from tests.stream.notify.test_notify import BASE
from tests.stream.stage2.test_monitor import SOURCE, Reader, restored

HOUR = 3_600_000
T0 = 36_000_000


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(segments=(), no_data_after_ms=HOUR)


def told(alerts):
    return [(a.data.status, a.data.signals[0].name, a.data.starts_at[11:19]) for a in alerts]


def heard(reader: Reader, pane_ms: int, chunk: int) -> None:
    """Events without any signal: nothing can drift."""
    plan = reader.plan
    counts = np.zeros(plan.layout.width, np.int64)
    counts[0] = 3
    entry = SummaryEntry("", pane_ms, encode_counts(counts))
    reader.put(SummaryBatch(SOURCE, chunk, chunk + 9, "fraud", "1", plan.short_hash, 0, [entry]))


def fed(plan: Plan, until_ms: int) -> Reader:
    """A reader that has had a pane a minute up to this time."""
    reader = Reader(plan)
    for i, pane_ms in enumerate(range(T0, until_ms, 60_000)):
        heard(reader, pane_ms, 10 * i)
        assert reader.progress(pane_ms + 9_000, chunk=10 * i) == []
    return reader


# ---- silence


def test_a_subject_without_events_while_others_have_some(plan):
    reader = fed(plan, T0 + HOUR)
    # The last pane ended 50 s before the hour.
    assert reader.progress(T0 + 2 * HOUR - 60_000, chunk=1_000) == []
    (alert,) = reader.progress(T0 + 2 * HOUR, chunk=1_010)
    assert told([alert]) == [("firing", "no_data", "11:59:10")]
    assert alert.data.labels.kind == "system"
    assert alert.data.severity == "critical"
    assert alert.data.annotations.summary == (
        "fraud v1: System problem in 'no_data' (no events for 1 h). Recommended action: check the "
        "pipeline that produces these events."
    )
    assert alert.data.annotations.evidence.startswith("This was counted")
    assert reader.progress(T0 + 9 * HOUR, chunk=1_020) == []  # told once
    heard(reader, T0 + 9 * HOUR + 60_000, 1_030)
    (resolved,) = reader.progress(T0 + 9 * HOUR + 90_000, chunk=1_030)
    assert told([resolved]) == [("resolved", "no_data", "11:59:10")]
    assert resolved.data.ends_at == "1970-01-01T19:01:10.000Z"
    assert "resolved after 7 h 2 min" in resolved.data.annotations.summary


def test_how_far_the_frontier_goes_at_once_leaves_no_trace(plan):
    """Silence and its end within one move of the frontier: the same events."""
    one = fed(plan, T0 + HOUR)
    said = one.progress(T0 + 2 * HOUR, chunk=1_000)
    heard(one, T0 + 5 * HOUR, 1_010)
    said += one.progress(T0 + 5 * HOUR + 30_000, chunk=1_010)
    other = fed(plan, T0 + HOUR)
    heard(other, T0 + 5 * HOUR, 1_010)
    at_once = other.progress(T0 + 5 * HOUR + 30_000, chunk=1_010)
    plain = [(a.id, a.data.starts_at, a.data.ends_at, a.data.signals) for a in said]
    assert plain == [(a.id, a.data.starts_at, a.data.ends_at, a.data.signals) for a in at_once]
    assert told(at_once) == [
        ("firing", "no_data", "11:59:10"),
        ("resolved", "no_data", "11:59:10"),
    ]


def test_silence_of_the_whole_topic_goes_by_the_times_of_its_records(plan):
    reader = fed(plan, T0 + HOUR)
    idle = Idle(SOURCE, 10_000)
    assert reader.put(idle, time_ms=5_000_000) == []
    assert reader.put(idle, time_ms=5_000_000 + HOUR - 60_000) == []
    (alert,) = reader.put(idle, time_ms=5_000_000 + HOUR + 60_000)
    assert told([alert]) == [("firing", "no_data", "11:59:10")]
    assert reader.put(idle, time_ms=5_000_000 + 9 * HOUR) == []
    # It is in the state.
    again = Reader(plan)
    again.monitor, again.offset = restored(reader), reader.offset
    assert again.put(idle, time_ms=5_000_000 + 10 * HOUR) == []
    heard(again, T0 + HOUR, 20_000)  # data of the time that was thought silent
    (resolved,) = again.progress(T0 + HOUR + 30_000, chunk=20_000)
    assert told([resolved]) == [("resolved", "no_data", "11:59:10")]
    assert resolved.data.ends_at == resolved.data.starts_at


def test_a_pane_that_is_not_sealed_yet_may_hold_events():
    """Shorter than a pane: silence is known only when the next pane is."""
    reader = Reader(make_plan(segments=(), no_data_after_ms=3_000))
    for i, pane_ms in enumerate(range(T0, T0 + 100_000, 10_000)):
        heard(reader, pane_ms, 10 * i)
        assert reader.progress(pane_ms + 9_900, chunk=10 * i) == []
    assert reader.progress(T0 + 108_000, chunk=1_000) == []  # the pane of 100 s is open
    (alert,) = reader.progress(T0 + 115_000, chunk=1_010)
    assert told([alert]) == [("firing", "no_data", "10:01:43")]


def test_windows_are_not_closed_ahead_of_the_frontier(plan):
    short = msgspec.structs.replace(plan, window_max_age_ms=600_000)
    reader = fed(short, T0 + 300_000)
    before = reader.window()
    idle = Idle(SOURCE, 10_000)
    for hours in (0, 2):
        reader.put(idle, time_ms=5_000_000 + hours * HOUR)
    assert reader.held().silent
    assert reader.window() == before + 3  # still filling, with the pane that idleness sealed


def test_nobody_is_told_unless_asked_for():
    reader = fed(make_plan(segments=()), T0 + HOUR)
    assert reader.progress(T0 + 99 * HOUR, chunk=1_000) == []
    assert not reader.held().silent


def test_plans_of_before_keep_their_hash(plan):
    assert "no_data_after_ms" not in make_plan(segments=()).settings
    assert plan.settings["no_data_after_ms"] == HOUR
    assert msgspec.structs.replace(plan, no_data_after_ms=0).hash == make_plan(segments=()).hash


def test_the_config_says_when(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(BASE + 'no_data_after = "1h"\nstale_after = "2d"\n')
    (model,) = load_config(path, {}).models
    assert model.settings.items() >= {"no_data_after_ms": HOUR, "stale_after_ms": 48 * HOUR}.items()
    path.write_text(BASE)
    (model,) = load_config(path, {}).models
    assert model.settings.items() >= {"no_data_after_ms": 0, "stale_after_ms": 0}.items()


# ---- another reference


def test_open_episodes_resolve_as_rebased_when_another_reference_holds():
    old = make_plan()
    events = make_events(3, 3_000, drift_at=600)
    switch_ms = (1_000_000 + 2_000) * 1000
    other = make_plan(reference=make_reference(seed=6))
    stricter = make_plan(false_alarms_per_week=199.0)
    for new, ends in ((other, True), (stricter, False)):
        plans = PlanBook()
        plans.add(old)
        plans.add(new, switch_ms)
        alerts, _ = run_stages(plans, events, partitions=2, seed=1)
        drift = [a["data"] for a in alerts if a["data"]["labels"]["kind"] == "data_drift"]
        resolved = [d for d in drift if "rebased after" in d["annotations"]["summary"]]
        assert bool(resolved) == ends
        if ends:
            (end,) = resolved
            assert end["endsAt"] == "1970-01-12T14:20:00.000Z"
            assert end["reference"] == old.reference.hash
            # It differs from the new reference too: found anew.
            again = [d for d in drift if d["reference"] == other.reference.hash]
            assert again[0]["revision"] == 1


def test_neither_partitions_nor_restarts_change_what_is_said_of_both():
    """A gap of two hours in the events, and another reference after it."""
    events = []
    for event in make_events(3, 2_400, drift_at=500):
        plain = msgspec.json.decode(event)
        plain["timestamp"] -= 7_200 * (plain["timestamp"] < START_S + 1_200)
        events.append(msgspec.json.encode(plain))
    plans = PlanBook()
    plans.add(make_plan(no_data_after_ms=HOUR))
    plans.add(
        make_plan(no_data_after_ms=HOUR, reference=make_reference(seed=6)),
        (START_S + 1_800) * 1000,
    )
    truth, _ = run_stages(plans, events, partitions=1, seed=0)
    said = [a["data"]["annotations"]["summary"] for a in truth]
    assert sum("no events for 1 h" in words and "resolved" not in words for words in said) == 1
    assert sum("rebased after" in words for words in said) >= 1
    for partitions, seed in ((1, 1), (3, 2), (8, 3)):
        again, _ = run_stages(plans, events, partitions=partitions, seed=seed, snapshot_every=0.05)
        assert again == truth


def summaries(plan: Plan, drift_at: int | None, *, outcomes: bool = False) -> list[bytes]:
    """What stage 1 puts on the summaries topic, some of it twice."""
    from stream.contracts.summary_message import Source
    from stream.decode.native import NativeDecoder
    from stream.stage1.summarise import Summariser

    plans = PlanBook()
    plans.add(plan)
    values: list[bytes] = []
    events = make_events(9, 6_000, drift_at=drift_at, outcomes=outcomes)
    for p, log in enumerate(deal(events, 2, 4)):
        source = Source("id", "predictions", p, 2)
        reader = Summariser(source, plans, NativeDecoder(plans), chunk_records=128)
        for start in range(0, len(log), 100):
            for flush in reader.add(log[start : start + 100]):
                values += [value for _, value in flush.summaries] * 2 + [flush.progress]
    return values


def test_a_reference_of_the_last_panes_knows_no_drift():
    plan = make_plan(segments=())
    plans = PlanBook()
    plans.add(plan)
    panes = PaneReader(plans, "fraud", span_ms=4_000_000)
    for value in (*summaries(plan, 1_000), b"\xc1", encode_message(Idle(SOURCE, 5))):
        panes.add(value)
    assert panes.versions == ["1"]
    read = panes.take("1")
    assert read.plan.hash == plan.hash
    # 6,000 events a second apart; the last pane and what may still come late are left out.
    assert read.last_ms - read.first_ms == pytest.approx(4_000_000, abs=200_000)
    assert read.events == (read.last_ms - read.first_ms) // 1000
    fresh = rebased(
        plan.reference,
        plan.monitored,
        read.batches.table,
        first_ms=read.first_ms,
        last_ms=read.last_ms,
    )
    x_before, x = (r.signals[0] for r in (plan.reference, fresh))
    assert fresh.events == read.events
    assert fresh.hash != plan.reference.hash
    assert x.binning is x_before.binning
    assert x_before.mean == pytest.approx(0.0, abs=0.1)
    assert x.mean == pytest.approx(1.0, abs=0.1)
    assert x.std == pytest.approx(1.0, abs=0.15)
    assert x.quantiles["p50"] == pytest.approx(1.0, abs=0.1)
    assert x.calibration.batches >= 8
    assert x.calibration.phi_x < 2.0
    assert type(fresh).from_json(fresh.to_json()).hash == fresh.hash

    # Watched under it, the same stream is no drift any more, and a return to the old is.
    later = make_plan(segments=(), reference=fresh, false_alarms_per_week=1.0)
    for drift_at, expected in ((0, 0), (None, 1)):
        book = PlanBook()
        book.add(later)
        alerts, _ = run_stages(
            book, make_events(12, 3_000, drift_at=drift_at), partitions=1, seed=1
        )
        assert len({a["data"]["episode"] for a in alerts}) == expected


def test_outcomes_by_value_are_those_of_the_last_panes():
    plan = make_plan(
        reference=make_reference(outcomes=True, protected=("region",)), protected=("region",)
    )
    plans = PlanBook()
    plans.add(plan)
    panes = PaneReader(plans, "fraud", span_ms=2_000_000)
    for value in summaries(plan, 1_000, outcomes=True):
        panes.add(value)
    read = panes.take("1")
    fresh = rebased(
        plan.reference,
        plan.monitored,
        read.batches.table,
        first_ms=read.first_ms,
        last_ms=read.last_ms,
        protected=read.protected,
    )
    assert fresh.outcome is not None
    (protected,) = fresh.outcome.protected
    events = [
        event
        for event in map(msgspec.json.decode, make_events(9, 6_000, drift_at=1_000, outcomes=True))
        if read.first_ms <= event["timestamp"] * 1_000 < read.last_ms and "actual" in event
    ]
    names = fresh.outcome.cells.classes
    for value, counts in zip(protected.values, protected.counts, strict=False):
        naive = [[0] * 3 for _ in range(3)]
        for event in events:
            if event["segments"]["region"] == value:
                said = event["prediction"]["score"] >= fresh.outcome.cells.threshold
                naive[int(said)][names.index(event["actual"])] += 1
        assert counts.reshape(3, 3).tolist() == naive
    assert type(fresh).from_json(fresh.to_json()).hash == fresh.hash


def test_a_plan_that_came_later_takes_the_place_of_the_one_before():
    old, new = make_plan(segments=()), make_plan(segments=(), false_alarms_per_week=5.0)
    plans = PlanBook()
    plans.add(old)
    plans.add(new, 2**40)
    panes = PaneReader(plans, "fraud", since_ms=0, span_ms=1)
    for value in (*summaries(old, None)[:200], *summaries(new, None), *summaries(old, None)[:50]):
        panes.add(value)
    read = panes.take("1")
    assert read.plan.hash == new.hash
    assert 5_900 < read.events < 6_000


def test_too_little_for_a_reference():
    plan = make_plan(segments=())
    plans = PlanBook()
    plans.add(plan)
    panes = PaneReader(plans, "fraud", since_ms=2**50, span_ms=1)
    for value in summaries(plan, None)[:50]:
        panes.add(value)
    with pytest.raises(
        InvalidReferenceError, match=r"no complete pane in that time\. Go further back"
    ):
        panes.take("1")
    table = np.zeros((1, plan.layout.width), np.int64)
    table[0, 0] = 299
    with pytest.raises(InvalidReferenceError, match="at least 300 events, better 10,000; got 299"):
        rebased(plan.reference, plan.monitored, table, first_ms=0, last_ms=1)


def test_a_monitor_forgets_nothing_of_silence_in_a_snapshot(plan):
    reader = fed(plan, T0 + HOUR)
    reader.progress(T0 + 2 * HOUR, chunk=1_000)
    fresh: PartitionMonitor = restored(reader)
    assert fresh.subjects[Subject("fraud", "1")].silent


# ---- stale events


@pytest.mark.parametrize(("stale", "told_of"), [(0.5, True), (0.05, False)])
def test_events_that_are_old_when_they_are_sent(stale, told_of):
    plan = make_plan(segments=(), stale_after_ms=HOUR, false_alarms_per_week=0.01)
    plans = PlanBook()
    plans.add(plan)
    events = make_events(5, 2_000)
    rng = np.random.default_rng(1)
    records = [
        FileRecord(r.offset, r.timestamp + (2 * HOUR if rng.random() < stale else HOUR), r.value)
        for r in deal(events, 1, 1)[0]
    ]
    alerts = list(Replay(plans).run(records))
    kinds = {(a.data.labels.kind, a.data.signals[0].name) for a in alerts}
    assert kinds == ({("system", "event_age")} if told_of else set())
    if told_of:
        assert "of the events were old when they were sent" in alerts[0].data.annotations.summary
        assert 0.4 < alerts[0].data.signals[0].value < 0.6


def test_stale_events_are_counted_once_whatever_is_read_twice():
    plan = make_plan(segments=(), stale_after_ms=HOUR)
    reader = Reader(plan)
    counts = encode_counts(np.eye(1, plan.layout.width, dtype=np.int64)[0])
    for chunk, through, n in ((0, 5, 2), (0, 9, 3), (0, 9, 3), (0, 5, 2), (10, 19, 4), (0, 9, 3)):
        entry = SummaryEntry("", T0, counts)
        reader.put(
            SummaryBatch(SOURCE, chunk, through, "fraud", "1", plan.short_hash, 0, [entry], n, n)
        )
    assert sum(late.total for late in reader.held()._health.stale.values()) == 7
    again = restored(reader).subjects[Subject("fraud", "1")]
    assert again._health == reader.held()._health
