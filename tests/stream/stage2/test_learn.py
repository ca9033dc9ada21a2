"""Models without a reference: learned from the stream, then watched, under every law."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest

from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord
from stream.plans.plan import (
    DeclaredSignal,
    Learn,
    LearningPlan,
    PlanBook,
    PlanError,
    SignalOptions,
    Subject,
    decode_plan,
)
from stream.replay import Replay
from stream.sketches.sketch import Sketch
from stream.stage2.untested import untested_by_plan
from tests.stream.harness import START_S, make_events, run_stages

N = 3_000
OURS = Subject("fraud", "1")


def make_plan(**changes) -> LearningPlan:
    settings = {
        "learn": Learn(warm_up=1_000),
        "segments": ("region",),
        "window_events": 200,
        "window_min_events": 100,
        "false_alarms_per_week": 200.0,
    } | changes
    return LearningPlan(model="fraud", **settings)


def book_of(*plans) -> PlanBook:
    book = PlanBook()
    for plan in plans:
        book.add(plan)
    return book


@pytest.fixture(scope="module")
def drifting() -> list[bytes]:
    return make_events(11, N, drift_at=2_000)


@pytest.fixture(scope="module")
def truth(drifting):
    alerts, monitor = run_stages(book_of(make_plan()), drifting, partitions=1, seed=0)
    return alerts, monitor.subjects[OURS]


def state_of(held):
    """All of a subject but offsets, which depend on the partitions."""
    windows = {s: w.counts.tolist() for s, w in held.detection.windows.filling.items()}
    phase = msgspec.msgpack.decode(held.phase.dump())
    return (
        held.panes_sealed,
        windows,
        held.detection.sequential.dump(),
        phase[:-1],
        held.episodes.dump(),
    )


def test_it_finds_the_drift_after_the_warm_up_and_says_what_it_compared_to(truth):
    alerts, held = truth
    assert held.phase.tested_since_ms == (START_S + 1_000) * 1000
    first = alerts[0]["data"]
    assert [s["name"] for s in first["signals"]] == ["x"]
    assert first["labels"]["kind"] == "data_drift"
    assert first["startsAt"] > "1970-01-12T14:19:50"  # 2,000 s after the start
    assert first["reference"] == held.detection.plan.reference.hash
    assert first["config"] == held.phase.plan.hash
    assert {s.get("segment", "") for a in alerts for s in a["data"]["signals"]} >= {"", "region=eu"}


def test_what_was_learned_is_what_the_stream_is_made_of(truth):
    reference = truth[1].detection.plan.reference
    assert [(s.name, s.kind, s.role) for s in reference.signals] == [
        ("c", "categorical", "feature"),
        ("x", "numeric", "feature"),
        ("z", "numeric", "feature"),
        ("score", "numeric", "score"),
    ]
    by_name = {s.name: s for s in reference.signals}
    assert by_name["c"].binning.categories == ("a", "b", "d")
    assert all(s.events == 1_000 for s in reference.signals)
    assert by_name["x"].mean == pytest.approx(0, abs=0.1)
    assert by_name["x"].std == pytest.approx(1, abs=0.1)
    assert 10 < by_name["z"].counts[by_name["z"].binning.missing] < 40
    assert reference.ordered
    assert reference.events_per_week == 604_800
    assert all(s.calibration.batches >= 50 for s in reference.signals)
    assert type(reference).from_json(reference.to_json()).hash == reference.hash


@pytest.mark.parametrize("partitions", [1, 3, 8])
@pytest.mark.parametrize("seed", range(2))
def test_partitions_and_polls_change_no_bit(drifting, truth, partitions, seed):
    alerts, monitor = run_stages(
        book_of(make_plan()),
        drifting,
        partitions=partitions,
        seed=seed,
        chunk_records=(64, 400)[seed],
    )
    assert alerts == truth[0]
    assert state_of(monitor.subjects[OURS]) == state_of(truth[1])


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_snapshot_at_any_point_changes_nothing(drifting, truth, partitions):
    alerts, monitor = run_stages(
        book_of(make_plan()), drifting, partitions=partitions, seed=5, snapshot_every=0.1
    )
    assert alerts == truth[0]
    assert state_of(monitor.subjects[OURS]) == state_of(truth[1])


def test_without_drift_it_is_silent():
    plan = make_plan(false_alarms_per_week=1.0, learn=Learn(warm_up=2_000))
    alerts, monitor = run_stages(book_of(plan), make_events(3, 8_000), partitions=2, seed=1)
    assert alerts == []
    held = monitor.subjects[OURS]
    assert held.detection.results  # it was tested
    assert held.phase.tested_since_ms


def test_drift_while_it_learns_is_part_of_what_is_learned():
    events = make_events(4, 2_500, drift_at=300)
    alerts, _ = run_stages(
        book_of(make_plan(learn=Learn(warm_up=2_400))), events, partitions=1, seed=0
    )
    assert alerts == []


def test_nothing_is_tested_before_there_are_fifty_panes():
    """Events alone do not show how a stream varies."""
    plan = make_plan(pane_ms=40_000)
    _, monitor = run_stages(book_of(plan), make_events(3, 2_200), partitions=1, seed=0)
    held = monitor.subjects[OURS]
    assert held.detection is None
    assert held.phase.warmup.events == 2_200


def test_a_cycle_is_learned_from_four_of_them():
    plan = make_plan(cycle_ms=600_000, window_min_events=50)
    _, monitor = run_stages(book_of(plan), make_events(3, 3_600), partitions=2, seed=0)
    held = monitor.subjects[OURS]
    learned_s = held.phase.tested_since_ms // 1000 - START_S
    assert learned_s == 600 + 4 * 600
    assert held.detection.plan.reference.cycle_ms == 600_000


def test_declared_signals_alone_are_watched_as_they_are_declared():
    learn = Learn(
        warm_up=1_000,
        signals={
            "x": DeclaredSignal("numeric"),
            "risk": DeclaredSignal("auto", "score"),
            "never": DeclaredSignal("categorical"),
        },
    )
    plan = make_plan(learn=learn, signals={"x": SignalOptions(importance=0.5, tests=("psi",))})
    alerts, monitor = run_stages(
        book_of(plan), make_events(11, N, drift_at=2_000), partitions=2, seed=0
    )
    watched = monitor.subjects[OURS].detection.plan
    assert [(s.name, s.role) for s in watched.monitored] == [
        ("x", "feature"),
        ("risk", "score"),
        ("never", "feature"),
    ]
    assert watched.importance("x") == 0.5
    (never,) = [each for each in untested_by_plan(watched) if each.reason == "no_values"]
    assert never.signals == ("never",)
    assert {s["test"] for a in alerts for s in a["data"]["signals"]} == {"psi"}


def mixed(n: int) -> list[dict]:
    """Events with all that can be odd about them, drawn at random."""
    rng = random.Random(7)
    return [
        {
            "timestamp": START_S + i,
            "features": {
                "n": rng.choice([1, 2.5, True, "text", None, [1], float("nan")]),
                "t": rng.choice(["a", "b", 3, False, None]),
            },
            "prediction": {"label": rng.choice(["ok", "bad"]), "score": rng.random()},
            "actual": {"label": rng.choice(["ok", "bad", None])},
            "segments": {"region": rng.choice(["eu", "us", None, 7])},
            "latency_seconds": rng.random(),
        }
        for i in range(n)
    ]


def decoded_sketches(records: list[FileRecord], plan) -> dict:
    """Sketch bytes by segment and pane, as stage 1 makes them."""
    from stream.contracts.summary_message import Source, SummaryBatch, decode_message
    from stream.stage1.summarise import Summariser

    plans = book_of(plan)
    reader = Summariser(
        Source("id", "predictions", 0, 1), plans, NativeDecoder(plans, max_ahead_ms=2**62)
    )
    found = {}
    for flush in [*reader.add(records), reader.flush_idle()]:
        assert flush.rejects == []
        for _, value in flush.summaries:
            message = decode_message(value)
            assert isinstance(message, SummaryBatch)
            found |= {(e.segment, e.pane_ms): e.counts for e in message.entries}
    return found


def test_events_batches_and_arrow_are_counted_alike():
    import json

    import pyarrow as pa

    events = mixed(300)
    plan = make_plan()
    model = {"name": "fraud", "version": "1"}
    singles = [
        FileRecord(i, 0, json.dumps({"model": model, **event}).encode())
        for i, event in enumerate(events)
    ]
    truth = decoded_sketches(singles, plan)

    def column(*path: str) -> list:
        values = []
        for event in events:
            value = event
            for key in path:
                value = value[key]
            values.append(value)
        return values

    columns = {
        "timestamp": column("timestamp"),
        "features": {name: column("features", name) for name in ("n", "t")},
        "prediction": {name: column("prediction", name) for name in ("label", "score")},
        "actual": {"label": column("actual", "label")},
        "segments": {"region": column("segments", "region")},
        "latency_seconds": column("latency_seconds"),
    }
    batch = FileRecord(0, 0, json.dumps({"model": model, "columns": columns}).encode())
    assert decoded_sketches([batch], plan) == truth

    # Arrow's columns have one type each.
    tidy = [
        event
        | {
            "features": {"n": i / 7, "t": "ab"[i % 2] if i % 5 else None},
            "segments": {"region": "eu"},
        }
        for i, event in enumerate(events)
    ]
    singles = [
        FileRecord(i, 0, json.dumps({"model": model, **event}).encode())
        for i, event in enumerate(tidy)
    ]
    table = pa.table(
        {
            "timestamp": column("timestamp"),
            "features.n": [e["features"]["n"] for e in tidy],
            "features.t": pa.array([e["features"]["t"] for e in tidy]).dictionary_encode(),
            "prediction.label": column("prediction", "label"),
            "prediction.score": column("prediction", "score"),
            "actual.label": column("actual", "label"),
            "segments.region": ["eu"] * len(tidy),
            "latency_seconds": column("latency_seconds"),
            "other": [1] * len(tidy),
        }
    ).replace_schema_metadata({"model.name": "fraud", "model.version": "1"})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table, max_chunksize=120)
    arrow = FileRecord(
        0,
        0,
        sink.getvalue().to_pybytes(),
        headers=(("content-type", b"application/vnd.apache.arrow.stream"),),
    )
    assert decoded_sketches([arrow], plan) == decoded_sketches(singles, plan)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (b'{"model": {"name": "fraud"}, "features": {}}', "missing_field"),
        (b'{"model": {"name": "fraud"}, "timestamp": 1, "features": 3}', "wrong_type"),
        (b'{"model": {"name": "fraud"}, "timestamp": true, "features": {}}', "bad_timestamp"),
        (b'{"model": {"name": "fraud"}, "timestamp": 1}', "missing_field"),
        (
            b'{"model": {"name": "fraud"}, "columns": {"timestamp": [1], "features": 7}}',
            "wrong_type",
        ),
        (
            b'{"model": {"name": "fraud"}, '
            b'"columns": {"timestamp": [1], "features": {"a": [1, 2]}}}',
            "ragged_batch",
        ),
        (
            b'{"model": {"name": "fraud"}, "columns": {"features": {"a": [1, NaN]}}}',
            "missing_field",
        ),
        (b'{"model": {"name": "other"}, "timestamp": 1, "features": {}}', "unknown_model"),
        (b"{", "undecodable"),
    ],
)
def test_what_cannot_be_counted_is_refused_as_ever(event, reason):
    decoder = NativeDecoder(book_of(make_plan()), max_ahead_ms=2**62)
    decoded = decoder.decode([FileRecord(0, 0, event)])
    assert [reject.reason for reject in decoded.rejects] == [reason]
    assert decoded.time_ms.size == 0


def test_a_late_actual_moves_no_clock():
    decoder = NativeDecoder(book_of(make_plan()), max_ahead_ms=2**62)
    event = b'{"model": {"name": "fraud"}, "timestamp": 5, "actual": {"label": "ok"}}'
    decoded = decoder.decode([FileRecord(0, 0, event)])
    assert (decoded.actuals, decoded.time_ms.size, decoded.rejects) == (1, 0, [])


def test_an_identifier_is_not_learned_and_a_bare_number_is_the_score():
    events = [
        msgspec.json.encode(
            {
                "model": {"name": "fraud"},
                "timestamp": START_S + i,
                "features": {"id": f"u{i}", "c": "ab"[i % 2]} | ({"new": 1} if i > 2_500 else {}),
                "prediction": i % 10 / 10,
            }
        )
        for i in range(3_000)
    ]
    plan = make_plan(learn=Learn(warm_up=3_000), pane_ms=1_000, segments=())
    replay = Replay(book_of(plan))
    assert not list(replay.run(FileRecord(i, 0, e) for i, e in enumerate(events)))
    reference = replay.monitor.subjects[Subject("fraud", "")].detection.plan.reference
    assert [(s.name, s.role) for s in reference.signals] == [("c", "feature"), ("score", "score")]
    new, identifier = reference.warnings
    assert new.startswith("new: came only in the second half, and is not watched")
    assert identifier.startswith("id: left out: about ")


def test_a_name_that_two_signals_would_have_is_the_features():
    events = [
        msgspec.json.encode(
            {
                "model": {"name": "fraud"},
                "timestamp": START_S + i,
                "features": {"score": i % 7},
                "prediction": {"score": i % 5},
            }
        )
        for i in range(1_200)
    ]
    plan = make_plan(pane_ms=1_000, segments=())
    replay = Replay(book_of(plan))
    list(replay.run(FileRecord(i, 0, e) for i, e in enumerate(events)))
    reference = replay.monitor.subjects[Subject("fraud", "")].detection.plan.reference
    assert [(s.name, s.role) for s in reference.signals] == [
        ("score", "feature"),
        ("_score", "score"),
    ]


def test_a_plan_is_hashed_and_stored_with_how_it_learns():
    plan = make_plan(learn=Learn(2_000, {"x": DeclaredSignal("numeric")}), calibrate_ms=5)
    again, since = decode_plan(plan.encode(77))
    assert (again, since) == (plan, 77)
    assert again.hash == plan.hash
    others = [make_plan(), make_plan(learn=Learn(2_000)), make_plan(calibrate_ms=5)]
    assert len({p.hash for p in [plan, *others]}) == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learn": Learn(warm_up=999)}, "warm_up must be >= 1000; got 999"),
        ({"signals": {"x": SignalOptions()}}, "signals.x is not declared"),
        (
            {"learn": Learn(signals={f"f{i}": DeclaredSignal() for i in range(129)})},
            "at most 128 to be learned; got 129. Fit a reference",
        ),
        (
            {"learn": Learn(signals={n: DeclaredSignal(role="score") for n in "ab"})},
            "both are prediction.score",
        ),
    ],
)
def test_a_plan_that_cannot_be_learned_is_an_error(changes, words):
    with pytest.raises(PlanError, match=words):
        make_plan(**changes)


def test_a_plan_of_before_is_replaced_by_one_that_learns(drifting):
    """A reference of before judges until the new plan's first pane; then it is learned anew."""
    from tests.stream.harness import make_plan as make_known

    since = (START_S + 1_500) * 1000
    outcomes = []
    for partitions in (1, 3):
        book = PlanBook()
        book.add(make_known())
        book.add(make_plan(), since)
        alerts, monitor = run_stages(
            book, drifting, partitions=partitions, seed=partitions, snapshot_every=0.02
        )
        assert monitor.refused == {}
        outcomes.append((alerts, state_of(monitor.subjects[OURS])))
    assert outcomes[0] == outcomes[1]
    assert monitor.subjects[OURS].phase.tested_since_ms > since


def test_of_a_pane_with_many_more_values_what_is_learned_still_holds():
    """Sketches of larger panes are coarser; their bins are dealt as the learned ones were."""
    from stream.stage2.learned_reference import begin_reference, finish_reference

    rng = np.random.default_rng(0)

    def sketch(n: int) -> Sketch:
        made = Sketch(n, [n, 0, 0, 0])
        made.at("features.x").numbers.add(rng.normal(size=n))
        made.at("features.c").names.add(
            {f"name {k}": int(v) for k, v in enumerate(rng.multinomial(n, zipf)) if v}
        )
        return made

    zipf = 1 / np.arange(1, 5_001)
    zipf /= zipf.sum()
    plan = make_plan(segments=())
    learned_reference = begin_reference(plan, sketch(5_000))
    panes = [sketch(100) for _ in range(50)]
    table = np.array([learned_reference.counts(pane) for pane in panes])
    whole = sketch(5_000)
    for pane in panes:
        whole.merge(pane)
    final, reference = finish_reference(
        plan, learned_reference, whole, table, first_ms=0, last_ms=10**6
    )
    huge = sketch(2_000_000)
    learned = {s.name: s for s in reference.signals}
    assert huge.signals["features.x"].numbers.level > final.learned_signals[1].basis.numbers.level
    assert huge.signals["features.c"].names.rest > 0
    counts = final.counts(huge)
    for i, name in enumerate(("c", "x")):
        now = counts[final.layout.slice(i)] / 2_000_000
        was = learned[name].counts / learned[name].events
        assert now.sum() == pytest.approx(1)
        assert np.abs(now - was).max() < 0.03


def test_the_metrics_page_says_how_far_it_is(drifting):
    from stream.metrics.families import of_subjects

    def page(events: list[bytes]) -> dict[str, dict[str, float]]:
        _, monitor = run_stages(book_of(make_plan()), events, partitions=1, seed=0)
        families = of_subjects([monitor.subjects[OURS]], {})
        return {
            family.name: {s.labels["model_version"]: s.value for s in family.samples}
            for family in families
        }

    early, late = page(drifting[:600]), page(drifting)
    assert early["driftstream_learning_events"] == {"1": 600}
    assert early["driftstream_learned_timestamp_seconds"] == {}
    assert early["driftstream_budget_false_alarms_per_week"] == {}
    assert late["driftstream_learning_events"] == {}
    assert late["driftstream_learned_timestamp_seconds"] == {"1": START_S + 1_000}
    assert late["driftstream_budget_false_alarms_per_week"] == {"1": 200}


def test_its_end_is_in_the_log(caplog):
    with caplog.at_level("INFO", logger="stream.stage2.phase"):
        run_stages(book_of(make_plan()), make_events(3, 1_100), partitions=1, seed=0)
    (line,) = [r.message for r in caplog.records]
    assert line.startswith("fraud/1: learned from 1000 events, 4 signals; tested from event time")


def test_later_sketches_count_as_the_decoder_of_the_learned_reference_does(drifting, truth):
    """Every value falls into the bin that it would fall into with the reference saved."""
    from detectors.counting.sparse import decode_counts
    from stream.plans.plan import Plan

    held = truth[1]
    known = Plan(model="fraud", reference=held.detection.plan.reference, segments=("region",))
    records = [FileRecord(i, 0, e) for i, e in enumerate(drifting[1_000:])]
    direct = decoded_sketches(records, known)
    learned_reference = held.phase._learned_reference
    sketches = decoded_sketches(records, make_plan())
    assert direct.keys() == sketches.keys()
    for scope, encoded in direct.items():
        counts = learned_reference.counts(Sketch.decode(sketches[scope]))
        assert counts.tolist() == decode_counts(encoded, known.layout.width).tolist()


def test_late_events_are_told_of_while_it_learns():
    rng = random.Random(1)
    events = []
    for value in make_events(3, 900):
        event = msgspec.json.decode(value)
        if rng.random() < 0.1:
            event["timestamp"] -= 60
        events.append(msgspec.json.encode(event))
    alerts, monitor = run_stages(book_of(make_plan()), events, partitions=1, seed=0)
    assert monitor.subjects[OURS].detection is None
    data = alerts[0]["data"]
    assert (data["labels"]["kind"], data["signals"][0]["test"]) == ("system", "late_share")
    assert data["reference"] == ""
    assert data["config"] == make_plan().hash
