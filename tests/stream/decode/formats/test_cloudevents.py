"""CloudEvents 1.0.2, core and its Kafka protocol binding: native events in an envelope.

The structured golden payload is the example of the JSON event format 1.0.2 (section 3.2) with the
data of ours; the headers are those of the Kafka protocol binding 1.0.2 (section 3.2.3).
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from stream.contracts.prediction_event import BATCH_CONTENT_TYPE, EVENT_CONTENT_TYPE
from stream.decode import SourceOptions
from tests.stream.decode.formats.test_mapping import mapped
from tests.stream.decode.formats.tools import by_file, by_worker, rec
from tests.stream.decode_tools import NOW, event

NATIVE = [event(prediction_id=f"p{i}", timestamp=NOW + i) for i in range(6)]
STRUCTURED = ("content-type", b"application/cloudevents+json; charset=UTF-8")


def envelope(data: Any, **attributes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "com.example.someevent",
        "source": "/mycontext",
        "subject": "larger-context",
        "id": "A234-1234-1234",
        "time": "2026-03-01T12:00:00Z",
        "datacontenttype": "application/json",
        "comexampleothervalue": 5,
        "data": data,
    } | attributes


def headers(kind: str = "application/json", **more: str) -> list[tuple[str, bytes]]:
    said = {
        "ce_specversion": "1.0",
        "ce_type": "com.example.someevent",
        "ce_id": "A234-1234-1234",
        "ce_source": "/mycontext",
        "ce_time": "2026-03-01T12:00:00Z",
    } | more
    return [(name, text.encode()) for name, text in said.items()] + [
        ("content-type", kind.encode())
    ]


EXPECTED = by_worker([rec(one) for one in NATIVE])


def test_both_modes_count_as_the_native_form(tmp_path: Path) -> None:
    assert EXPECTED[1:] == ([], len(NATIVE))
    for kind in ("application/json", EVENT_CONTENT_TYPE):
        binary = [rec(one, *headers(kind)) for one in NATIVE]
        assert by_worker(binary) == EXPECTED
        assert by_worker([rec(one, *reversed(headers(kind))) for one in NATIVE]) == EXPECTED
    structured = [envelope(one) for one in NATIVE]
    assert by_worker([rec(one, STRUCTURED) for one in structured]) == EXPECTED
    assert by_worker([rec(one) for one in structured], SourceOptions("cloudevents")) == EXPECTED
    lines = [json.dumps(one).encode() for one in structured]
    native = [json.dumps(one).encode() for one in NATIVE]
    assert by_file(tmp_path / "c.jsonl", lines) == by_file(tmp_path / "n.jsonl", native)


def test_base64_and_native_between_them() -> None:
    packed = [
        envelope(None, data_base64=base64.b64encode(json.dumps(one).encode()).decode())
        for one in NATIVE
    ]
    for one in packed[::2]:
        del one["data"]
    mixed = [
        rec(native) if i % 2 else rec(one, STRUCTURED)
        for i, (one, native) in enumerate(zip(packed, NATIVE, strict=True))
    ]
    assert by_worker(mixed) == EXPECTED
    spoilt = [
        rec(json.dumps(envelope(one)).encode()[:-1] + b',"x":NaN}', STRUCTURED) for one in NATIVE
    ]
    assert by_worker(spoilt) == EXPECTED


def test_a_native_batch_in_an_envelope() -> None:
    batch = {
        "model": {"name": "fraud", "version": "3"},
        "columns": {"timestamp": [NOW, NOW + 1], "features": {"amount": [1, 2]}},
    }
    assert by_worker([rec(batch, *headers(BATCH_CONTENT_TYPE))]) == by_worker([rec(batch)])


def test_batch_mode_is_an_event_each() -> None:
    kind = ("content-type", b"application/cloudevents-batch+json")
    _, rejects, events = by_worker([rec([envelope(one) for one in NATIVE], kind)])
    assert (rejects, events) == ([], len(NATIVE))
    bad = [envelope(dict(one)) for one in NATIVE]
    bad[2]["data"]["timestamp"] = "soon"
    bad[4]["data"]["timestamp"] = "later"
    _, rejects, events = by_worker([rec(bad, kind), rec(NATIVE[0])])
    assert events == len(NATIVE) - 2 + 1
    ((offset, reason, error),) = rejects
    assert (offset, reason) == (0, "bad_timestamp")
    assert error.startswith("2 of 6 events, the first: Expected RFC 3339")


def test_a_mapping_of_what_is_in_the_envelope_takes_its_time_and_id() -> None:
    bare = [
        {"m": "fraud", "in": one["features"], "out": one["prediction"]["label"]} for one in NATIVE
    ]
    source = SourceOptions(
        "mapping", mapping=mapped(model="m", star="in", prediction="out"), version="3"
    )
    native = [
        event(prediction_id="A234-1234-1234", timestamp="2026-03-01T12:00:00Z", prediction="ok")
        for one in NATIVE
    ]
    expected = by_worker([rec(one) for one in native])
    assert by_worker([rec(one, *headers()) for one in bare], source) == expected
    assert by_worker([rec(envelope(one), STRUCTURED) for one in bare], source) == expected


def test_what_only_half_says_that_it_is_an_envelope() -> None:
    good = rec(NATIVE[0])
    for value in (b"", None):
        empty = rec(b"", STRUCTURED)
        empty.value = value
        _, rejects, events = by_worker([good, empty, good])
        assert [(offset, reason) for offset, reason, _ in rejects] == [(1, "empty")]
        assert events == 2
    untyped = [rec(one, ("ce_specversion", b"1.0")) for one in NATIVE]
    assert by_worker(untyped) == EXPECTED
    # An envelope in an envelope is not opened: what is in the first is no native event.
    nested = rec(envelope(NATIVE[0]), *headers("application/cloudevents+json"))
    _, rejects, events = by_worker([nested, good])
    assert [(offset, reason) for offset, reason, _ in rejects] == [(0, "missing_field")]
    assert events == 1


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        (b"{", "undecodable", "Not JSON"),
        (b"[]", "wrong_type", "Expected object, got array"),
        ({"type": "t", "data": {}}, "missing_field", "Expected a CloudEvent with `specversion`"),
        ({"specversion": "1.0", "type": "t"}, "missing_field", "`data` or `data_base64`"),
        ({"specversion": "1.0", "type": "t", "data_base64": "?"}, "undecodable", "Not base64"),
        (envelope({"a": 1}), "missing_field", "`model`"),
        (envelope("text", datacontenttype="text/plain"), "undecodable", "Not JSON"),
    ],
)
def test_what_cannot_be_opened_says_why(value: Any, reason: str, words: str) -> None:
    _, rejects, events = by_worker([rec(NATIVE[0]), rec(value, STRUCTURED), rec(NATIVE[1])])
    ((offset, why, error),) = rejects
    assert (offset, why, events) == (1, reason, 2)
    assert words in error
