"""The envelope of a record: its form and its model, which are read before its decoder is known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from stream.contracts.prediction_event import (
    ARROW_CONTENT_TYPE,
    BATCH_CONTENT_TYPE,
    EVENT_CONTENT_TYPE,
)
from stream.decode.formats.registry import BY_CONTENT_TYPE
from stream.decode.record import Record

__all__ = ["ARROW", "BATCH", "ForeignError", "decode_envelope", "form_of", "kind_of"]

BATCH: Final = BATCH_CONTENT_TYPE.encode()
ARROW: Final = ARROW_CONTENT_TYPE.encode()
_EVENT: Final = EVENT_CONTENT_TYPE.encode()
#: Every CloudEvent in binary mode has this header.
_CLOUDEVENT: Final = "ce_specversion"


class _Model(msgspec.Struct, gc=False):
    name: str
    version: str | int | float | None = None


class _Skipped(msgspec.Struct, gc=False):
    """An object whose members nobody reads."""


class _Envelope(msgspec.Struct, gc=False):
    """What is needed to find a decoder."""

    model: _Model
    timestamp: float | str | None = None
    columns: _Skipped | None = None


decode_envelope: Final = msgspec.json.Decoder(_Envelope).decode


class ForeignError(Exception):
    """A record is in a format that is not native."""


def form_of(record: Record) -> bytes:
    """The content type of a batch, or nothing for a single event.

    Raises
    ------
    ForeignError
        If the headers name a format that is not native.
    """
    for name, value in record.headers:
        if name == "content-type" and value is not None:
            if value.startswith(BATCH):
                return BATCH
            if value.startswith(ARROW):
                return ARROW
            if not value.startswith(_EVENT) and _plain(value) in BY_CONTENT_TYPE:
                raise ForeignError
        elif name == _CLOUDEVENT:
            raise ForeignError
    return b""


def kind_of(headers: Iterable[tuple[str, bytes | None]]) -> bytes:
    """The content type without its parameters; empty if there is none."""
    for name, value in headers:
        if name == "content-type" and value is not None:
            return _plain(value)
    return b""


def _plain(value: bytes) -> bytes:
    return value.partition(b";")[0].strip().lower()
