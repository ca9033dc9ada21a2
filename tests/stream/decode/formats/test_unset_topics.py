"""Records that name what their topic is not set for, and those that only look like a format."""

from __future__ import annotations

import json
from itertools import product

import pytest

from stream.contracts.prediction_event import (
    ARROW_CONTENT_TYPE,
    BATCH_CONTENT_TYPE,
    EVENT_CONTENT_TYPE,
)
from stream.decode import FormatDecoder, NativeDecoder, SourceOptions
from stream.decode.formats.registry import BY_CONTENT_TYPE, BY_EVENT_TYPE, BY_NAME
from tests.stream.decode.formats.test_cloudevents import envelope, headers
from tests.stream.decode.formats.test_inference import V1_NAMED, V2_REQUEST, V2_RESPONSE
from tests.stream.decode.formats.test_mapping import mapped
from tests.stream.decode.formats.tools import by_worker, rec
from tests.stream.decode_tools import NOW, book, event

GOOD = event()


def test_a_header_that_names_a_format_without_its_settings_refuses_one_record() -> None:
    stray = rec({"a": 1}, ("content-type", b"application/vnd.driftstream.mapping"))
    _, ((offset, reason, error),), events = by_worker([rec(GOOD), stray, rec(GOOD)])
    assert (offset, reason, events) == (1, "wrong_type", 2)
    assert "sources.mapping is missing. Add [sources.mapping]" in error
    logged = headers(
        ce_type="org.kubeflow.serving.inference.request", ce_inferenceservicename="fraud"
    )
    unusable = SourceOptions(columns=("",))
    _, ((offset, _, error),), events = by_worker([rec(GOOD), rec(V1_NAMED, *logged)], unusable)
    assert (offset, events) == (1, 1)
    assert "sources.columns names a column with an empty text" in error
    assert by_worker([rec(V1_NAMED, *logged)])[1:] == ([], 3)


KINDS = ["", "text/plain", EVENT_CONTENT_TYPE, BATCH_CONTENT_TYPE, ARROW_CONTENT_TYPE]
VALUES = [GOOD, envelope(GOOD), [envelope(GOOD)], V1_NAMED, V2_REQUEST, V2_RESPONSE, {"a": 1}]
SETTINGS = [
    *(SourceOptions(name) for name in ("native", *BY_NAME) if name != "mapping"),
    SourceOptions("mapping", "fraud", mapping=mapped(star="")),
    SourceOptions("cloudevents", "fraud", mapping=mapped(star="data.features")),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.format)
def test_whatever_headers_say_a_record_is_counted_or_refused(settings: SourceOptions) -> None:
    plans = book()
    decoder = FormatDecoder(NativeDecoder(plans), settings)
    counted = 0
    for kind, of in product([*KINDS, *map(bytes.decode, BY_CONTENT_TYPE)], [None, *BY_EVENT_TYPE]):
        named = [("content-type", kind.encode())] if of is None else headers(kind, ce_type=of)
        decoded = decoder.decode([rec(value, *named) for value in VALUES])
        refused = {reject.index for reject in decoded.rejects}
        taken = set(decoded.record.tolist())
        assert refused | taken == set(range(len(VALUES))), (kind, of)
        assert not refused & taken, (kind, of)
        counted += len(taken)
    assert counted


@pytest.mark.parametrize(
    ("document", "name"),
    [(envelope(GOOD), "cloudevents"), (V2_REQUEST, "inference"), (V2_RESPONSE, "inference")],
)
def test_what_looks_like_a_format_is_told_how_to_be_read(document: object, name: str) -> None:
    plain = rec(document, ("content-type", b"application/json"), ("traceparent", b"00-1-2-01"))
    foreign = rec(envelope(GOOD), ("content-type", b"application/cloudevents+json"))
    for beside in (rec(GOOD), foreign):  # as it is alone, and where others name their formats
        _, ((offset, reason, error),), events = by_worker([beside, plain])
        assert (offset, reason, events) == (1, "missing_field", 1)
        assert error.endswith(f"; it looks like {name}: name its format in [[sources]]")


@pytest.mark.parametrize(
    "value",
    [b"{}", b"[]", b"{", b"5", b"", json.dumps({"timestamp": NOW, "features": {"a": 1}}).encode()],
)
def test_what_looks_like_none_gets_no_such_advice(value: bytes) -> None:
    _, ((_, _, error),), _ = by_worker([rec(value)])
    assert "looks like" not in error


def test_what_is_read_as_a_format_already_gets_no_such_advice() -> None:
    nested = rec(envelope(envelope(GOOD)), ("content-type", b"application/cloudevents+json"))
    source = SourceOptions("mapping", mapping=mapped(model="m", star="f"))
    for found in (by_worker([nested]), by_worker([rec(envelope(GOOD))], source)):
        _, ((_, reason, error),), events = found
        assert (reason, events) == ("missing_field", 0)
        assert "looks like" not in error
