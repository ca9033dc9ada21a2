"""What producers write is what the decoder reads."""

from __future__ import annotations

import doctest
import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import stream.contracts.prediction_event
from stream.contracts.prediction_event import (
    BATCH_CONTENT_TYPE,
    EVENT_CONTENT_TYPE,
    Actual,
    BatchColumns,
    ModelId,
    Prediction,
    PredictionBatch,
    PredictionEvent,
    encode_batch,
    encode_event,
)
from stream.decode import NativeDecoder
from stream.decode.columns import REASONS
from tests.stream.decode_tools import NOW, NOW_MS, Rec, book, only, values


def decode(value: bytes, content_type: str):
    record = Rec(value, headers=(("content-type", content_type.encode()),))
    return NativeDecoder(book()).decode([record])


def test_an_event_with_everything():
    event = PredictionEvent(
        ModelId("fraud", "3"),
        datetime(2026, 3, 1, 12, tzinfo=UTC),
        prediction_id="3f0c",
        features={"amount": np.float64(12.5), "age": np.int64(40), "country": "DE"},
        prediction=Prediction("ok", 0.93),
        actual=Actual("fraud", NOW),
        segments={"region": "eu"},
        latency_seconds=0.5,
        tags={"host": "a"},
    )
    decoded = decode(encode_event(event), EVENT_CONTENT_TYPE)
    assert decoded.time_ms.tolist() == [NOW_MS]
    assert only(decoded) == {
        "amount": 12.5,
        "age": 40.0,
        "country": "DE",
        "label": "ok",
        "score": 0.93,
        "actual": "fraud",
        "latency": 0.5,
    }


def test_only_what_is_said_is_sent():
    event = PredictionEvent(ModelId("fraud"), NOW, prediction="ok", features={"amount": math.nan})
    assert json.loads(encode_event(event)) == {
        "schema": "driftstream.prediction.v1",
        "model": {"name": "fraud"},
        "timestamp": NOW,
        "features": {"amount": None},
        "prediction": "ok",
    }


def test_a_batch_of_arrays():
    columns = BatchColumns(
        timestamp=NOW + np.arange(3),
        features={"amount": np.array([1.0, np.nan, 3.0])},
        prediction={"label": ["ok", None, "fraud"]},
    )
    value = encode_batch(PredictionBatch(ModelId("fraud", "3"), columns))
    decoded = decode(value, BATCH_CONTENT_TYPE)
    assert decoded.time_ms.tolist() == [NOW_MS, NOW_MS + 1000, NOW_MS + 2000]
    rows = [values(decoded.groups[0], i) for i in range(3)]
    np.testing.assert_equal([row["amount"] for row in rows], [1.0, np.nan, 3.0])
    assert [row["label"] for row in rows] == ["ok", "MISSING", "fraud"]


def test_what_cannot_be_sent_is_said():
    event = PredictionEvent(ModelId("fraud"), NOW, features={"amount": object()})
    with pytest.raises(TypeError, match="type object cannot be in an event"):
        encode_event(event)


def test_the_example_runs():
    assert doctest.testmod(stream.contracts.prediction_event).failed == 0


def test_the_page_tells_the_truth():
    page = (Path(__file__).parents[3] / "docs" / "events.md").read_text()
    single, truth, batch = (block.split("```", 1)[0] for block in page.split("```json\n")[1:])
    decoded = NativeDecoder(book()).decode([Rec(single.encode()), Rec(batch.encode())])
    assert decoded.rejects == []
    assert decoded.time_ms.tolist() == [NOW_MS + 123, NOW_MS, NOW_MS + 1500]
    assert values(decoded.groups[0])["actual"] == "fraud"
    later_ms = NOW_MS + 7 * 86_400_000
    decoded = NativeDecoder(book()).decode([Rec(truth.encode(), timestamp=later_ms)])
    assert decoded.rejects == []
    (group,) = decoded.groups
    assert group.predicted_ms is not None
    assert group.predicted_ms.tolist() == [NOW_MS + 123]
    assert values(group)["actual"] == "fraud"
    refused = page.split("## Refused events")[1].split("## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", refused, re.MULTILINE)) == set(REASONS)
