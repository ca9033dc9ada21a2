"""A record as a decoder takes it: of a topic, or of a file in the same shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from stream.contracts.unread import Unread

__all__ = ["LOG_APPEND_TIME", "FileRecord", "Record", "offset_after", "stamps_of"]

#: Type of a record's timestamp that the broker gave; every other is some producer's word.
LOG_APPEND_TIME: Final = 1
_STAMP: Final = attrgetter("timestamp")


class Record(Protocol):
    """One Kafka record as the decoder needs it (aiokafka's ConsumerRecord fits)."""

    @property
    def offset(self) -> int:
        """Place in its partition."""

    @property
    def timestamp(self) -> int:
        """The record's own, in milliseconds since the epoch; 0 or less where it has none."""

    @property
    def timestamp_type(self) -> int:
        """Who gave it: `LOG_APPEND_TIME` is the broker."""

    @property
    def key(self) -> bytes | None:
        """Any."""

    @property
    def value(self) -> bytes | None:
        """The event or batch."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Name and value of each."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """An event from a file in the shape of a Kafka record.

    A timestamp that is not 0 says when it was recorded, as a broker's would.
    """

    offset: int
    timestamp: int
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = field(default=())
    timestamp_type: int = LOG_APPEND_TIME


def offset_after(record: Record) -> int:
    """The offset that follows a record, or the last of those that an `Unread` stands for."""
    return (record.last if isinstance(record, Unread) else record.offset) + 1


def stamps_of(records: Sequence[Record]) -> npt.NDArray[np.int64]:
    """The records' own times; -1 for one of a format that had none."""
    try:
        return np.fromiter(map(_STAMP, records), np.int64, len(records))
    except TypeError:
        stamps = (-1 if at is None else at for at in map(_STAMP, records))
        return np.fromiter(stamps, np.int64, len(records))
