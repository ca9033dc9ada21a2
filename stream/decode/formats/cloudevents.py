"""CloudEvents 1.0: binary mode (`ce_` headers), structured mode, and batches of structured ones.

An envelope and no more: what is in it is read as its type, its `datacontenttype` or the topic's
format says, and natively else. Its time and id stand in where that format has none.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from stream.decode.formats.contract import (
    Document,
    Envelope,
    Format,
    Message,
    SourceOptions,
    Translate,
    parse_any,
)
from stream.decode.values import RefusedError, as_text

__all__ = [
    "BATCH_FORMAT", "BATCH_TYPE", "ENVELOPES", "FORMAT", "STRUCTURED_TYPE", "Opened",
    "from_headers", "open_batch", "open_structured",
]  # fmt: skip

STRUCTURED_TYPE: Final = b"application/cloudevents+json"
BATCH_TYPE: Final = b"application/cloudevents-batch+json"
_PREFIX: Final = "ce_"
_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
#: Attributes that have a place of their own in `Envelope`, or are the data.
_OWN: Final = frozenset(("id", "time", "type", "data", "data_base64", "specversion"))

#: The data, their content type without parameters, and what is known beside.
Opened = tuple[bytes, bytes, Envelope]


def from_headers(headers: Iterable[tuple[str, bytes | None]], stamp_ms: int) -> Envelope:
    """The attributes of binary mode; an empty envelope where there are none."""
    found = {
        name[len(_PREFIX) :].lower(): value.decode("utf-8", "replace")
        for name, value in headers
        if value is not None and name.startswith(_PREFIX)
    }
    return _envelope(found, stamp_ms)


def _envelope(found: dict[str, str], stamp_ms: int) -> Envelope:
    others = {name: text for name, text in found.items() if name not in _OWN}
    return Envelope(
        stamp_ms, found.get("id", ""), found.get("time", ""), found.get("type", ""), others
    )


def open_structured(value: bytes, outer: Envelope) -> Opened:
    """The data of a structured event.

    Raises
    ------
    RefusedError
        If it is none, or has no data.
    """
    try:
        members = _MEMBERS.decode(value)
        raw = members.get("data")
        data = None if raw is None else bytes(raw)
        document: Document = {
            name: msgspec.json.decode(member) for name, member in members.items() if name != "data"
        }
    except (
        ValueError,
        TypeError,
        RecursionError,
    ):  # NaN in it, or not JSON: which says `parse_any`
        document = parse_any(value)
        data = msgspec.json.encode(document["data"]) if "data" in document else None
    if not isinstance(document.get("specversion"), str) or not document.get("type"):
        raise RefusedError(
            "missing_field", "Expected a CloudEvent with `specversion` and `type` - at $"
        )
    texts = {name: text for name, one in document.items() if (text := _attribute(one)) is not None}
    kind = texts.get("datacontenttype", "").partition(";")[0].strip().lower()
    if data is None or data == b"null":
        data = _from_base64(document.get("data_base64"))
    elif kind and "json" not in kind and data.startswith(b'"'):  # text of another kind
        data = str(msgspec.json.decode(data)).encode()
    return data, kind.encode(), _envelope(texts, outer.stamp_ms)


def _attribute(value: Any) -> str | None:
    return as_text(value) if isinstance(value, str | int | float | bool) else None


def _from_base64(text: object) -> bytes:
    if not isinstance(text, str):
        raise RefusedError("missing_field", "Expected `data` or `data_base64` - at $")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError("undecodable", "Not base64 - at $.data_base64") from None


def open_batch(value: bytes, outer: Envelope) -> Iterator[Opened]:
    """The data of each event of a batch.

    Raises
    ------
    RefusedError
        If it is no array of events.
    """
    try:
        events = _RAWS.decode(value)
    except (ValueError, RecursionError):
        raise RefusedError("wrong_type", "Expected a JSON array of CloudEvents - at $") from None
    if not events:
        raise RefusedError("empty", "Expected at least one CloudEvent - at $")
    for event in events:
        yield open_structured(bytes(event), outer)


def _make(_: SourceOptions) -> Translate:
    """Not what reads them: the dispatcher opens envelopes and looks what is in them."""

    def translate(value: bytes, envelope: Envelope) -> Sequence[Message]:
        data, kind, _ = open_structured(value, envelope)
        return ((data, kind),)

    return translate


def _is_cloudevent(document: Document) -> bool:
    return isinstance(document.get("specversion"), str) and "type" in document


FORMAT: Final = Format("cloudevents", _make, (STRUCTURED_TYPE,), looks_like=_is_cloudevent)
BATCH_FORMAT: Final = Format("cloudevents-batch", _make, (BATCH_TYPE,))
#: Names of the formats in which others are.
ENVELOPES: Final = (FORMAT.name, BATCH_FORMAT.name)
