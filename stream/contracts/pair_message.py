"""The wire form of what stage 1 tells the join of labels, on the pairs topic.

* `PairRows`: predictions and labels of one join whose ids fall into this partition;
* `PairProgress`, to every partition: how far a source partition has been read;
* `Idle`, to every partition: as on the summaries topic.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.contracts.errors import DriftstreamError
from stream.contracts.summary_message import Idle, Offset, Source, Time

__all__ = [
    "JOIN_PREFIX",
    "PairError",
    "PairMessage",
    "PairProgress",
    "PairRows",
    "decode_pair",
    "encode_pair",
    "join_source",
    "join_topic",
]


class PairError(DriftstreamError, ValueError):
    """Bytes on the pairs topic that are not a message of this version."""


class PairRows(msgspec.Struct, frozen=True, array_like=True, tag="r1"):
    """Rows of one source partition, in order of offsets, as `RowBatch` has them.

    `join` is the plan's `join_key`. Rows of one record may be in several messages that follow each
    other: `skip` of its first record's came before.
    """

    source: Source
    join: bytes
    skip: Offset
    rows: bytes


class PairProgress(msgspec.Struct, frozen=True, array_like=True, tag="q1"):
    """All rows of this chunk up to `through` are on the topic.

    `mark_ms` is the watermark of events, as in `Progress`; `came_ms` is the latest timestamp of the
    chunk's records, which is the clock of labels. Both are functions of the chunk alone.
    """

    source: Source
    chunk: Offset
    through: Offset
    mark_ms: Time
    came_ms: Time


PairMessage = PairRows | PairProgress | Idle
#: No Kafka topic has a slash in its name.
JOIN_PREFIX: Final = "join/"
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(PairMessage)


def encode_pair(message: PairMessage) -> bytes:
    """Bytes of a message."""
    return _ENCODER.encode(message)


def decode_pair(value: bytes | None) -> PairMessage:
    """Inverse of `encode_pair`.

    Raises
    ------
    PairError
        If the bytes are not a message of this version.
    """
    try:
        message: PairMessage = _DECODER.decode(value or b"")
        return message
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PairError(f"not a message of the pairs topic: {error!s:.300}") from error


def join_source(pairs_id: str, join: bytes, partition: int, n_partitions: int) -> Source:
    """How the join of one pairs partition is named as a source of summaries."""
    return Source(f"{pairs_id}/{join.hex()}", join_topic(join), partition, n_partitions)


def join_topic(join: bytes) -> str:
    """The name that stands for a source topic in summaries of a join."""
    return f"{JOIN_PREFIX}{join.hex()}"
