"""Events that are sent more than once are counted once, and told of: in every form of events."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from detectors import ColumnMapping, fit_reference
from stream.contracts.prediction_event import ModelId, Prediction, PredictionEvent, encode_event
from stream.decode.record import FileRecord
from stream.files.row_batches import packed
from stream.files.row_events import RowEvent
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay
from tests.stream.harness import START_S, run_stages

T0 = 1_772_366_400.0
N = 24_000
STEP = 2.0
NAMES = np.array(["DE", "FR", "PL"])
REGIONS = np.array(["eu", "us"])


def rows(seed, n=N, start=T0):
    rng = np.random.default_rng(seed)
    return {
        "t": start + np.round(np.cumsum(rng.exponential(STEP, n)), 3),
        "x": np.round(rng.normal(size=n), 6),
        "c": NAMES[rng.choice(3, n, p=[0.5, 0.3, 0.2])],
        "score": np.round(rng.random(n), 6),
        "region": REGIONS[rng.choice(2, n, p=[0.7, 0.3])],
    }


def repeated(data, again, delay=0.0):
    """The rows, some of them a second time (`again`), that much later; and the row of each."""
    at = np.repeat(np.arange(len(data["t"])), 1 + again.astype(int))
    found = {name: column[at] for name, column in data.items()}
    second = np.concatenate([[False], at[1:] == at[:-1]])
    found["t"] = found["t"] + np.where(second, delay, 0.0)
    order = np.argsort(found["t"], kind="stable")
    return {name: column[order] for name, column in found.items()}, at[order]


def from_middle(share=1.0, seed=9):
    return (np.arange(N) >= N // 2) & (np.random.default_rng(seed).random(N) < share)


@cache
def reference(doubled=False, alike=False):
    data = rows(1)
    if doubled:
        data, _ = repeated(data, np.ones(N, bool))
    columns = {"x": data["x"], "c": data["c"].tolist(), "score": data["score"]}
    if alike:  # two values, and times of whole hours
        columns = {"c": (data["c"] == "DE").astype(int).astype(str).tolist()}
        data["t"] = data["t"] // 3_600 * 3_600
    return fit_reference(
        columns,
        model="m",
        times_ms=np.rint(data["t"] * 1000).astype(np.int64),
        roles={} if alike else {"score": "score"},
        column_mapping=ColumnMapping(timestamp="t"),
    )


def events_of(data, at=None):
    model = ModelId("m", "1")
    return [
        RowEvent(
            None,
            PredictionEvent(
                model,
                float(t),
                None if at is None else f"id-{at[i]}",
                {"x": float(x), "c": str(c)},
                Prediction(score=float(score)),
                segments={"region": str(region)},
            ),
            float(t),
        )
        for i, (t, x, c, score, region) in enumerate(
            zip(*(data[name] for name in ("t", "x", "c", "score", "region")), strict=True)
        )
    ]


def plan_of(baseline, **options):
    options = {"pane_ms": 60_000, "window_max_age_ms": 7_200_000, **options}
    return Plan(model="m", reference=baseline, **options)


def alerts_of(data, at=None, *, form="native", baseline=None, **options):
    book = PlanBook()
    book.add(plan_of(reference() if baseline is None else baseline, **options))
    records = [
        FileRecord(i, 0, value, headers=(("content-type", kind.encode()),))
        for i, (_, value, kind) in enumerate(packed(events_of(data, at), form))
    ]
    replay = Replay(book)
    alerts = list(replay.run(records))
    assert not replay.summariser.stats.rejected
    return [alert.data for alert in alerts]


def opened(alerts):
    return [(a.labels.kind, [s.name for s in a.signals]) for a in alerts if a.revision == 1]


ONLY_DUPLICATES = [("data_quality", ["duplicates"])]


@pytest.mark.parametrize("identified", [True, False])
@pytest.mark.parametrize("form", ["native", "batch", "arrow"])
def test_every_event_twice_is_one_episode_and_nothing_else(form, identified):
    data, at = repeated(rows(2), from_middle())
    alerts = alerts_of(data, at if identified else None, form=form)
    assert opened(alerts) == ONLY_DUPLICATES
    first = alerts[0]
    middle = rows(2)["t"][N // 2]
    assert "every event came 2.0 times since 2026-03-01" in first.annotations.summary
    assert alerts[-1].severity == "critical"
    assert first.annotations.action == "check_pipeline"
    (signal,) = first.signals
    began = np.datetime64(signal.change_point.estimate.rstrip("Z"), "ms").astype(int) / 1000
    assert abs(began - middle) <= 120.0


def test_without_copies_nothing_is_said_and_nothing_divided():
    assert alerts_of(rows(2)) == []
    assert alerts_of(rows(2), np.arange(N)) == []


@pytest.mark.parametrize("identified", [True, False])
def test_one_retry_in_a_hundred_is_not_worth_a_word(identified):
    data, at = repeated(rows(3), np.random.default_rng(0).random(N) < 0.01)
    assert alerts_of(data, at if identified else None) == []


def test_three_in_ten_twice():
    data, at = repeated(rows(4), from_middle(0.3))
    alerts = alerts_of(data, at)
    assert opened(alerts) == ONLY_DUPLICATES
    assert "times on average" in alerts[0].annotations.summary


@pytest.mark.parametrize("delay", [7.0, 61.0])
def test_retries_of_a_minute_later_are_found_in_other_panes(delay):
    """They have times of their own: only their ids tell."""
    data, at = repeated(rows(5), from_middle(), delay)
    assert opened(alerts_of(data, at)) == ONLY_DUPLICATES


def test_drift_beside_copies_is_found():
    data = rows(6)
    data["x"][N // 2 + 4_000 :] += 1.0
    data, at = repeated(data, from_middle())
    found = opened(alerts_of(data, at))
    assert sorted(found) == [("data_drift", ["x"]), *ONLY_DUPLICATES]


def test_when_copies_end_the_episode_does():
    once = from_middle()
    once[N // 2 + 6_000 :] = False
    data, at = repeated(rows(7), once)
    alerts = alerts_of(data, at)
    assert opened(alerts) == ONLY_DUPLICATES
    assert alerts[-1].status == "resolved"


def test_one_segment_whose_producer_repeats():
    data = rows(8)
    data, at = repeated(data, from_middle() & (data["region"] == "us"))
    alerts = alerts_of(data, at, segments=("region",), window_events=500)
    assert opened(alerts) == ONLY_DUPLICATES


def test_copies_in_the_reference_are_said_and_counted_once():
    clean, doubled = reference(), reference(doubled=True)
    assert clean.copies.share == 0.0
    assert not any("before" in words for words in clean.warnings)
    assert doubled.copies.share == pytest.approx(0.5)
    assert any("50 % of the rows had been there before" in words for words in doubled.warnings)
    assert doubled.events == clean.events
    assert doubled.events_per_week == pytest.approx(clean.events_per_week, rel=0.01)
    for one, two in zip(clean.signals, doubled.signals, strict=True):
        assert abs(one.events - two.events) <= 400  # one at most in each batch
        assert two.calibration.phi < 1.3 * one.calibration.phi
    assert type(doubled).from_json(doubled.to_json()).copies == doubled.copies
    data, at = repeated(rows(2), np.ones(N, bool))
    assert alerts_of(data, at, baseline=doubled) == []  # as usual
    assert alerts_of(rows(2), baseline=doubled) == []
    data, at = repeated(rows(2), np.ones(N, bool))
    assert opened(alerts_of(data, at)) == ONLY_DUPLICATES  # from the start


def test_rows_that_are_too_alike_need_ids_and_it_is_said():
    baseline = reference(alike=True)
    assert baseline.copies.rows == ""
    assert any("prediction_id" in words for words in baseline.warnings)
    assert not any("prediction_id" in words for words in reference().warnings)
    data = rows(2)
    data["c"] = (data["c"] == "DE").astype(int).astype(str)
    assert alerts_of(data, baseline=baseline) == []  # equal values are no copies
    data, at = repeated(data, from_middle())
    assert opened(alerts_of(data, at, baseline=baseline)) == ONLY_DUPLICATES


def test_rows_without_times_are_told_apart_by_their_values():
    data = rows(1)
    columns = {"x": data["x"], "c": data["c"].tolist(), "score": data["score"]}
    baseline = fit_reference(
        columns,
        model="m",
        times_ms=np.arange(N) * 1_000,
        roles={"score": "score"},
        column_mapping=ColumnMapping(),
    )
    assert baseline.copies.rows == "values"
    data, _ = repeated(rows(2), from_middle(), 1.0)
    assert opened(alerts_of(data, baseline=baseline)) == ONLY_DUPLICATES
    assert alerts_of(rows(2), baseline=baseline) == []


def test_an_id_that_all_events_have_is_said_and_hides_no_drift():
    data = rows(6)
    data["x"][N // 2 :] += 1.0
    alerts = alerts_of(data, np.zeros(N, int))
    assert ("data_drift", ["x"]) in opened(alerts)
    assert ("data_quality", ["duplicates"]) in opened(alerts)
    said = next(a for a in alerts if a.labels.kind == "data_quality").annotations.summary
    assert "it does not identify them" in said


@pytest.mark.parametrize("partitions", [3, 8])
def test_partitions_polls_and_restarts_change_no_bit(partitions):
    """Copies on other partitions than their events are found as well."""
    data = {**rows(2, 8_000), "t": START_S + np.arange(8_000) * 0.5}  # records come later
    data, at = repeated(data, np.arange(8_000) >= 3_000, 5.0)
    events = [encode_event(row.event) for row in events_of(data, at)]
    book = PlanBook()
    book.add(plan_of(reference(), segments=("region",), window_events=500))
    truth, whole = run_stages(book, events, partitions=1, seed=0)
    assert [a["data"]["labels"]["kind"] for a in truth if a["data"]["revision"] == 1] == [
        "data_quality"
    ]
    alerts, monitor = run_stages(
        book, events, partitions=partitions, seed=partitions, snapshot_every=0.1
    )
    assert alerts == truth
    (held,), (other,) = monitor.subjects.values(), whole.subjects.values()
    assert held.phase._copies.dump() == other.phase._copies.dump()
