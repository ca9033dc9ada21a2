"""The body of a request as messages: one event, JSON lines, a batch, CloudEvents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from stream.contracts.errors import DriftstreamError
from stream.contracts.prediction_event import (
    ARROW_CONTENT_TYPE,
    BATCH_CONTENT_TYPE,
    EVENT_CONTENT_TYPE,
)
from stream.decode.formats.cloudevents import open_structured
from stream.decode.formats.contract import Envelope
from stream.decode.values import RefusedError

__all__ = ["BodyError", "Incoming", "messages_of"]

_LINES: Final = ("application/x-ndjson", "application/jsonl", "application/json-lines")
_JSON: Final = ("application/json", EVENT_CONTENT_TYPE, "text/json")
_CLOUD: Final = "application/cloudevents+json"
_CLOUD_BATCH: Final = "application/cloudevents-batch+json"
_ACCEPTED: Final = ", ".join(
    (*_JSON[:2], _LINES[0], BATCH_CONTENT_TYPE, ARROW_CONTENT_TYPE, _CLOUD, _CLOUD_BATCH)
)

_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class BodyError(DriftstreamError, ValueError):
    """A body that is not what its content type says; `status` is the answer's."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Incoming(NamedTuple):
    """The value of a message, and what it is; `problem` where nothing can be made of it."""

    value: bytes
    content_type: str
    problem: str = ""


class _Times(msgspec.Struct):
    timestamp: msgspec.Raw = msgspec.Raw()
    columns: msgspec.Raw = msgspec.Raw()


_times: Final = msgspec.json.Decoder(_Times).decode


def messages_of(headers: Mapping[str, str], body: bytes) -> list[Incoming]:
    """Messages of a request; names of headers are in lower case.

    Raises
    ------
    BodyError
        415 for a content type that is not known, 400 for an empty or a broken body.
    """
    if headers.get("content-encoding", "identity") != "identity":
        raise BodyError(415, "send the body as it is: content-encoding is not read.")
    if not body.strip():
        raise BodyError(400, "the body is empty: send an event.")
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind == _CLOUD:
        return [_of_cloud_event(body)]
    if kind == _CLOUD_BATCH:
        return [_of_cloud_event(bytes(one)) for one in _listed(body)]
    if kind in _LINES:
        lines = [line for line in body.split(b"\n") if line.strip()]
        return [Incoming(line, EVENT_CONTENT_TYPE) for line in lines]
    if kind in _JSON:
        found = [bytes(one) for one in _listed(body)] if body.lstrip()[:1] == b"[" else [body]
        if not found:
            raise BodyError(400, "the list is empty: send an event.")
        return [Incoming(_timed(one, headers.get("ce-time")), EVENT_CONTENT_TYPE) for one in found]
    if kind in (BATCH_CONTENT_TYPE, ARROW_CONTENT_TYPE):
        return [Incoming(body, kind)]
    raise BodyError(415, f"content-type {kind[:80]!r} is not read. Send one of {_ACCEPTED}.")


def _listed(body: bytes) -> list[msgspec.Raw]:
    try:
        return _list(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(400, f"the body is no JSON array of events: {error}.") from error


def _of_cloud_event(text: bytes) -> Incoming:
    """What a CloudEvent in structured mode carries."""
    try:
        data, content_type, envelope = open_structured(text, Envelope())
    except RefusedError as error:
        return Incoming(b"", EVENT_CONTENT_TYPE, error.error)
    kind = content_type.decode() or "application/json"
    if kind in (BATCH_CONTENT_TYPE, ARROW_CONTENT_TYPE):
        return Incoming(data, kind)
    if kind in _JSON:
        return Incoming(_timed(data, envelope.time or None), EVENT_CONTENT_TYPE)
    return Incoming(b"", EVENT_CONTENT_TYPE, f"datacontenttype {kind[:80]!r} is not read")


def _timed(value: bytes, time: str | None) -> bytes:
    """An event with the time of its CloudEvent, where it has none of its own."""
    if time is None:
        return value
    try:
        own: Any = _times(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value
    if bytes(own.timestamp) or bytes(own.columns):
        return value
    rest = value.lstrip()[1:]
    comma = b"" if rest.lstrip()[:1] == b"}" else b","
    return b'{"timestamp":' + msgspec.json.encode(time) + comma + rest
