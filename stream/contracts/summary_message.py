"""The wire form of what stage 1 tells stage 2, and the rules for reading it.

Three messages travel on the summaries topic, as MessagePack arrays:

* `SummaryBatch`, keyed by subject: cumulative counts of the panes of one chunk;
* `Progress`, to every partition: how far a source partition has been read and summarised;
* `Idle`, to every partition: a source partition is caught up and silent.

A source partition is named by topic *id*: a topic deleted and made again is another source.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import msgspec

from stream.contracts.errors import DriftstreamError
from stream.contracts.moments import INFINITY, MINUS_INFINITY

__all__ = [
    "MAX_BATCH_BYTES",
    "Idle",
    "Message",
    "Offset",
    "Progress",
    "Source",
    "SummaryBatch",
    "SummaryEntry",
    "SummaryError",
    "Time",
    "decode_message",
    "encode_message",
]

#: Kafka's default limit is 1 MB a message; a batch is cut well below it.
MAX_BATCH_BYTES: Final = 500_000

# Bounds of what is read, so that no message, however made, can claim a million partitions or a time
# whose sums do not fit into 64 bits.
Partition = Annotated[int, msgspec.Meta(ge=0, lt=100_000)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Time = Annotated[int, msgspec.Meta(ge=MINUS_INFINITY, le=INFINITY)]


class SummaryError(DriftstreamError, ValueError):
    """Bytes on the summaries topic that are not a message of this version."""


class Source(NamedTuple):
    """One partition of a source topic."""

    topic_id: str
    topic: str
    partition: Partition
    n_partitions: Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class SummaryEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Cumulative counts of one (scope, pane) from one chunk; `segment` is "" for scope `all`.

    `ids` is an encoded `IdSample` of the same events; empty where nothing identifies them.
    """

    segment: str
    pane_ms: Time
    counts: bytes
    ids: bytes = b""


class SummaryBatch(msgspec.Struct, frozen=True, array_like=True, tag="s1"):
    """Changed summaries of one subject, from one chunk of one source partition.

    `through` is the offset of the last record counted. `late` counts the chunk's events that came
    after their pane was complete in this partition; it is cumulative too. So are `stale`, those
    whose record was made much later than what they tell of, and `aged`, those whose age was looked
    at: all where the plan has `stale_after_ms`. And so are `ahead`, those from a clock that leads,
    refused ones among them, and `ahead_max_ms`, the most that one of them leads by.
    """

    source: Source
    chunk: Offset
    through: Offset
    model: str
    version: str
    plan: bytes
    late: Offset
    entries: list[SummaryEntry]
    stale: Offset = 0
    aged: Offset = 0
    ahead: Offset = 0
    ahead_max_ms: Offset = 0


class Progress(msgspec.Struct, frozen=True, array_like=True, tag="p1"):
    """All summaries of this chunk up to `through` are on the topic.

    `max_time_ms` is the watermark of the chunk so far: a function of the chunk alone, so every
    reader of the chunk reports the same.
    """

    source: Source
    chunk: Offset
    through: Offset
    max_time_ms: Time


class Idle(msgspec.Struct, frozen=True, array_like=True, tag="i1"):
    """The source partition is read up to `next_offset`, its end, and no data came for a while."""

    source: Source
    next_offset: Offset


Message = SummaryBatch | Progress | Idle
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Message)


def encode_message(message: Message) -> bytes:
    """Bytes of a message."""
    return _ENCODER.encode(message)


def decode_message(value: bytes | None) -> Message:
    """Inverse of `encode_message`.

    Raises
    ------
    SummaryError
        If the bytes are not a message of this version.
    """
    try:
        message: Message = _DECODER.decode(value or b"")
        return message
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SummaryError(f"not a message of the summaries topic: {error!s:.300}") from error
