"""The batch form: the same rows as single events, and all or nothing."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from stream.contracts.prediction_event import BATCH_CONTENT_TYPE
from stream.decode import NativeDecoder
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

HEADERS = (("trace", b"1"), ("content-type", BATCH_CONTENT_TYPE.encode() + b"; charset=utf-8"))


def batch(n=3, **columns):
    whole = {
        "timestamp": [NOW + i for i in range(n)],
        "prediction_id": [f"p{i}" for i in range(n)],
        "features": {"amount": [float(i) for i in range(n)], "country": ["DE"] * n},
        "prediction": {"score": [0.5] * n},
    } | columns
    whole = {name: column for name, column in whole.items() if column is not ...}
    return {"model": {"name": "fraud", "version": "3"}, "columns": whole}


@pytest.mark.parametrize("headers", [(), HEADERS])
def test_rows_of_a_batch_among_single_events(headers):
    decoded = decode(event(), record(batch(), headers=headers, timestamp=NOW_MS), event())
    assert decoded.rejects == []
    assert decoded.record.tolist() == [0, 1, 1, 1, 2]
    assert decoded.time_ms.tolist() == [NOW_MS, NOW_MS, NOW_MS + 1000, NOW_MS + 2000, NOW_MS]
    (group,) = decoded.groups
    assert group.rows.tolist() == [0, 1, 2, 3, 4]
    row = values(group, 2)
    assert (row["amount"], row["country"], row["score"]) == (1.0, "DE", 0.5)
    assert (row["label"], row["actual"], row["latency"]) == ("MISSING", "ABSENT", math.inf)
    assert math.isnan(row["age"])


def test_a_batch_first_and_other_models_between():
    plans = book(plan(), plan("churn"))
    other = event(model={"name": "churn"})
    decoded = decode(batch(2), other, batch(2), other, plans=plans)
    found = {g.model: g.rows.tolist() for g in decoded.groups}
    assert found == {"fraud": [0, 1, 3, 4], "churn": [2, 5]}
    assert decoded.record.tolist() == [0, 0, 1, 2, 2, 3]


def test_wrong_values_cost_themselves():
    features = {"amount": [1, "x", None], "age": [True, math.nan, 2], "country": [[], 3, None]}
    decoded = decode(batch(features=features))
    rows = [values(decoded.groups[0], i) for i in range(3)]
    np.testing.assert_equal([row["amount"] for row in rows], [1.0, -math.inf, math.nan])
    np.testing.assert_equal([row["age"] for row in rows], [1.0, math.nan, 2.0])
    assert [row["country"] for row in rows] == ["INVALID", "3", "MISSING"]
    assert decoded.values_invalid == 2


def test_bare_columns_and_latency():
    decoded = decode(
        batch(
            prediction=[0.25, "ok", None],
            actual=["ok", None, "fraud"],
            latency_seconds=[1, None, 2.5],
        )
    )
    rows = [values(decoded.groups[0], i) for i in range(3)]
    np.testing.assert_equal([row["score"] for row in rows], [0.25, math.nan, math.nan])
    assert [row["label"] for row in rows] == ["MISSING", "ok", "MISSING"]
    assert [row["actual"] for row in rows] == ["ok", "ABSENT", "fraud"]
    np.testing.assert_equal([row["latency"] for row in rows], [1.0, math.nan, 2.5])


def test_segments_of_a_batch():
    plans = book(plan(segments=("region",)))
    decoded = decode(batch(segments={"region": ["eu", 7, None]}), batch(), plans=plans)
    assert decoded.groups[0].segments == [["eu", "7", None, None, None, None]]


def test_a_batch_of_actuals():
    decoded = decode(batch(features=..., prediction=..., actual={"label": ["a", "b", None]}))
    assert (decoded.actuals, decoded.rejects, decoded.groups) == (3, [], [])


@pytest.mark.parametrize("slowly", [False, True])  # by an escape and a NaN
@pytest.mark.parametrize(
    ("columns", "reason", "where"),
    [
        ({"features": {"amount": [1.0]}}, "ragged_batch", "$.columns.features.amount"),
        ({"prediction": {"score": [1.0] * 4}}, "ragged_batch", "$.columns.prediction.score"),
        ({"prediction": [1.0]}, "ragged_batch", "$.columns.prediction"),
        ({"latency_seconds": [1.0]}, "ragged_batch", "$.columns.latency_seconds"),
        ({"segments": {"region": []}}, "ragged_batch", "$.columns.segments.region"),
        ({"timestamp": []}, "empty", "$.columns.timestamp"),
        ({"timestamp": ...}, "missing_field", "$.columns"),
        ({"timestamp": NOW}, "wrong_type", "$.columns.timestamp"),
        ({"timestamp": [NOW, "x", NOW]}, "bad_timestamp", "$.columns.timestamp[1]"),
        ({"timestamp": [NOW, NOW, -1]}, "before_1970", "$.columns.timestamp[2]"),
        ({"timestamp": [NOW, NOW + 61, NOW]}, "too_far_ahead", "$.columns.timestamp[1]"),
        ({"features": [1, 2, 3]}, "wrong_type", "$.columns.features"),
        ({"features": {"amount": 1.0}}, "wrong_type", "$.columns.features.amount"),
        ({"features": ..., "prediction": ...}, "missing_field", "$"),
    ],
)
def test_a_bad_batch_is_refused_as_a_whole(columns, reason, where, slowly):
    columns = dict(columns)
    if slowly:
        columns["tags"] = ["\n", math.nan]
    plans = book(plan(segments=("region",)))
    decoded = decode(event(), batch(**columns), event(), plans=plans)
    (reject,) = decoded.rejects
    assert (reject.index, reject.reason) == (1, reason)
    assert reject.error.endswith(f"at {where}")
    assert decoded.record.tolist() == [0, 2]


def test_a_batch_that_is_none():
    for columns in (7, [], "x"):
        (reject,) = decode({"model": {"name": "fraud"}, "columns": columns}).rejects
        assert (reject.reason, reject.error[-9:]) == ("wrong_type", "$.columns")
    (reject,) = decode(record(event(timestamp=...), headers=HEADERS)).rejects
    assert reject.reason == "missing_field"


def test_long_batches_are_too_large():
    (reject,) = decode(batch(4), max_batch_rows=3).rejects
    assert reject.reason == "too_large"
    assert only(decode(batch(1), max_batch_rows=1))["amount"] == 0.0


def test_a_single_event_may_have_a_field_called_columns():
    assert only(decode(event(columns={"a": 1})))["amount"] == 12.5


def test_rows_of_one_batch_may_fall_under_two_plans():
    plans = book(plan(pane_ms=1000))
    plans.add(plan(ignore=("age",), pane_ms=1000), effective_from_ms=NOW_MS + 2000)
    decoded = decode(event(timestamp=NOW + 9), batch(4), event(), plans=plans)
    found = {
        len(g.plan.decoded): (g.rows.tolist(), g.numeric[:, 0].tolist()) for g in decoded.groups
    }
    assert found == {6: ([0, 3, 4], [12.5, 2.0, 3.0]), 7: ([1, 2, 5], [0.0, 1.0, 12.5])}
    assert decoded.record.tolist() == [0, 1, 1, 1, 1, 2]
    assert decoded.time_ms.tolist() == [
        NOW_MS + 9000,
        NOW_MS,
        NOW_MS + 1000,
        NOW_MS + 2000,
        NOW_MS + 3000,
        NOW_MS,
    ]


def test_a_batch_that_one_of_its_plans_cannot_read_is_refused_as_a_whole():
    plans = book(plan(pane_ms=1000))
    plans.add(plan(ignore=("age",), pane_ms=1000), effective_from_ms=NOW_MS + 2000)
    ragged = batch(4, features={"amount": [1.0] * 4, "age": [1.0]})
    decoded = decode(ragged, event(), plans=plans)
    assert [(r.index, r.reason) for r in decoded.rejects] == [(0, "ragged_batch")]
    assert decoded.record.tolist() == [1]


def test_a_truncated_batch_is_undecodable():
    value = record(batch()).value
    assert decode(Rec(value[:-1])).rejects[0].reason == "undecodable"


def test_numbers_of_a_batch_become_no_objects(monkeypatch):
    """Its columns go from JSON to arrays in a kernel, and nobody looks for NaN in vain."""
    decoder = NativeDecoder(book(plan()))
    records = [record(batch(5), headers=HEADERS, timestamp=NOW_MS + 10_000)] * 2
    first = decoder.decode(records)
    monkeypatch.setattr("stream.decode.batch._NUMBERS", None)
    monkeypatch.setattr("stream.decode.native.null_constants", None)
    second = decoder.decode(records)
    assert second.rejects == []
    assert second.groups[0].numeric.tobytes() == first.groups[0].numeric.tobytes()
    assert len(second.time_ms) == 10


@pytest.mark.parametrize("form", ["null", "[1.5, NaN, true]", "[1.5, null, 9007199254740993]"])
def test_columns_that_are_not_plain_numbers(form):
    value = json.dumps(batch(3)).replace("[0.0, 1.0, 2.0]", form).encode()
    (group,) = decode(Rec(value, headers=HEADERS, timestamp=NOW_MS + 10_000)).groups
    wanted = {
        "null": [math.nan] * 3,
        "[1.5, NaN, true]": [1.5, math.nan, 1.0],
        "[1.5, null, 9007199254740993]": [1.5, math.nan, 9007199254740992.0],
    }
    got = [values(group, i)["amount"] for i in range(3)]
    assert np.array_equal(got, wanted[form], equal_nan=True)
