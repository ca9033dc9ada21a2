"""The native format, event by event: what counts as what, and what is refused."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import numpy as np
import pytest

from stream.decode import NativeDecoder
from stream.decode.columns import REASONS
from stream.decode.native import SAMPLE_EVERY
from stream.plans.plan import PlanBook
from tests.stream.decode_tools import (
    NOW,
    NOW_MS,
    Rec,
    book,
    decode,
    event,
    only,
    plan,
    record,
    values,
)

ABSENT, INVALID = math.inf, -math.inf


def reasons(decoded):
    return [(reject.index, reject.reason) for reject in decoded.rejects]


def test_a_complete_event_gives_every_signal():
    found = only(decode(event(actual={"label": "fraud"}, latency_seconds=0.25)))
    assert found == {
        "amount": 12.5,
        "age": 40.0,
        "country": "DE",
        "label": "ok",
        "score": 0.93,
        "actual": "fraud",
        "latency": 0.25,
    }


def test_groups_that_were_not_sent_are_absent_and_null_values_are_missing():
    found = only(decode(event(prediction=...)))
    assert (found["label"], found["score"], found["actual"]) == ("ABSENT", ABSENT, "ABSENT")
    assert found["latency"] == ABSENT
    found = only(decode(event(features=None)))
    assert (found["amount"], found["country"], found["score"]) == (ABSENT, "ABSENT", 0.93)
    found = only(decode(event(features={"amount": None}, latency_seconds=None)))
    assert math.isnan(found["amount"])
    assert math.isnan(found["age"])
    assert math.isnan(found["latency"])
    assert found["country"] == "MISSING"


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (True, 1.0),
        (False, 0.0),
        (7, 7.0),
        ("12.5", INVALID),
        ([1], INVALID),
        ({}, INVALID),
        (None, math.nan),
        (math.nan, math.nan),
        (math.inf, math.nan),
        (-math.inf, math.nan),
        (10**400, math.nan),
        (-0.0, -0.0),
    ],
)
def test_what_a_numeric_feature_takes(sent, got):
    decoded = decode(event(features={"amount": sent, "age": 1, "country": "FR"}))
    found = only(decoded)
    np.testing.assert_equal(found["amount"], got)
    assert found["age"] == 1.0  # the neighbours are untouched
    assert found["country"] == "FR"
    assert decoded.values_invalid == (got == INVALID)


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ("DE", "DE"),
        (3, "3"),
        (3.0, "3"),
        (True, "true"),
        (None, "MISSING"),
        ("XX", "UNSEEN"),
        (4.5, "UNSEEN"),
        (False, "UNSEEN"),
        ([], "INVALID"),
        ({"a": 1}, "INVALID"),
        (math.nan, "MISSING"),
        (1, "UNSEEN"),
        (10**30, "UNSEEN"),
        ("MISSING", "UNSEEN"),
    ],
)
def test_what_a_categorical_feature_takes(sent, got):
    decoded = decode(event(features={"amount": 1.0, "age": 1, "country": sent}))
    found = only(decoded)
    assert found["country"] == got
    assert found["amount"] == 1.0
    assert decoded.values_invalid == (got == "INVALID")


@pytest.mark.parametrize(
    ("sent", "label", "score"),
    [
        (0.4, "MISSING", 0.4),
        ("ok", "ok", math.nan),
        (True, "UNSEEN", math.nan),
        ({"label": "ok"}, "ok", math.nan),
        ({}, "MISSING", math.nan),
        ([1], "INVALID", INVALID),
    ],
)
def test_a_bare_prediction_is_a_score_or_a_label(sent, label, score):
    found = only(decode(event(prediction=sent)))
    np.testing.assert_equal((found["label"], found["score"]), (label, score))


def test_a_bare_number_is_the_label_of_a_model_without_score():
    numbers = np.random.default_rng(0).normal(size=400)
    plans = book(plan(columns={"label": numbers, "score": None}))
    assert only(decode(event(prediction=4.5), plans=plans))["label"] == 4.5
    decoded = decode(event(prediction="high"), plans=plans)
    assert only(decoded)["label"] == INVALID
    assert decoded.values_invalid == 1


def test_signals_that_are_not_monitored_are_not_there():
    plans = book(plan(ignore=("age", "label", "actual", "latency")))
    decoded = decode(event(features={"amount": 1, "age": "wrong"}), plans=plans)
    assert only(decoded).keys() == {"amount", "country", "score"}
    assert decoded.values_invalid == 0


@pytest.mark.parametrize(
    "time",
    [
        NOW,
        NOW_MS,
        int(NOW),
        float(NOW_MS),
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01T13:00:00.000+01:00",
        "2026-03-01T12:00:00.0001Z",
    ],
)
@pytest.mark.parametrize("slowly", [False, True])
def test_times(time, slowly):
    features = {"amount": "wrong" if slowly else 1.0}
    decoded = decode(event(timestamp=time, features=features))
    assert decoded.time_ms.tolist() == [NOW_MS]
    assert decoded.time_ms.dtype == np.int64


def test_times_of_many_forms_in_one_poll():
    times = [NOW, "2026-03-01T12:00:00.007Z", NOW_MS + 9]
    assert decode(*[event(timestamp=t) for t in times]).time_ms.tolist() == [
        NOW_MS,
        NOW_MS + 7,
        NOW_MS + 9,
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"\xff\xfe", "undecodable"),
        (b"{", "undecodable"),
        (b"[" * 100_000, "undecodable"),
        (b'{"a": "\\ud800", "model": 1}', "undecodable"),
        (b"{}" + b" " * 2_000_000, "too_large"),
        (b"7", "wrong_type"),
        (b"{}", "missing_field"),
        (event(model={"name": None}), "missing_field"),
        (event(model="fraud"), "wrong_type"),
        (event(model={"name": 7}), "wrong_type"),
        (event(model={"name": "fraud", "version": [3]}), "wrong_type"),
        (event(model={"name": "other"}), "unknown_model"),
        (event(timestamp=...), "missing_field"),
        (event(timestamp=None), "bad_timestamp"),
        (event(timestamp=True), "bad_timestamp"),
        (event(timestamp="yesterday"), "bad_timestamp"),
        (event(timestamp=math.nan), "bad_timestamp"),
        (event(timestamp=[1]), "bad_timestamp"),
        (event(timestamp=-1.0), "before_1970"),
        (event(timestamp="1969-12-31T23:59:59Z"), "before_1970"),
        (event(timestamp=NOW + 60.001), "too_far_ahead"),
        (event(timestamp=1e300), "too_far_ahead"),
        (event(timestamp="9999-01-01T00:00:00Z"), "too_far_ahead"),
        (event(features=[1, 2]), "wrong_type"),
        (event(features=..., prediction=...), "missing_field"),
    ],
)
def test_what_is_refused_and_the_next_event_is_not(value, reason):
    bad = Rec(value) if value is None or isinstance(value, bytes) else record(value)
    decoded = decode(event(), bad, event(timestamp=NOW + 1))
    assert reasons(decoded) == [(1, reason)]
    assert reason in REASONS
    assert decoded.record.tolist() == [0, 2]
    assert decoded.time_ms.tolist() == [NOW_MS, NOW_MS + 1000]
    assert 0 < len(decoded.rejects[0].error) <= 200


def test_errors_name_the_place_and_hold_no_value():
    secret = "4111-1111"
    for document in (
        event(timestamp=secret),
        event(model={"name": secret}),
        event(features=[secret]),
        event(model={"name": "fraud", "version": [secret]}),
    ):
        (reject,) = decode(document).rejects
        assert secret not in reject.error
        assert "at $" in reject.error
    (reject,) = decode(Rec(b'{"secret": 4111-1111}')).rejects
    assert secret not in reject.error


def test_bounds_are_inclusive():
    decoded = decode(event(timestamp=0), event(timestamp=NOW + 60.0))
    assert decoded.rejects == []
    assert decoded.time_ms.tolist() == [0, NOW_MS + 60_000]


def test_a_record_without_a_timestamp_is_taken_at_its_word():
    assert decode(record(event(timestamp=NOW + 1e6), timestamp=-1)).rejects == []
    without = None  # as in the first of Kafka's formats
    assert decode(record(event(timestamp=NOW + 1e6), timestamp=without)).rejects == []


def test_lone_actuals_are_counted_and_give_no_row():
    lone = event(features=..., prediction=..., actual={"label": "ok", "timestamp": NOW})
    decoded = decode(event(), lone, lone, event())
    assert decoded.actuals == 2
    assert decoded.rejects == []
    assert decoded.record.tolist() == [0, 3]
    assert decode(lone).groups == []


def test_versions_are_subjects_of_their_own():
    versions = ["3", 3, 3.0, None, "", "3.1", "03"]
    decoded = decode(
        *[event(model={"name": "fraud", "version": v}) for v in versions],
        event(model={"name": "fraud"}),
    )
    (group,) = decoded.groups
    assert group.rows.tolist() == list(range(8))
    assert group.versions == ["3", "3", "3", "", "", "3.1", "03", ""]


def test_models_may_be_interleaved():
    plans = book(plan(), plan("churn", columns={"country": None}))
    models = ["fraud", "churn", "churn", "fraud", "nobody", "churn"]
    decoded = decode(
        *[
            event(model={"name": m, "version": "1"}, features={"amount": i})
            for i, m in enumerate(models)
        ],
        plans=plans,
    )
    assert reasons(decoded) == [(4, "unknown_model")]
    assert decoded.record.tolist() == [0, 1, 2, 3, 5]
    found = {g.model: (g.rows.tolist(), g.numeric[:, 0].tolist()) for g in decoded.groups}
    assert found == {"fraud": ([0, 3], [0.0, 3.0]), "churn": ([1, 2, 4], [1.0, 2.0, 5.0])}


def test_segments_are_text():
    plans = book(plan(segments=("region", "tier")))
    decoded = decode(
        event(segments={"region": "eu", "tier": 2}),
        event(segments={"region": None, "tier": True}),
        event(segments={"tier": [1]}),
        event(segments="eu"),
        event(),
        plans=plans,
    )
    assert decoded.rejects == []
    assert decoded.groups[0].segments == [
        ["eu", None, None, None, None],
        ["2", "true", None, None, None],
    ]


def test_names_may_be_any_text():
    odd = {"class": 1.0, "a b": 2.0, "$.x": 3.0, "v0": 4.0, "größe": 5.0}
    columns = {name: np.arange(400.0) for name in odd}
    decoded = decode(event(features=odd), plans=book(plan(columns=columns)))
    assert {name: only(decoded)[name] for name in odd} == odd


def test_nan_inside_text_is_text():
    plans = book(plan(columns={"country": ["a: NaN, b", "a: null, b"] * 200}))
    value = json.dumps(event(features={"country": "a: NaN, b", "amount": math.nan})).encode()
    decoded = decode(Rec(value), plans=plans)
    assert only(decoded)["country"] == "a: NaN, b"
    assert math.isnan(only(decoded)["amount"])


def test_plans_are_looked_up_anew_when_one_is_added():
    plans = PlanBook()
    decoder = NativeDecoder(plans)
    assert reasons(decoder.decode([record(event())])) == [(0, "unknown_model")]
    plans.add(plan())
    assert decoder.decode([record(event())]).rejects == []


def test_the_plan_in_force_at_the_start_of_the_pane_decides():
    plans = book(plan(pane_ms=10_000))
    newer = plan(ignore=("age",), pane_ms=10_000)
    plans.add(newer, effective_from_ms=NOW_MS)
    newest = plan(ignore=("age", "amount"), pane_ms=10_000)
    plans.add(newest, effective_from_ms=NOW_MS + 20_000)
    decoder = NativeDecoder(plans)
    offsets_s = [-0.001, 0, 19.999, 20, -5, 20]
    events = [record(event(timestamp=NOW + s)) for s in offsets_s]
    for _ in range(2):  # the second time starts with another plan
        decoded = decoder.decode(events)
        found = {tuple(values(g)): g.rows.tolist() for g in decoded.groups}
        names = ("amount", "score", "latency", "country", "label", "actual")
        assert {frozenset(k): v for k, v in found.items()} == {
            frozenset((*names, "age")): [0, 4],
            frozenset(names): [1, 2],
            frozenset(names[1:]): [3, 5],
        }
        for group in decoded.groups:
            for time in decoded.time_ms[group.rows].tolist():
                assert group.plan is plans.plan_at("fraud", "3", group.plan.pane_of(time))


def test_unknown_fields_are_counted_on_a_sample():
    odd = event(extra=1, model={"name": "fraud", "owner": "me"}, tags={"any": 1})
    odd["features"]["unheard_of"] = 1
    records = [record(odd, offset=offset) for offset in range(5, SAMPLE_EVERY + 5)]
    assert NativeDecoder(book()).decode(records).unknown_fields == 3
    assert decode(record(event(), offset=0)).unknown_fields == 0
    assert decode(record(odd, offset=1)).unknown_fields == 0


def test_no_records_is_nothing():
    decoded = decode()
    assert decoded.time_ms.size == decoded.record.size == 0
    assert decoded.groups == []


def test_a_datetime_beyond_the_seconds_rule_is_not_taken_for_milliseconds():
    """As seconds it is above 1e11, which as milliseconds would be of the year 1973."""
    late = datetime(5200, 1, 1, tzinfo=UTC)
    (reject,) = decode(record(event(timestamp=late.isoformat()), timestamp=-1)).rejects
    assert (reject.reason, reject.error) == (
        "too_far_ahead",
        "Expected before the year 2200 - at $.timestamp",
    )


def test_ordinary_events_do_not_take_the_slow_path(monkeypatch):
    def fail(_):
        raise AssertionError("the slow path was taken")

    monkeypatch.setattr("stream.decode.native.parse_object", fail)
    batch = {
        "model": {"name": "fraud"},
        "columns": {"timestamp": [NOW], "features": {"amount": [math.nan]}},
    }
    decoded = decode(
        event(),
        event(model={"name": "churn", "version": 2}),
        event(features={"amount": True, "age": math.nan, "country": 3}),
        event(prediction="ok", features=...),
        batch,
        event(timestamp="2026-03-01T12:00:00Z"),
        plans=book(plan(), plan("churn")),
    )
    assert decoded.rejects == []
    assert len(decoded.time_ms) == 6
