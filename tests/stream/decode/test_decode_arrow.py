"""Arrow IPC batches: the same rows as native batches, and no bytes that stop the decoder."""

from __future__ import annotations

import base64
import json
import math
import random
import zlib
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.contracts.prediction_event import ARROW_CONTENT_TYPE
from stream.decode import NativeDecoder
from tests.stream.decode_tools import NOW, NOW_MS, Rec, book, decode, event, plan, record, values

HEADERS = (("content-type", ARROW_CONTENT_TYPE.encode()),)
PLANS = book(plan(segments=("region",)))


def ipc(columns, *, metadata=None, batches=1, **options) -> bytes:
    about = {"model.name": "fraud", "model.version": "3"} if metadata is None else metadata
    table = pa.table(columns).replace_schema_metadata(about)
    sink = pa.BufferOutputStream()
    size = max(1, -(-len(table) // batches))
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as out:
        out.write_table(table, max_chunksize=size)
    return sink.getvalue().to_pybytes()


def arrow(columns, **options) -> Rec:
    return Rec(ipc(columns, **options), headers=HEADERS)


def times(n=3):
    return pa.array([NOW_MS + 1000 * i for i in range(n)], pa.timestamp("ms"))


def one(column, name="features.amount"):
    """Values of all signals of the rows, with this one column."""
    decoded = decode(arrow({"timestamp": times(len(column)), name: column}))
    assert decoded.rejects == []
    return [values(decoded.groups[0], i) for i in range(len(column))]


def test_rows_among_other_forms():
    native = {
        "model": {"name": "fraud", "version": "3"},
        "columns": {"timestamp": [NOW], "features": {"amount": [7.0]}},
    }
    batch = arrow(
        {
            "timestamp": times(),
            "features.amount": [1.0, None, 3.0],
            "features.country": pa.array(["DE", None, "zz"]).dictionary_encode(),
            "prediction.score": [0.1, 0.2, 0.3],
            "unread": [[1], [2], []],
        }
    )
    decoded = decode(event(), batch, native, event())
    assert decoded.rejects == []
    assert decoded.record.tolist() == [0, 1, 1, 1, 2, 3]
    assert decoded.time_ms.tolist() == [
        NOW_MS,
        NOW_MS,
        NOW_MS + 1000,
        NOW_MS + 2000,
        NOW_MS,
        NOW_MS,
    ]
    (group,) = decoded.groups
    assert group.rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert [values(group, i)["amount"] for i in (0, 1, 3, 4)] == [12.5, 1.0, 3.0, 7.0]
    row = values(group, 2)
    assert math.isnan(row["amount"])
    assert math.isnan(row["age"])
    assert (row["country"], row["score"], row["label"]) == ("MISSING", 0.2, "MISSING")
    assert (row["actual"], row["latency"]) == ("ABSENT", math.inf)
    assert values(group, 3)["country"] == "UNSEEN"


def _of_views(text):
    """A category of polars, which Arrow itself cannot decode, and a null."""
    return pa.DictionaryArray.from_arrays(
        pa.array([0, None], pa.uint32()), pa.array([text], pa.string_view())
    )


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array([1, None], pa.int8()), [1.0, math.nan]),
        (pa.array([2**63, 1], pa.uint64()), [2.0**63, 1.0]),
        (pa.array([1.5, math.inf], pa.float32()), [1.5, math.nan]),
        (pa.array([-math.inf, math.nan]), [math.nan, math.nan]),
        (pa.array([True, None]), [1.0, math.nan]),
        (pa.array([np.float16(0.5), None], pa.float16()), [0.5, math.nan]),
        (pa.array([Decimal("1.5"), None]), [1.5, math.nan]),
        (pa.array([1.5, None]).dictionary_encode(), [1.5, math.nan]),
        (pa.array(["1", None]), [-math.inf, math.nan]),
        (pa.array([[1], None]), [-math.inf, math.nan]),
        (pa.nulls(2), [math.nan, math.nan]),
        (_of_views("1.5"), [-math.inf, math.nan]),
    ],
)
def test_numeric_types(column, wanted):
    np.testing.assert_equal([row["amount"] for row in one(column)], wanted)


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array(["DE", None]), ["DE", "MISSING"]),
        (pa.array(["DE", "x"], pa.large_string()), ["DE", "UNSEEN"]),
        (pa.array(["DE", None], pa.string_view()), ["DE", "MISSING"]),
        (
            pa.DictionaryArray.from_arrays(pa.array([1, None], pa.int8()), ["FR", "DE"]),
            ["DE", "MISSING"],
        ),
        (
            pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.uint16()), ["FR", None]),
            ["FR", "MISSING"],
        ),
        (_of_views("DE"), ["DE", "MISSING"]),
        (pa.array([3, 4], pa.int16()), ["3", "UNSEEN"]),
        (pa.array([3.0, math.nan]), ["3", "MISSING"]),
        (pa.array([True, None]), ["true", "MISSING"]),
        (pa.array([b"DE", None]), ["INVALID", "MISSING"]),
        (pa.array([Decimal("3.00"), None]), ["3", "MISSING"]),
        (pa.array([b"DE", None]).dictionary_encode(), ["INVALID", "MISSING"]),
        (pa.array([{"a": 1}, None]), ["INVALID", "MISSING"]),
        (pa.nulls(2), ["MISSING", "MISSING"]),
    ],
)
def test_categorical_types(column, wanted):
    assert [row["country"] for row in one(column, "features.country")] == wanted


def test_bare_columns_latency_and_segments():
    decoded = decode(
        arrow(
            {
                "timestamp": times(2),
                "prediction": ["ok", None],
                "actual": ["fraud", None],
                "latency_seconds": [1, None],
                "segments.region": ["eu", None],
            }
        ),
        plans=PLANS,
    )
    (group,) = decoded.groups
    rows = [values(group, i) for i in range(2)]
    assert [row["label"] for row in rows] == ["ok", "MISSING"]
    assert [row["actual"] for row in rows] == ["fraud", "ABSENT"]
    np.testing.assert_equal([row["latency"] for row in rows], [1.0, math.nan])
    assert group.segments == [["eu", None]]
    assert [row["score"] for row in one(pa.array([0.25, 0.5]), "prediction")] == [0.25, 0.5]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([NOW_MS], pa.timestamp("ms", "Europe/Berlin")),
        pa.array([int(NOW)], pa.timestamp("s")),
        pa.array([NOW_MS * 1000 + 400], pa.timestamp("us")),
        pa.array([NOW_MS * 1_000_000], pa.timestamp("ns")),
        pa.array([NOW]),
        pa.array([int(NOW)]),
        pa.array([NOW_MS]),
        pa.array([datetime.fromtimestamp(NOW, UTC).isoformat()]),
        pa.array(["2026-03-01T12:00:00"]).dictionary_encode(),
    ],
)
def test_times(column):
    decoded = decode(arrow({"timestamp": column, "features.amount": [1.0]}))
    assert decoded.rejects == []
    assert decoded.time_ms.tolist() == [NOW_MS]


@pytest.mark.parametrize(
    ("columns", "options", "reason", "words"),
    [
        ({}, {}, "empty", "at timestamp"),
        ({"timestamp": times(5)}, {"max_batch_rows": 4}, "too_large", "at most 4 rows"),
        ({"timestamp": pa.array([NOW, None, NOW])}, {}, "bad_timestamp", "at timestamp[1]"),
        ({"timestamp": pa.array([NOW, math.nan, NOW])}, {}, "bad_timestamp", "at timestamp[1]"),
        (
            {"timestamp": pa.array([NOW_MS, None, 0], pa.timestamp("ms"))},
            {},
            "bad_timestamp",
            "at timestamp[1]",
        ),
        ({"timestamp": pa.array(["x"] * 3)}, {}, "bad_timestamp", "at timestamp[0]"),
        ({"timestamp": pa.array([True] * 3)}, {}, "bad_timestamp", "at timestamp[0]"),
        ({"timestamp": pa.array([b""] * 3)}, {}, "bad_timestamp", "binary"),
        ({"timestamp": pa.array([NOW, -1.0, NOW])}, {}, "before_1970", "at timestamp[1]"),
        ({"timestamp": pa.array([NOW, NOW, NOW + 61])}, {}, "too_far_ahead", "at timestamp[2]"),
    ],
)
def test_a_bad_batch_is_refused_as_a_whole(columns, options, reason, words):
    columns = columns or {"timestamp": times(0)}
    n = len(columns["timestamp"])
    bad = arrow({**columns, "features.amount": pa.array([1.0] * n, pa.float64())})
    decoded = decode(event(), bad, event(), **options)
    (reject,) = decoded.rejects
    assert (reject.index, reject.reason) == (1, reason)
    assert words in reject.error
    assert decoded.record.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        (b"no", "undecodable", "Arrow"),
        (b'{"a": 1}', "undecodable", "Arrow"),
        (ipc({"timestamp": times()}, metadata={}), "missing_field", "model.name"),
        (ipc({"timestamp": times()}, metadata={"model.name": "x"}), "unknown_model", ""),
        (ipc({"features.amount": [1.0]}), "missing_field", "`timestamp`"),
        (ipc({"timestamp": times()}), "missing_field", "none of"),
        (
            ipc({"timestamp": times(), "features.amount": [0.0] * 3}, compression="zstd"),
            "undecodable",
            "compressed",
        ),
        (
            ipc(
                {"timestamp": times(), "features.amount": pa.array([0.0] * 3).dictionary_encode()},
                compression="lz4",
            ),
            "undecodable",
            "compressed",
        ),
    ],
)
def test_refusals(value, reason, words):
    (reject,) = decode(Rec(value, headers=HEADERS)).rejects
    assert reject.reason == reason
    assert words in reject.error


def test_actuals_alone():
    decoded = decode(arrow({"timestamp": times(), "actual.label": ["a", "b", None]}))
    assert (decoded.actuals, decoded.rejects, decoded.groups) == (3, [], [])


def test_rows_may_fall_under_two_plans():
    plans = book(plan(pane_ms=1000))
    plans.add(plan(ignore=("age",), pane_ms=1000), effective_from_ms=NOW_MS + 2000)
    batch = arrow({"timestamp": times(4), "features.amount": [0.0, 1.0, 2.0, 3.0]})
    late = Rec(record(event()).value, timestamp=NOW_MS)
    decoded = decode(batch, late, plans=plans)
    found = {
        len(g.plan.decoded): (g.rows.tolist(), g.numeric[:, 0].tolist()) for g in decoded.groups
    }
    assert found == {6: ([2, 3], [2.0, 3.0]), 7: ([0, 1, 4], [0.0, 1.0, 12.5])}


number = st.none() | st.floats() | st.integers(-1000, 1000).map(float)
category = st.none() | st.sampled_from(["DE", "FR", "3", "né", "", "unseen"])


@given(
    st.lists(st.tuples(number, number, category, category), min_size=1, max_size=8),
    st.integers(1, 3),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_arrow_is_its_native_batch(rows, batches, encoded):
    amount, score, country, region = (list(column) for column in zip(*rows, strict=True))
    time = [NOW + i / 8 for i in range(len(rows))]
    native = {
        "model": {"name": "fraud", "version": "3"},
        "columns": {"timestamp": time, "features": {"amount": amount, "country": country},
                    "prediction": {"score": score}, "segments": {"region": region}},
    }  # fmt: skip
    texts = [pa.array(column, pa.string()) for column in (country, region)]
    if encoded:
        texts = [column.dictionary_encode() for column in texts]
    columns = {
        "timestamp": time,
        "features.amount": pa.array(amount, pa.float64()),
        "features.country": texts[0],
        "prediction.score": pa.array(score, pa.float64()),
        "segments.region": texts[1],
    }
    one = NativeDecoder(PLANS).decode([Rec(json.dumps(native).encode())])
    two = NativeDecoder(PLANS).decode([arrow(columns, batches=batches)])
    assert one.time_ms.tolist() == two.time_ms.tolist()
    (a,), (b,) = one.groups, two.groups
    np.testing.assert_array_equal(a.numeric, b.numeric)
    assert a.codes.tobytes() == b.codes.tobytes()
    assert a.segments == b.segments


def test_damaged_bytes_are_rejects_and_never_a_crash():
    whole = ipc(
        {
            "timestamp": times(50),
            "features.amount": pa.array([float(i) if i % 5 else None for i in range(50)]),
            "features.country": pa.array(["DE", "FR"] * 25).dictionary_encode(),
            "prediction.label": pa.array(["ok", "fraud"] * 25),
            "segments.region": pa.array([f"r{i}" for i in range(50)]),
        },
        batches=2,
    )
    decoder = NativeDecoder(PLANS)
    rng = random.Random(5)
    outcomes = set()
    for trial in range(3_000):
        value = bytearray(whole)
        if trial % 3 == 0:
            del value[rng.randrange(len(value)) :]
        for _ in range(rng.randint(0 if trial % 3 == 0 else 1, 4)):
            if value:
                value[rng.randrange(len(value))] = rng.choice([0, 1, 127, 128, 255])
        decoded = decoder.decode([Rec(bytes(value), headers=HEADERS)])
        assert len(decoded.rejects) + (decoded.actuals > 0) == (not len(decoded.time_ms))
        outcomes |= {reject.reason for reject in decoded.rejects} or {"taken"}
    assert {"taken", "undecodable", "empty"} <= outcomes


#: Its times are of an interval type, for which pyarrow has no arrays; found by fuzzing.
INTERVALS = (
    "c-oCry-plK4EF5p9-FX&D-ha(f`S62I8jE5fGtx{@CaGm4&)^E4(*SGs3`IPlz}P*1&=^Y866T2!2|FF8SEJ^nRB"
    "=ZOWv8WKYKoVd}oX?+X27;NIt>}^dW*6cPJ`+wI}!u*`C=wx>3m<<ClCf?$_8Cp&nIvTi9rTa$4w<;Uq6L;0*vjF"
    "gQbf!u?Owg5z%f7=xJ;%Cq6!LuZO>CzZ|-93t;WhYg5h%2?oa+~|__nIQ});tY1LBEoNa_*K+eAD4R4)Wb?2kEat"
    "T5WC~>J;HB!csid}x)_fdgbwS`w9;h%<nZWEu@`+<!oCcUx$B{dsD`g17xm^y=S^GbdN=~^VraizZ)409JGgSZLm"
    "U6-@!MFG^9<nL;sVR1<3&|4uVvYf52($!)OC}Wr--MRzQa-r%`LwNSdMEvF^SCzL1=v```yI2db(Lkd0xnK!1e(C"
    "N)HxG;=O^yDv`&xcewog9C#GWo$~8gpRc1A+8TbnW|`-mD96FSfAv4SQ?V*uH--JP@Mog#Ly`AT_`iwx@1kF4-fx"
    "8DLgc#;_)Fox6n>JWH{Pr#cq}@@JN^H>>+kC?7SC(IYcvOX-k%SOv*?Z4AbFV0b{}R3d)HT2d-DE(`$ekTwwCi2c"
    "zHUW#{KWW3kSD$eE"
)


def test_a_column_of_a_type_that_python_has_not():
    value = zlib.decompress(base64.b85decode(INTERVALS))
    (reject,) = decode(Rec(value, headers=HEADERS)).rejects
    assert reject.reason == "wrong_type"
    assert "a type that cannot be read" in reject.error
    unread = value.replace(b"timestamp", b"some_span")
    (reject,) = decode(Rec(unread, headers=HEADERS)).rejects
    assert reject.reason == "missing_field"  # what nobody reads may have any type


#: Dictionaries of intervals; found by fuzzing.
DICTIONARY_OF_INTERVALS = (
    "c-oCry-plK4EF5p9t*4j1wva;P^5?`PAMZrz?LZ}c!aEO2RMnnL;E8kDvCS+B~YcH$RnhtM2Eyf<N<gBCiaXM<_w3h"
    "<eeG&v*)wNcg7g=B>-3jk|p>AeTX2&9f}H{?FoKEwr6&aZd9_z_$6PA`!)7Os0UTv7B(87oD}+aFwRR2cmu#M49-yh"
    ";r<e};JBM7V=!|<c{aRz=uC0#xY9X-L*)J7umN#Q84J9Q8eP&pGlT&}oWbr@MEFe)zk*up!%~l%dQj=Z(PRt-V!t|k"
    "kMN&8Je^M}U5theLI?G5QfabpIXwDP>_s0IurI5~-1Sf`Qw={vF6zyJ&YQN<^<W6x#n67c-o}_Ic5vl*hc^Df<F_#{"
    "=PAIg#RZm2$BU|9UQ4nci>S@0)OC}WCy1w*zQa-r%^!XbupHNTViKDbg3$U>_PdF3^>nk8^1P5|kL>}xNDt;q;=O^y"
    "Dv`&xcewoQ40sgGU**@aK3hjGv^D&G&N9n8QI3Ou|H?bOQ?V*uH--J1@Mog#eUW!x_<xG{Bhjx@?>9nnF7llV{Dtse"
    "2tUcf8*kPVJm#I@gZ@|VdUyTZ;&}~tjb=cPyR$)Y7QHbWB=^(l_Wg8k=lbeuN8TTBzesi4)^gqgFHgtQxc?pa4;&bF"
    "f&"
)


def test_a_dictionary_of_values_of_a_type_that_python_has_not():
    value = zlib.decompress(base64.b85decode(DICTIONARY_OF_INTERVALS))
    (reject,) = decode(Rec(value, headers=HEADERS)).rejects
    assert reject.reason == "wrong_type"
    assert "a type that cannot be read" in reject.error
