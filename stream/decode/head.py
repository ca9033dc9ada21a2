"""What is read of a record before its decoder is known: its form, and whose event it is."""

from __future__ import annotations

from typing import Final

import msgspec

from stream.decode.columns import Record
from stream.events import ARROW_CONTENT_TYPE, BATCH_CONTENT_TYPE

__all__ = ["ARROW", "BATCH", "decode_head", "form_of"]

BATCH: Final = BATCH_CONTENT_TYPE.encode()
ARROW: Final = ARROW_CONTENT_TYPE.encode()


class _Model(msgspec.Struct, gc=False):
    name: str
    version: str | int | float | None = None


class _Skipped(msgspec.Struct, gc=False):
    """An object whose members nobody reads."""


class _Head(msgspec.Struct, gc=False):
    """What is needed to find a decoder."""

    model: _Model
    timestamp: float | str | None = None
    columns: _Skipped | None = None


decode_head: Final = msgspec.json.Decoder(_Head).decode


def form_of(record: Record) -> bytes:
    """The content type of a batch, or nothing for a single event."""
    for name, value in record.headers:
        if name == "content-type" and value is not None:
            if value.startswith(BATCH):
                return BATCH
            if value.startswith(ARROW):
                return ARROW
    return b""
