"""Laws of decoding: both paths agree, and polls and forms make no difference."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.contracts.event_time import times_ms
from stream.decode import NativeDecoder
from stream.decode.batch import coerce_batch, read_columns
from stream.decode.compiled_decoder import CompiledDecoder
from stream.decode.values import RefusedError, null_constants, parse_object
from stream.plans.plan import Subject
from tests.stream.decode_tools import NOW, NOW_MS, Rec, book, decode, event, plan, record, values

PLAN = plan(segments=("region",))
BOOK = book(PLAN, plan("churn", columns={"label": None, "country": None}))

text = st.sampled_from(["DE", "FR", "3", "true", "ok", "fraud", "", "né\u00e9", "NaN", '"', "\\"])
number = (
    st.floats()
    | st.integers(-5, 5)
    | st.integers(-(10**40), 10**40)
    | st.sampled_from([0.0, -0.0, 1e308, 5e-324, 10**309, 3, 3.0, 1.5])
)
scalar = text | number | st.booleans() | st.none()
anything = scalar | st.lists(scalar, max_size=2) | st.dictionaries(text, scalar, max_size=2)
mostly = st.one_of(scalar, scalar, scalar, anything)
time = (
    st.sampled_from([NOW, NOW_MS, int(NOW), -1.0, "2026-03-01T11:59:59.9996Z", "x", None, NOW + 99])
    | st.integers(0, NOW_MS)
    | st.floats(0, NOW)
    | st.datetimes().map(lambda t: t.isoformat() + "Z")
    | st.datetimes().map(lambda t: t.isoformat())
)


def maybe(fields):
    """Objects with any of these members, in any order."""
    return st.lists(st.sampled_from(sorted(fields)), unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: fields[name] for name in names})
    )


features = maybe({"amount": mostly, "age": mostly, "country": mostly, "unknown": anything})
prediction = maybe({"label": mostly, "score": mostly}) | scalar
document = maybe(
    {
        "features": st.one_of(features, features, st.none(), anything),
        "prediction": st.one_of(prediction, anything),
        "actual": st.none() | maybe({"label": mostly, "timestamp": time}) | anything,
        "segments": st.none() | maybe({"region": mostly}) | anything,
        "latency_seconds": mostly,
        "tags": anything,
    }
).flatmap(
    lambda members: time.map(lambda t: {"model": {"name": "fraud"}, "timestamp": t} | members)
)


def assert_same(one, two):
    assert one.time_ms.tobytes() == two.time_ms.tobytes()
    assert one.record.tobytes() == two.record.tobytes()
    assert len(one.groups) == len(two.groups)
    for a, b in zip(one.groups, two.groups, strict=True):
        assert (a.model, a.versions) == (b.model, b.versions)
        assert a.rows.tobytes() == b.rows.tobytes()
        assert a.numeric.tobytes() == b.numeric.tobytes()
        assert a.codes.tobytes() == b.codes.tobytes()
        assert a.segments == b.segments


def arrays_bytes(compiled, events):
    numeric, codes, segments = compiled.arrays(events)
    # NaN has many bit patterns; only the one that numpy makes may come out.
    return numeric.tobytes(), codes.tobytes(), segments, compiled.invalid_values(numeric, codes)


def block_bytes(block):
    arrays = (block.ms, block.numeric, block.codes)
    return [a.tobytes() for a in arrays], block.segments, block.lone, block.actual


COMPILED = CompiledDecoder(Subject("fraud", "*"), PLAN)


@given(document)
@settings(max_examples=600, deadline=None)
def test_the_fast_and_the_slow_path_agree(members):
    value = json.dumps(members).encode()
    try:
        fast = COMPILED.decode(null_constants(value) or value)
    except ValueError:
        return
    slow = COMPILED.coerce(parse_object(value))
    assert times_ms([fast.timestamp]).tolist() == times_ms([slow.timestamp]).tolist()
    assert (fast.actual is None) == (slow.actual is None)
    assert (fast.features is None) == (slow.features is None)
    assert (fast.prediction is None) == (slow.prediction is None)
    assert arrays_bytes(COMPILED, [fast]) == arrays_bytes(COMPILED, [slow])


def columns_of(n):
    column = st.lists(scalar, min_size=n, max_size=n)
    return maybe(
        {
            "features": maybe({"amount": column, "age": column, "country": column}),
            "prediction": maybe({"label": column, "score": column}) | column,
            "actual": maybe({"label": column}),
            "segments": maybe({"region": column}),
            "latency_seconds": column,
        }
    )


@given(st.integers(1, 4).flatmap(columns_of), st.integers(1, 4) | st.none())
@settings(max_examples=300, deadline=None)
def test_the_fast_and_the_slow_path_agree_on_batches(columns, n):
    if n is None:  # as long as the others are; any other number is ragged
        n = max((len(c) for c in columns.values() if isinstance(c, list)), default=2)
    columns = {"timestamp": [NOW] * n, **columns}
    value = json.dumps({"model": {"name": "fraud"}, "columns": columns}).encode()
    try:
        fast = read_columns(
            COMPILED, COMPILED.decode_batch(null_constants(value) or value).columns, 10
        )
    except ValueError:
        return
    except RefusedError as refused:
        with pytest.raises(RefusedError, match=re.escape(refused.error)):
            read_columns(COMPILED, coerce_batch(COMPILED, parse_object(value)), 10)
        return
    slow = read_columns(COMPILED, coerce_batch(COMPILED, parse_object(value)), 10)
    assert block_bytes(fast) == block_bytes(slow)


@given(st.lists(document, max_size=8), st.data())
@settings(max_examples=150, deadline=None)
def test_polls_make_no_difference(documents, data):
    records = [record(one, offset=i) for i, one in enumerate(documents)]
    if records:
        i = data.draw(st.integers(0, len(records) - 1))
        records[i] = data.draw(
            st.sampled_from(
                [
                    Rec(None),
                    Rec(b"\xff"),
                    record(event(model={"name": "churn"})),
                    record(event(model={"name": "nobody"})),
                    record(event(model={"name": "fraud"})),
                ]
            )
        )
    whole = NativeDecoder(BOOK).decode(records)
    decoder = NativeDecoder(BOOK)
    single = [decoder.decode([one]) for one in records]
    assert [(r.index, r.reason) for r in whole.rejects] == [
        (i, r.reason) for i, one in enumerate(single) for r in one.rejects
    ]
    assert whole.time_ms.tolist() == [t for one in single for t in one.time_ms.tolist()]
    assert whole.values_invalid == sum(one.values_invalid for one in single)
    assert whole.actuals == sum(one.actuals for one in single)
    for group in whole.groups:
        alone = [g for one in single for g in one.groups if g.model == group.model]
        assert group.numeric.tobytes() == b"".join(g.numeric.tobytes() for g in alone)
        assert group.codes.tobytes() == b"".join(g.codes.tobytes() for g in alone)
    # every record is one row, one reject or one lone actual
    assert len(whole.time_ms) + len(whole.rejects) + whole.actuals == len(records)


a_number = st.none() | st.booleans() | st.floats(-1e9, 1e9) | st.integers(-9, 9)


@given(st.lists(st.tuples(a_number, a_number), min_size=1, max_size=8))
def test_a_missing_number_costs_its_own_place_alone(rows):
    events = [
        event(model={"name": "numbers"}, features={"amount": amount, "age": age}, prediction=0.5)
        for amount, age in rows
    ]
    only_numbers = plan("numbers", columns=dict.fromkeys(["country", "label", "actual", "latency"]))
    (group,) = decode(*events, plans=book(only_numbers)).groups
    found = [tuple(values(group, i).values()) for i in range(len(rows))]
    assert len(found) == len(rows)
    for got, sent in zip(found, rows, strict=True):
        expected = (*(math.nan if v is None else float(v) for v in sent), 0.5)
        assert repr(got) == repr(expected)


@given(st.lists(st.tuples(scalar, scalar, scalar, scalar), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_a_batch_is_its_events(rows):
    singles = [
        record(
            event(
                features={"amount": a, "country": c},
                prediction={"label": p, "score": s},
                timestamp=NOW + i,
            )
        )
        for i, (a, c, p, s) in enumerate(rows)
    ]
    amount, country, label, score = (list(column) for column in zip(*rows, strict=True))
    batch = {
        "model": {"name": "fraud", "version": "3"},
        "columns": {
            "timestamp": [NOW + i for i in range(len(rows))],
            "features": {"country": country, "amount": amount},
            "prediction": {"score": score, "label": label},
        },
    }
    one = NativeDecoder(BOOK).decode(singles)
    two = NativeDecoder(BOOK).decode([record(batch)])
    two.record = np.arange(len(rows))
    assert_same(one, two)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")))
def test_no_bytes_stop_the_decoder(value):
    decoded = NativeDecoder(BOOK).decode([record(event()), Rec(value), record(event())])
    assert decoded.record.tolist() == [0, 2]
    assert [reject.index for reject in decoded.rejects] == [1]


@given(document, st.integers(0, 400), st.integers(0, 255))
def test_no_damage_stops_the_decoder(members, at, byte):
    value = bytearray(json.dumps(members).encode())
    value[at % len(value)] = byte
    decoded = NativeDecoder(BOOK).decode([Rec(bytes(value))])
    assert len(decoded.time_ms) + len(decoded.rejects) + decoded.actuals == 1
