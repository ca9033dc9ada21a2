"""What a monitor makes of values: a worker must count them as what they are."""

from __future__ import annotations

import json
import logging
import math
import uuid
from collections import namedtuple
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.counting.meaning import WRONG_TYPE, category_text, has_name, number_of
from stream.contracts.prediction_event import ModelId
from stream.publishing import InvalidEventError
from stream.publishing.events import EventMaker
from stream.publishing.notices import Notices
from stream.publishing.values import Values
from tests.stream.decode_tools import NOW, Rec, decode


class Colour(Enum):
    RED = "red"


class Level(float):
    pass


@pytest.fixture
def values() -> Values:
    return Values(Notices("test"))


def event(values: Values, features: Any = None, **members: Any) -> dict[str, Any]:
    names = ("prediction", "score", "actual", "identity", "timestamp", "latency_seconds")
    given = [members.pop(name, None) for name in names]
    rest = [members.pop(name, None) for name in ("segments", "tags", "actual_timestamp")]
    assert not members
    made = EventMaker(ModelId("fraud", "3"), values).event(features, *given, *rest)
    found: dict[str, Any] = json.loads(made, parse_constant=pytest.fail)
    return found


def sent(values: Values, value: Any) -> Any:
    return event(values, {"x": value})["features"]["x"]


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


SUPPORTED = [
    1,
    1.5,
    True,
    "DE",
    None,
    2**70,
    float("nan"),
    float("inf"),
    np.float64(0.1),
    np.float32(0.1),
    np.longdouble(1.5),
    np.int8(-3),
    np.uint64(2**64 - 1),
    np.bool_(True),
    np.str_("DE"),
    np.float64("nan"),
    np.float32("-inf"),
    Decimal("3.00"),
    Decimal("0.1"),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("-Infinity"),
    Level(2.5),
    date(2026, 3, 1),
    datetime(2026, 3, 1, 12, tzinfo=UTC),
]


@pytest.mark.parametrize("value", SUPPORTED, ids=repr)
def test_a_value_counts_as_what_it_is(values: Values, value: Any) -> None:
    """By the one table of meanings, which files and Arrow columns are read with too."""
    found = sent(values, value)
    assert same(number_of(found), number_of(value))
    assert has_name(found) == has_name(value)
    if has_name(value) and not math.isnan(number_of(value)):
        assert category_text(found) == category_text(value)
    assert not values.unserialisable


@pytest.mark.parametrize(
    "value",
    [pd.NA, pd.NaT, np.datetime64("NaT"), np.ma.masked, Decimal("NaN"), float("-inf")],
    ids=repr,
)
def test_what_is_missing_is_null(values: Values, value: Any) -> None:
    assert sent(values, value) is None
    assert not values.unserialisable


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float16(0.1), 0.1),
        (np.array(3.5), 3.5),
        (np.array(np.float32(0.5)), 0.5),
        (Colour.RED, "red"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pd.Timestamp("2026-03-01T13:00+01:00"), "2026-03-01T12:00:00Z"),
        (datetime(2026, 3, 1, 12), "2026-03-01T12:00:00Z"),
        (np.datetime64("2026-03-01T12:00"), "2026-03-01T12:00Z"),
        (np.datetime64("2026-03-01"), "2026-03-01"),
        (np.array([1.5, np.nan]), [1.5, None]),
        ((1, Decimal("2.5")), [1, 2.5]),
        ({1: np.int64(2)}, {"1": 2}),
        ("half \ud83d", "half \ufffd"),
        ("both \ud83d\ude00", "both \U0001f600"),
    ],
    ids=repr,
)
def test_other_values_are_sent_as(values: Values, value: Any, expected: Any) -> None:
    assert sent(values, value) == expected
    assert not values.unserialisable


@pytest.mark.parametrize(
    "value",
    [object(), b"bytes", {1, 2}, 1j, np.complex64(1j), timedelta(1), np.timedelta64(1, "s"), len],
    ids=repr,
)
def test_what_json_has_not_is_of_a_wrong_type_and_costs_no_event(
    values: Values, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    name = type(value).__name__
    for _ in range(3):
        features = {"amount": value, "age": 40, "country": value}
        made = event(values, features, prediction="ok", timestamp=NOW)
    assert made["features"] == {
        "amount": {"unserialisable": name},
        "age": 40,
        "country": {"unserialisable": name},
    }
    decoded = decode(Rec(json.dumps(made).encode()))
    assert not decoded.rejects
    assert decoded.values_invalid == 2
    assert number_of(made["features"]["amount"]) == WRONG_TYPE
    assert values.unserialisable == {name: 6}
    assert len([r for r in caplog.records if name in r.getMessage()]) == 1


def test_kinds_of_types_are_bounded(values: Values, caplog: pytest.LogCaptureFixture) -> None:
    for i in range(300):
        sent(values, type(f"T{i}", (), {})())
    assert len(values.unserialisable) <= 101
    assert sum(values.unserialisable.values()) == 300
    assert len(caplog.records) <= 101


@given(
    st.dictionaries(
        st.text() | st.integers(),
        st.none()
        | st.booleans()
        | st.floats()
        | st.integers()
        | st.text(st.characters())
        | st.binary()
        | st.decimals()
        | st.datetimes()
        | st.lists(st.floats(), max_size=2),
        max_size=5,
    )
)
def test_any_features_are_sent_and_read(features: dict[Any, Any]) -> None:
    values = Values(Notices("test"))
    made = event(values, features, timestamp=NOW)
    assert len(made["features"]) == len({str(name) for name in features})
    assert not decode(Rec(json.dumps(made).encode())).rejects


# ---- rows, ids, times


def test_features_are_any_mapping(values: Values) -> None:
    point = namedtuple("point", "x y")(1, 2.5)
    assert event(values, point)["features"] == {"x": 1, "y": 2.5}
    row = pd.DataFrame({"x": [1.0], "y": ["a"]}).iloc[0]
    assert event(values, row)["features"] == {"x": 1.0, "y": "a"}
    for wrong in (np.zeros(3), [1, 2], "x", 3):
        with pytest.raises(InvalidEventError, match="features must map names to values"):
            event(values, wrong)


def test_nothing_is_no_event(values: Values) -> None:
    with pytest.raises(InvalidEventError, match="needs features, a prediction, a score"):
        event(values)
    assert "features" in event(values, {})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (pd.NA, None),
        (np.float64("nan"), None),
        ("a", "a"),
        (7, "7"),
        (np.int64(7), "7"),
        (uuid.UUID(int=7), str(uuid.UUID(int=7))),
        ("\ud83d", "?"),
    ],
)
def test_ids(values: Values, value: Any, expected: str | None) -> None:
    assert values.identity(value) == expected


def test_ids_that_are_none(values: Values) -> None:
    for wrong in (True, [1], {"a": 1}):
        with pytest.raises(InvalidEventError, match="prediction_id must be a text or a number"):
            values.identity(wrong)


MOMENT = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture(params=["aware", "naive", "pandas", "pandas naive", "numpy", "number", "text"])
def time_form(request: pytest.FixtureRequest) -> tuple[str, Any]:
    naive = MOMENT.replace(tzinfo=None)
    return (
        request.param,
        {
            "aware": MOMENT,
            "naive": naive,
            "pandas": pd.Timestamp(MOMENT),
            "pandas naive": pd.Timestamp(naive),
            "numpy": np.datetime64(naive),
            "number": np.float64(MOMENT.timestamp()),
            "text": MOMENT.isoformat(),
        }[request.param],
    )


def test_every_form_is_the_same_moment(
    values: Values, time_form: tuple[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    form, value = time_form
    for _ in range(3):
        made = event(values, {"amount": 1.0, "age": 1, "country": "DE"}, timestamp=value)
    assert decode(Rec(json.dumps(made).encode())).time_ms.tolist() == [1_772_366_400_250]
    warned = [r for r in caplog.records if "without a zone is taken as UTC" in r.getMessage()]
    assert len(warned) == ("naive" in form)


@pytest.mark.parametrize(
    "wrong", ["yesterday", True, pd.NaT, float("nan"), None.__class__, [1], {}], ids=repr
)
def test_what_is_no_time_is_no_event(values: Values, wrong: Any) -> None:
    with pytest.raises(InvalidEventError, match=r"is no time\. Use RFC 3339"):
        event(values, {"x": 1}, timestamp=wrong)


def test_durations(values: Values) -> None:
    assert event(values, {"x": 1}, latency_seconds=timedelta(milliseconds=12))[
        "latency_seconds"
    ] == pytest.approx(0.012)
    assert event(values, {"x": 1}, latency_seconds=np.float32(0.5))["latency_seconds"] == 0.5


def test_kinds_are_told_again_after_they_were_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    notices = Notices("monitor of m")
    for _ in range(3):
        notices.warn("away", "nobody there")
    notices.over("what was never told is never over", "other")
    notices.over("back", "away", "other")
    notices.warn("away", "gone again")
    assert [r.getMessage() for r in caplog.records] == [
        f"monitor of m: {words}" for words in ("nobody there", "back", "gone again")
    ]
    assert notices.last_error == "gone again"
